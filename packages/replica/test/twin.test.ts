// Two folders with one replica id: whoever comes second is stopped before anything of its own is taken for what is there.
import { planWrites, type Commit, type Dial, type TailCommit } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub } from '@rejoin/hub'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial } from '@rejoin/transport'
import { describe, expect, test } from 'vitest'
import {
  ack,
  asOneShot,
  bytesOf,
  caughtUp,
  codeOf,
  cursor,
  listAdded,
  listRemoved,
  openTodo,
  Peer,
  refused,
  ScriptedHub,
  tail,
  titled,
  todo,
  turn,
  until,
  welcome,
  type Options,
  type TodoOp,
} from './support.ts'

const ways = [
  ['a lasting channel', false],
  ['a one-shot channel', true],
] as const

/** A folder whose first commit the hub has, copied: both copies are opened without a hub. */
async function copied(oneShot = false) {
  const clock = new VirtualClock(1)
  const hub = new ScriptedHub(clock, { oneShot: false })
  const store = new MapReplicaStore()
  const original = await openTodo({ store, clock, dial: hub.dial })
  const line = await hub.line(0)
  line.say(welcome('unknown'), caughtUp(null))
  await until('live', () => original.status.state === 'live')
  original.apply(listAdded('x'))
  const first = (await line.next('Push')).commits[0]?.update ?? new Uint8Array(0)
  line.say(ack(1), tail(cursor(1), { replica: original.id, counter: 1, update: null }))
  await until('settled', () => original.status.cursor?.seq === 1)
  await original.close()
  const stores = [store.crash(), store.crash()] as const
  const second = new ScriptedHub(clock, { oneShot })
  const options: Options = { clock, dial: second.dial, live: false }
  const [ours, theirs] = [
    await openTodo({ ...options, store: stores[0] }),
    await openTodo({ ...options, store: stores[1] }),
  ]
  return { clock, hub: second, options, store: stores[0], ours, theirs, first }
}
type Copied = Awaited<ReturnType<typeof copied>>

/** The copy makes these commits, each later than what was made before. */
async function madeByTheCopy({ clock, theirs }: Copied, ...ops: TodoOp[]): Promise<readonly Commit[]> {
  clock.advance(1000)
  for (const op of ops) await theirs.apply(op).saved
  return theirs.outbox
}

const inTheLog = ({ id, update }: Commit): TailCommit => ({ ...id, update })

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true
  const settled = (): void => void (pending = false)
  promise.then(settled, settled)
  await turn()
  return pending
}

async function expectStopped({ ours, store }: Copied, kept: number): Promise<void> {
  await until('refused', () => ours.status.state === 'refused')
  expect(ours.status).toMatchObject({ lastError: { code: 'REPLICA_TAKEN' }, pending: kept, rejected: 0 })
  expect(ours.status.lastError?.message).toContain(
    `nothing of it is lost, ${kept} commits are kept here: export or apply them in a new data folder`,
  )
  await ours.flush()
  expect(ours.outbox).toMatchObject((await store.load())?.outbox ?? [])
  expect(ours.outbox).toHaveLength(kept)
}

describe.each(ways)('over %s', (_, oneShot) => {
  test('[4] of two copies that were both edited the second is stopped, settles nothing, and stops again when it is restarted', async () => {
    const world = await copied(oneShot)
    const { ours, hub, options, store } = world
    const receipt = ours.apply(listAdded('ours'))
    await receipt.saved
    const [logged] = await madeByTheCopy(world, listAdded('theirs'))
    if (logged === undefined) throw new Error('the copy made nothing')
    const before = bytesOf(ours)
    const report = codeOf(ours.syncOnce())
    const answer = [
      welcome('tail'),
      tail(cursor(2), inTheLog(logged)),
      caughtUp(cursor(2), 2, logged.hlc),
      ...(oneShot ? [ack(2, true)] : []),
    ]
    const line = await hub.line(0)
    line.say(...answer)
    expect(await report).toBe('REPLICA_TAKEN')
    await expectStopped(world, 1)
    expect(await isPending(receipt.acked)).toBe(true)
    expect(bytesOf(ours)).toBe(before)
    expect((await line.pushes()).length).toBe(oneShot ? 1 : 0)

    // And the same after a restart, without a push, also when a hub could not be reached in between.
    const again = await openTodo({ ...options, store: store.crash() })
    hub.reachable = false
    expect(await codeOf(again.syncOnce())).toBe('HUB_UNREACHABLE')
    hub.reachable = true
    const second = codeOf(again.syncOnce())
    const next = await hub.line(1)
    next.say(...answer.slice(0, 3))
    expect(await second).toBe('REPLICA_TAKEN')
    expect(await next.pushes()).toEqual([])
    expect(again.status).toMatchObject({ state: 'refused', pending: 1 })
    expect(again.tables.lists.has('ours')).toBe(true)
  })

  test('[4] a mark that is another commit than ours stops it, where the commit itself is not in what was sent', async () => {
    const world = await copied(oneShot)
    const { ours, hub } = world
    const receipts = [ours.apply(listAdded('ours')), ours.apply(listAdded('too'))]
    const logged = await madeByTheCopy(world, listAdded('theirs'))
    const report = codeOf(ours.syncOnce())
    const line = await hub.line(0)
    line.say(welcome('live'), caughtUp(cursor(1), 2, logged[0]?.hlc))
    if (oneShot) line.say(ack(2, true), ack(3))
    expect(await report).toBe('REPLICA_TAKEN')
    await expectStopped(world, 2)
    for (const { acked } of receipts) expect(await isPending(acked)).toBe(true)
  })

  test.each([
    ['without edits', 0],
    ['with fewer edits', 1],
  ])(
    '[4] a folder restored from an older copy, %s, is stopped by the mark above its own',
    async (_name, edits) => {
      const world = await copied(oneShot)
      const { ours, hub } = world
      for (let i = 0; i < edits; i++) ours.apply(listAdded(`ours ${i}`))
      const logged = await madeByTheCopy(world, listAdded('b'), listAdded('c'))
      const report = codeOf(ours.syncOnce())
      // Its cursor is the hub's head: nothing but the mark tells.
      const line = await hub.line(0)
      line.say(welcome('live'), caughtUp(cursor(1), 3, logged[1]?.hlc))
      expect(await report).toBe('REPLICA_TAKEN')
      await expectStopped(world, edits)
    },
  )

  test.each(['snapshot', 'reset'] as const)(
    '[4] nothing of a %s that holds the copy’s commits is taken',
    async (path) => {
      const world = await copied(oneShot)
      const { ours, hub, clock, first, store } = world
      const receipt = ours.apply(listAdded('ours'))
      const logged = await madeByTheCopy(world, listAdded('theirs'))
      const other = new Peer(clock, 'Q', 7000, [first, ...logged.map(({ update }) => update)])
      const [before, base] = [bytesOf(ours), (await store.load())?.base]
      const report = codeOf(ours.syncOnce())
      const epoch = path === 'reset' ? 8 : 7
      const line = await hub.line(0)
      line.say(
        welcome(path),
        { type: 'Snapshot', cursor: cursor(9, epoch), snapshot: other.document.encode() },
        tail(cursor(10, epoch), other.commit(listAdded('q'))),
        caughtUp(cursor(10, epoch), 2, logged[0]?.hlc),
      )
      expect(await report).toBe('REPLICA_TAKEN')
      await expectStopped(world, 1)
      expect(await isPending(receipt.acked)).toBe(true)
      expect(bytesOf(ours)).toBe(before)
      expect(ours.status.cursor).toEqual(cursor(1))
      expect((await store.load())?.base).toEqual(base)
    },
  )

  test('[4] a commit of the copy that only deletes does not settle ours before the mark has told', async () => {
    const world = await copied(oneShot)
    const { ours, hub } = world
    const receipt = ours.apply(listAdded('ours'))
    const [logged] = await madeByTheCopy(world, listRemoved('x'))
    if (logged === undefined) throw new Error('the copy made nothing')
    const report = codeOf(ours.syncOnce())
    const line = await hub.line(0)
    line.say(welcome('tail'), tail(cursor(2), inTheLog(logged)), caughtUp(cursor(2), 2, logged.hlc))
    expect(await report).toBe('REPLICA_TAKEN')
    await expectStopped(world, 1)
    expect(await isPending(receipt.acked)).toBe(true)
  })

  test('[4] what the hub says is taken already settles nothing before the log has brought it', async () => {
    const world = await copied(oneShot)
    const { ours, hub } = world
    const receipt = ours.apply(listAdded('ours'))
    const [logged] = await madeByTheCopy(world, listAdded('theirs'))
    if (logged === undefined) throw new Error('the copy made nothing')
    const report = codeOf(ours.syncOnce())
    const line = await hub.line(0)
    // The copy pushes in between.
    line.say(welcome('live'), caughtUp(cursor(1), 1, (await world.store.load())?.hlc))
    await line.next('Push')
    line.say(ack(2, true))
    expect(await isPending(receipt.acked)).toBe(true)
    line.say(tail(cursor(2), inTheLog(logged)))
    expect(await report).toBe('REPLICA_TAKEN')
    await expectStopped(world, 1)
    expect(await isPending(receipt.acked)).toBe(true)
  })
})

describe('while live', () => {
  async function live() {
    const world = await copied()
    const { ours, hub } = world
    ours.connect()
    const line = await hub.line(0)
    line.say(welcome('live'), caughtUp(cursor(1), 1, (await world.store.load())?.hlc))
    await until('live', () => ours.status.state === 'live')
    return { ...world, line }
  }

  test('[4] a commit of ours that we never made stops it, and it asks again only when it is told to', async () => {
    const world = await live()
    const { ours, line, hub, clock } = world
    const [logged] = await madeByTheCopy(world, listAdded('theirs'))
    if (logged === undefined) throw new Error('the copy made nothing')
    line.say(tail(cursor(2), inTheLog(logged)))
    await expectStopped(world, 0)
    expect(ours.tables.lists.has('theirs')).toBe(false)
    clock.advance(300_000)
    await turn()
    expect(hub.lines).toHaveLength(1)
    ours.connect()
    await hub.line(1)
  })

  test('[4] another commit under the counter of a rejected one stops it', async () => {
    const world = await live()
    const { ours, line } = world
    ours.apply(titled('x', 'bad'))
    await line.next('Push')
    line.say(refused(2, 'ENTRY_UNEXPLAINED'))
    await until('rejected', () => ours.rejected.length === 1)
    const [logged] = await madeByTheCopy(world, listAdded('theirs'))
    if (logged === undefined) throw new Error('the copy made nothing')
    line.say(tail(cursor(2), inTheLog(logged)))
    await until('refused', () => ours.status.state === 'refused')
    expect(ours.status).toMatchObject({ lastError: { code: 'REPLICA_TAKEN' }, rejected: 1 })
  })

  test('[4] where only the mark can tell, it greets the hub again and hears it', async () => {
    const world = await live()
    const { ours, line, hub, clock } = world
    const receipt = ours.apply(listAdded('ours'))
    await line.next('Push')
    const [logged] = await madeByTheCopy(world, listRemoved('x'))
    if (logged === undefined) throw new Error('the copy made nothing')
    line.say(tail(cursor(2), inTheLog(logged)))
    await until(
      'another channel',
      () => hub.lines.length === 2,
      () => clock.advance(500),
    )
    expect(ours.status.lastError?.code).toBe('MESSAGE_UNEXPECTED')
    const again = await hub.line(1)
    again.say(welcome('tail'), tail(cursor(2), inTheLog(logged)), caughtUp(cursor(2), 2, logged.hlc))
    await expectStopped(world, 1)
    expect(await isPending(receipt.acked)).toBe(true)
  })

  test('a late push of our own that is found there is settled when the log brings it', async () => {
    const { ours, line } = await live()
    const receipt = ours.apply(listAdded('ours'))
    await line.next('Push')
    const [commit] = ours.outbox
    if (commit === undefined) throw new Error('nothing was made')
    line.say(ack(2, true))
    expect(await isPending(receipt.acked)).toBe(true)
    line.say(tail(cursor(2), inTheLog(commit)))
    await receipt.acked
    await until('recorded', () => ours.status.cursor?.seq === 2)
    expect(ours.status).toMatchObject({ state: 'live', pending: 0 })
  })
})

test('[4] nothing is made anew before the mark has told, also where our own commit came with other bytes', async () => {
  const world = await copied()
  const { ours, hub, first } = world
  ours.apply(listAdded('a'))
  const receipt = ours.apply(listAdded('b'))
  const [commit] = ours.outbox
  const theirs = await madeByTheCopy(world, listAdded('c'), listAdded('d'))
  if (commit === undefined) throw new Error('nothing was made')
  const anew = yjsCrdt.open(8000, [first])
  const update = anew.write(planWrites(todo, commit.ops, anew, commit.hlc, 'optional'), commit.hlc)
  const { clientId } = ours
  const report = codeOf(ours.syncOnce())
  const line = await hub.line(0)
  line.say(welcome('tail'), tail(cursor(2), { ...commit.id, update }))
  await until('settled', () => ours.status.pending === 1)
  await turn()
  expect(ours.clientId).toBe(clientId)
  line.say(caughtUp(cursor(2), 3, theirs[1]?.hlc))
  expect(await report).toBe('REPLICA_TAKEN')
  await expectStopped(world, 1)
  expect(ours.clientId).toBe(clientId)
  expect(await isPending(receipt.acked)).toBe(true)
})

test('a commit of ours that only deletes and was made anew is settled by the mark with its own stamp', async () => {
  const world = await copied()
  const { ours, hub } = world
  const receipt = ours.apply(listAdded('ours'))
  const [other] = await madeByTheCopy(world, listRemoved('x'))
  const [commit] = ours.outbox
  if (commit === undefined || other === undefined) throw new Error('nothing was made')
  const report = codeOf(ours.syncOnce())
  const line = await hub.line(0)
  line.say(
    welcome('tail'),
    tail(cursor(2), { ...commit.id, update: other.update }),
    caughtUp(cursor(2), 2, commit.hlc),
  )
  await receipt.acked
  expect(await report).toBe('no error')
  // The log's bytes stand, ours are gone.
  expect([...ours.tables.lists.entries()]).toEqual([])
})

describe.each(ways)('with a real hub, over %s', (_, oneShot) => {
  test('[4] of two edited copies the first goes on, the second is stopped and keeps everything, again and again', async () => {
    const clock = new VirtualClock(1)
    const hub = openHub({ store: new MapHubStore(), updates: yjsCrdt.updates, domains: [todo], clock })
    const wire = memoryDial({ clock, accept: (channel) => void hub.accept(channel, anyone) })
    const dial: Dial = async (signal) => {
      const channel = await wire.dial(signal)
      return oneShot ? asOneShot(channel) : channel
    }
    const options: Options = { clock, dial, live: false }
    const store = new MapReplicaStore()
    const original = await openTodo({ ...options, store })
    original.apply(listAdded('x'))
    await original.syncOnce()
    await original.close()
    const stores = [store.crash(), store.crash()] as const
    const first = await openTodo({ ...options, store: stores[0] })
    const second = await openTodo({ ...options, store: stores[1] })
    await first.apply(listAdded('first')).saved
    clock.advance(1000)
    const receipt = second.apply(listAdded('second'))
    await receipt.saved
    expect(await first.syncOnce()).toMatchObject({ pushed: 1 })
    expect(await codeOf(second.syncOnce())).toBe('REPLICA_TAKEN')
    expect(second.status).toMatchObject({ state: 'refused', pending: 1 })
    expect(await isPending(receipt.acked)).toBe(true)
    const again = await openTodo({ ...options, store: stores[1].crash() })
    expect(await codeOf(again.syncOnce())).toBe('REPLICA_TAKEN')
    expect(again.outbox).toHaveLength(1)
    expect(again.tables.lists.has('second')).toBe(true)
    first.apply(listAdded('more'))
    expect(await first.syncOnce()).toMatchObject({ pushed: 1 })
    await hub.close()
  })
})
