// The outbox as the app sees it: stages, withdrawing what was not sent, and dealing with what was refused.
import { commitName, SyncError } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import type { Replica } from '@rejoin/replica'
import { MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { describe, expect, test } from 'vitest'
import { HubbedWorld, seenBy } from './hubbed.ts'
import {
  ack,
  asOneShot,
  bytesOf,
  caughtUp,
  codeOf,
  cursor,
  itemSet,
  listAdded,
  openTodo,
  refused,
  ScriptedHub,
  ShakyStore,
  tail,
  titled,
  turn,
  until,
  welcome,
  type Options,
  type Todo,
} from './support.ts'
import { live } from './live.ts'

const titles = ({ tables }: Replica<Todo>) =>
  Object.fromEntries([...tables.lists.entries()].map(([id, { title }]) => [id, title]))
const chain = ({ outbox }: Replica<Todo>) => outbox.map(({ id, prev }) => [id.counter, prev])
const stages = ({ outbox }: Replica<Todo>) => outbox.map(({ stage }) => stage)

/** Reads at once and tells late: what it tells may be old by then. */
class LateStore extends MapReplicaStore {
  telling: Promise<void> | null = null

  override async load() {
    const found = await super.load()
    await this.telling
    return found
  }
}

/** A replica that has a base, with its channel cut and its hub out of reach. */
async function offline(store: MapReplicaStore = new MapReplicaStore(), options: Options = {}) {
  const { clock, hub, replica, line, peer } = await live(store, [[listAdded('x', 'theirs')]], options)
  hub.reachable = false
  line.cut()
  await until('offline', () => replica.status.state === 'offline')
  await replica.flush()
  clock.advance(1)
  return { clock, hub, replica, store, peer }
}

describe('withdrawing', () => {
  test('takes the commit back for good: one event, later commits made again, one step for the store', async () => {
    const { replica, store } = await offline(new ShakyStore())
    const receipts = [
      replica.apply(listAdded('a')),
      replica.apply([titled('x', 'withdrawn'), listAdded('w')]),
      replica.apply([titled('a', 'A'), itemSet('w', 'i')]),
      replica.apply(listAdded('c')),
    ]
    const stamps = replica.outbox.map(({ hlc }) => hlc)
    const { clientId } = replica
    const heard: unknown[] = []
    replica.subscribe((changes) =>
      heard.push(changes.map(({ table, key, before, after, origin }) => [table, key, before, after, origin])),
    )
    await replica.flush()
    const recorded = (store as ShakyStore).recorded.length
    await replica.withdraw(2)
    expect((store as ShakyStore).recorded.slice(recorded)).toEqual(['recommit'])
    expect(titles(replica)).toEqual({ a: 'A', c: 'c', x: 'theirs' })
    expect(heard).toHaveLength(1)
    expect(heard[0]).toEqual(
      expect.arrayContaining([
        ['lists', 'x', 'withdrawn', 'theirs', 'local'],
        ['lists', 'w', true, undefined, 'local'],
        ['items', ['w', 'i'], 'i', undefined, 'local'],
      ]),
    )
    expect(chain(replica)).toEqual([
      [1, 0],
      [3, 1],
      [4, 3],
    ])
    expect(replica.outbox.map(({ hlc }) => hlc)).toEqual(stamps.filter((_, i) => i !== 1))
    expect(replica.clientId).not.toBe(clientId)
    expect(await codeOf(receipts[1]?.acked ?? Promise.resolve())).toBe('WITHDRAWN')
    // What stood on the withdrawn list is an orphan.
    expect(replica.conflicts()).toMatchObject([{ kind: 'orphan', key: ['w', 'i'] }])

    const again = await openTodo({ store: store.crash() })
    expect(bytesOf(again)).toBe(bytesOf(replica))
    expect(chain(again)).toEqual(chain(replica))
    // Its number is not used again.
    expect(again.apply(listAdded('d')).id?.counter).toBe(5)
  })

  test('of the last and of the only commit leaves what was there before', async () => {
    const { replica } = await offline()
    const before = seenBy(replica)
    replica.apply(titled('x', '1'))
    replica.apply(titled('x', '2'))
    await replica.withdraw(2)
    expect(titles(replica)).toEqual({ x: '1' })
    await replica.withdraw(1)
    expect(seenBy(replica)).toEqual(before)
    expect(replica.status.pending).toBe(0)
  })

  test('under a later commit of the same key keeps the later value, which then goes back behind both', async () => {
    const { replica } = await offline()
    replica.apply(titled('x', 'withdrawn'))
    replica.apply(titled('x', 'kept'))
    await replica.withdraw(1)
    expect([titles(replica), replica.conflicts()]).toEqual([{ x: 'kept' }, []])
    replica.undo()
    expect(titles(replica)).toEqual({ x: 'theirs' })
    expect(replica.canUndo).toBe(false)
  })

  test('[22] a later commit keeps its effect, also one that its writer would refuse without it', async () => {
    const { replica } = await offline()
    replica.apply(listAdded('a', 'red'))
    replica.apply(titled('a', 'green'))
    replica.apply({ type: 'BlueOnly', id: 'a' })
    await replica.withdraw(2)
    expect(titles(replica)).toEqual({ a: 'red', x: 'theirs' })
    expect(replica.tables.lists.get('a')).toEqual({ title: 'red', color: 'blue' })
    expect(replica.rejected).toEqual([])
    expect(chain(replica)).toEqual([
      [1, 0],
      [3, 1],
    ])
  })

  test('[4] [11] nothing is sent before the store knows that it may have been', async () => {
    const clock = new VirtualClock(1)
    const hub = new ScriptedHub(clock)
    const store = new ShakyStore()
    const replica = await openTodo({ clock, store, dial: hub.dial })
    await replica.apply(listAdded('a')).saved
    const line = await hub.line(0)
    store.failing = new SyncError('STORE_FULL', 'no room')
    line.say(welcome('unknown'), caughtUp(null))
    await until('degraded', () => replica.status.persistence !== 'ok')
    expect(await line.pushes()).toEqual([])
    const again = await openTodo({ store: store.crash() })
    expect(stages(again)).toEqual(['saved'])
    await again.withdraw(1)
    expect(titles(again)).toEqual({})
  })

  test('[5] the hub takes what is left, and everybody agrees', async () => {
    const world = new HubbedWorld(1)
    const [near, far] = [await world.open(), await world.open()]
    near.apply(listAdded('a', 'A'))
    await world.sync(near, far)
    near.apply(titled('a', 'withdrawn'))
    near.apply([listAdded('b'), itemSet('a', 'x')])
    far.apply(titled('a', 'far'))
    await near.withdraw(2)
    await world.settle(near, far)
    expect(titles(far)).toEqual({ a: 'far', b: 'b' })
    for (const replica of [near, far]) {
      expect(replica.status).toMatchObject({ pending: 0, rejected: 0, conflicts: 0 })
      expect(Buffer.from(yjsCrdt.updates.compact([replica.encode()]))).toEqual(
        Buffer.from(yjsCrdt.updates.compact([near.encode()])),
      )
    }
  })

  test('is refused for what is unknown, rejected, sent or acknowledged', async () => {
    const { replica, hub, clock } = await offline()
    expect(await codeOf(replica.withdraw(1))).toBe('INPUT_INVALID')
    replica.apply(listAdded('a'))
    hub.reachable = true
    replica.connect()
    const [line] = await Promise.all([hub.line(1), turn().then(() => clock.advance(60_000))])
    line.say(welcome('live'), caughtUp(cursor(1)))
    await line.next('Push')
    // Applied while live: on its way as soon as it is saved.
    replica.apply(listAdded('b'))
    expect(await codeOf(replica.withdraw(1))).toBe('INPUT_INVALID')
    expect(await codeOf(replica.withdraw(2))).toBe('INPUT_INVALID')
    line.say(ack(1))
    await until('acked', () => stages(replica)[0] === 'acked')
    expect(await codeOf(replica.withdraw(1))).toBe('INPUT_INVALID')
    expect(titles(replica)).toEqual({ a: 'a', b: 'b', x: 'theirs' })
  })

  test('is refused for what a push sends while the base is read', async () => {
    const { replica, hub, store } = await offline(new ShakyStore(), { live: true })
    replica.apply(listAdded('a'))
    await replica.flush()
    let release = (): void => {}
    ;(store as ShakyStore).loading = new Promise((resolve) => (release = resolve))
    const withdrawn = replica.withdraw(1)
    hub.reachable = true
    void replica.syncOnce().catch(() => {})
    const line = await hub.line(1)
    line.say(welcome('live'), caughtUp(cursor(1)))
    await line.next('Push')
    release()
    expect(await codeOf(withdrawn)).toBe('INPUT_INVALID')
    expect(titles(replica)).toEqual({ a: 'a', x: 'theirs' })
  })

  test('keeps what others’ commits brought while the base is read', async () => {
    const store = new LateStore()
    const { replica, hub, peer } = await offline(store)
    replica.apply(titled('x', 'withdrawn'))
    await replica.flush()
    let release = (): void => {}
    store.telling = new Promise((resolve) => (release = resolve))
    const withdrawn = replica.withdraw(1)
    await turn()
    hub.reachable = true
    void replica.syncOnce().catch(() => {})
    const line = await hub.line(1)
    // Catching up, and so not yet pushing.
    line.say(welcome('tail'), tail(cursor(2), peer.commit(listAdded('y'))))
    await until('there', () => replica.tables.lists.has('y'))
    release()
    await withdrawn
    expect(titles(replica)).toEqual({ x: 'theirs', y: 'y' })
    line.say(caughtUp(cursor(2)))
    expect(await line.pushes()).toEqual([])
  })

  test('[4] a crash before it is durable leaves the commit where it was', async () => {
    const { replica, store } = await offline(new ShakyStore())
    const shaky = store as ShakyStore
    await replica.apply(listAdded('a')).saved
    await replica.apply(listAdded('b')).saved
    shaky.slow = true
    void replica.withdraw(1).catch(() => {})
    await until('withdrawn', () => !replica.tables.lists.has('a'))
    const again = await openTodo({ store: shaky.crash() })
    expect(titles(again)).toEqual({ a: 'a', b: 'b', x: 'theirs' })
    expect(chain(again)).toEqual([
      [1, 0],
      [2, 1],
    ])
  })

  test('a store that fails before the base is read leaves everything as it is; later it is only told', async () => {
    const { replica, store } = await offline(new ShakyStore())
    const shaky = store as ShakyStore
    replica.apply(listAdded('a'))
    shaky.failing = new SyncError('STORE_FULL', 'the disk is full')
    expect(await codeOf(replica.withdraw(1))).toBe('STORE_FULL')
    expect(titles(replica)).toEqual({ a: 'a', x: 'theirs' })
    shaky.failing = null
    await replica.flush()
    let release = (): void => {}
    shaky.loading = new Promise((resolve) => (release = resolve))
    const withdrawn = replica.withdraw(1)
    await turn()
    shaky.failing = new SyncError('STORE_FULL', 'the disk is full')
    release()
    expect(await codeOf(withdrawn)).toBe('STORE_FULL')
    expect(titles(replica)).toEqual({ x: 'theirs' })
    shaky.failing = null
    await replica.flush()
    expect(titles(await openTodo({ store: shaky.crash() }))).toEqual({ x: 'theirs' })
  })

  test('of a replica that is closed meanwhile ends with that', async () => {
    const { replica, store } = await offline(new ShakyStore())
    await replica.apply(listAdded('a')).saved
    let release = (): void => {}
    ;(store as ShakyStore).loading = new Promise((resolve) => (release = resolve))
    const withdrawn = codeOf(replica.withdraw(1))
    await turn()
    await replica.close()
    release()
    expect(await withdrawn).toBe('REPLICA_CLOSED')
    expect(await codeOf(replica.withdraw(1))).toBe('REPLICA_CLOSED')
  })

  test('of a replica that is closed meanwhile ends with that, whatever the store says then', async () => {
    const { replica, store } = await offline(new ShakyStore())
    await replica.apply(listAdded('a')).saved
    let fail: (error: SyncError) => void = () => {}
    ;(store as ShakyStore).loading = new Promise((resolve, reject) => (fail = reject))
    const withdrawn = replica.withdraw(1)
    const code = codeOf(withdrawn)
    await turn()
    await replica.close()
    fail(new SyncError('STORE_CLOSED', 'the store is closed'))
    expect(await code).toBe('REPLICA_CLOSED')
    await expect(withdrawn).rejects.toMatchObject({ cause: { code: 'STORE_CLOSED' } })
  })

  test('twice, or of two commits at once, does each once', async () => {
    const { replica } = await offline()
    for (const id of ['a', 'b', 'c']) replica.apply(listAdded(id))
    const codes = await Promise.all([1, 1, 3].map((counter) => codeOf(replica.withdraw(counter))))
    expect(codes.sort()).toEqual(['INPUT_INVALID', 'no error', 'no error'])
    expect(titles(replica)).toEqual({ b: 'b', x: 'theirs' })
    expect(chain(replica)).toEqual([[2, 0]])
  })
})

describe('what was sent', () => {
  test('is noted in the very batch that saves it, while live', async () => {
    const clock = new VirtualClock(1)
    const hub = new ScriptedHub(clock)
    const store = new ShakyStore()
    const replica = await openTodo({ store, clock, dial: hub.dial })
    const line = await hub.line(0)
    line.say(welcome('unknown'), caughtUp(null))
    await until('live', () => replica.status.state === 'live')
    await replica.flush()
    const before = { batches: store.batches, steps: store.recorded.length }
    await replica.apply(listAdded('a')).saved
    expect(store.batches).toBe(before.batches + 1)
    expect(store.recorded.slice(before.steps)).toContain('notes')
    expect((await store.load())?.notes.sentCounter).toBe(1)
  })

  test('is noted with the news of having caught up, before it leaves, where it was made offline', async () => {
    const { replica, store, hub, clock } = await offline()
    await replica.apply(listAdded('a')).saved
    expect((await store.load())?.notes.sentCounter).toBe(0)
    hub.reachable = true
    clock.advance(60_000)
    const line = await hub.line(1)
    line.say(welcome('live'), caughtUp(cursor(1)))
    await line.next('Push')
    await replica.flush()
    expect(await store.load()).toMatchObject({ notes: { sentCounter: 1 } })
  })

  test('stays so over a restart, also where the hub never answered', async () => {
    const { replica, store, hub, clock } = await offline()
    replica.apply(listAdded('a'))
    hub.reachable = true
    void replica.syncOnce().catch(() => {})
    const line = await hub.line(1)
    line.say(welcome('live'), caughtUp(cursor(1)))
    await line.next('Push')
    line.cut()
    await until('offline', () => replica.status.state === 'offline')
    replica.apply(listAdded('b'))
    expect(stages(replica)).toEqual(['sent', 'unsaved'])
    await replica.flush()
    expect(stages(replica)).toEqual(['sent', 'saved'])
    const again = await openTodo({ store: store.crash(), clock })
    expect(stages(again)).toEqual(['sent', 'saved'])
    expect(await codeOf(again.withdraw(1))).toBe('INPUT_INVALID')
    // What stands before it keeps the bytes that were sent.
    const [sent] = again.outbox
    await again.withdraw(2)
    expect(again.outbox).toEqual([sent])
  })

  test('over a one-shot channel is noted before it leaves', async () => {
    const clock = new VirtualClock(1)
    const hub = new ScriptedHub(clock, { oneShot: true })
    const replica = await openTodo({ clock })
    await replica.apply(listAdded('a')).saved
    void replica.syncOnce(hub.dial).catch(() => {})
    const line = await hub.line(0)
    await line.next('Push')
    expect(await codeOf(replica.withdraw(1))).toBe('INPUT_INVALID')
    expect(stages(replica)).toEqual(['sent'])
  })

  test.each(['lasting', 'one-shot'])(
    '[4] [5] and withdrawn from an older copy of the folder comes back with the log: %s channel',
    async (channel) => {
      const world = new HubbedWorld(1)
      const store = new MapReplicaStore()
      const near = await world.open(store)
      const far = await world.open()
      near.apply(listAdded('a', 'A'))
      await world.sync(near, far)
      near.apply(titled('a', 'sent'))
      near.apply(listAdded('b'))
      await near.flush()
      // What comes after it is not in the copy: the note of what was sent neither.
      const disk = store.copy()
      await world.finish(near.syncOnce()).catch(() => {})
      near.disconnect()
      await world.sync(far)
      expect(titles(far)).toEqual({ a: 'sent', b: 'b' })

      const again = await world.open(disk)
      expect(stages(again)).toEqual(['saved', 'saved'])
      await again.withdraw(2)
      expect(titles(again)).toEqual({ a: 'A', b: 'b' })
      again.apply(listAdded('c'))
      const oneShot = async (signal: AbortSignal) => asOneShot(await world.dial(signal))
      for (let i = 0; i < 3; i++) {
        await world.finish(again.syncOnce(channel === 'one-shot' ? oneShot : undefined))
      }
      await world.settle(far, again)
      expect(titles(again)).toEqual({ a: 'sent', b: 'b', c: 'c' })
      expect(titles(far)).toEqual(titles(again))
      expect(again.status).toMatchObject({ pending: 0, rejected: 0, conflicts: 0 })
      expect(Buffer.from(yjsCrdt.updates.compact([again.encode()]))).toEqual(
        Buffer.from(yjsCrdt.updates.compact([far.encode()])),
      )
      const logged = (await world.log()).map(({ id }) => commitName(id))
      expect(new Set(logged).size).toBe(logged.length)
      expect(logged).toEqual([1, 2, 3, 4].map((counter) => `${near.id}:${counter}`))
    },
  )
})

describe('a rejected commit', () => {
  async function rejecting() {
    const clock = new VirtualClock(1)
    const hub = new ScriptedHub(clock)
    const store = new ShakyStore()
    const replica = await openTodo({ store, clock, dial: hub.dial })
    const line = await hub.line(0)
    line.say(welcome('unknown'), caughtUp(null))
    await until('live', () => replica.status.state === 'live')
    replica.apply(listAdded('a', 'bad'))
    await line.next('Push')
    line.say(refused(1, 'ENTRY_UNEXPLAINED'))
    await until('rejected', () => replica.rejected.length === 1)
    await replica.flush()
    return { replica, store }
  }

  test('is edited and resubmitted in one batch: never both, never neither', async () => {
    const { replica, store } = await rejecting()
    const [batches, steps] = [store.batches, store.recorded.length]
    const seen: number[] = []
    replica.subscribe(() => seen.push(replica.rejected.length))
    const receipt = replica.resubmit(1, listAdded('a', 'good'))
    expect([seen, replica.rejected]).toEqual([[0], []])
    await receipt.saved
    expect(store.batches).toBe(batches + 1)
    expect(store.recorded.slice(steps)).toEqual(expect.arrayContaining(['local 2', 'discard']))
    const again = await openTodo({ store: store.crash() })
    expect([titles(again), again.rejected]).toEqual([{ a: 'good' }, []])
  })

  test('stays where its ops are refused, and goes where they change nothing', async () => {
    const { replica, store } = await rejecting()
    expect(() => replica.resubmit(1, itemSet('nowhere', 'x'))).toThrow(SyncError)
    expect(replica.rejected).toHaveLength(1)
    replica.apply(listAdded('a', 'bad'))
    expect(replica.resubmit(1).kind).toBe('unchanged')
    expect(replica.rejected).toEqual([])
    expect(() => replica.resubmit(1)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
    await replica.flush()
    expect((await store.load())?.rejected).toEqual([])
  })

  test('is neither withdrawn nor sent again once it is discarded', async () => {
    const { replica, store } = await rejecting()
    expect(await codeOf(replica.withdraw(1))).toBe('INPUT_INVALID')
    await replica.discard(1)
    expect(await codeOf(replica.discard(1))).toBe('INPUT_INVALID')
    const again = await openTodo({ store: store.crash() })
    expect([again.rejected, again.outbox]).toEqual([[], []])
  })
})
