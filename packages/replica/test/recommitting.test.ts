import { limits, planWrites, SyncError } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { describe, expect, test } from 'vitest'
import {
  ack,
  bytesOf,
  caughtUp,
  codeOf,
  cursor,
  itemSet,
  listAdded,
  listRemoved,
  openTodo,
  Peer,
  refused,
  ScriptedHub,
  ShakyStore,
  tail,
  titled,
  todo,
  turn,
  until,
  welcome,
} from './support.ts'
import { live } from './live.ts'
import { ResetBuffer } from '../src/reset-buffer.ts'

describe('a refused commit', () => {
  test('[10] [11] in the middle of three goes to rejected, and the others are pushed under their ids', async () => {
    const { replica, line, store, peer } = await live()
    const heard: unknown[] = []
    replica.subscribe((changes) =>
      heard.push(changes.map(({ table, key, before, after }) => [table, key, before, after])),
    )
    const receipts = [
      replica.apply(listAdded('a')),
      replica.apply(titled('x', 'bad')),
      replica.apply(listAdded('c')),
    ]
    const push = await line.next('Push')
    expect(push.commits.map(({ counter, prev }) => [counter, prev])).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
    ])
    const clientId = replica.clientId
    const stamps = replica.outbox.map(({ hlc }) => hlc)
    heard.length = 0
    line.say(ack(1), refused(2, 'ENTRY_UNEXPLAINED'), refused(3, 'PUSH_GAP'))
    const again = await line.next('Push')
    expect(again.commits.map(({ counter, prev }) => [counter, prev])).toEqual([[3, 1]])
    expect(again.commits[0]?.hlc).toBe(stamps[2])
    expect(await codeOf(receipts[1]?.acked ?? Promise.resolve())).toBe('ENTRY_UNEXPLAINED')
    expect(replica.rejected).toMatchObject([{ commit: { id: { counter: 2 } }, code: 'ENTRY_UNEXPLAINED' }])
    expect(replica.tables.lists.get('x')).toEqual({ title: 'x' })
    expect(heard).toEqual([[['lists', 'x', 'bad', 'x']]])
    expect(replica.clientId).not.toBe(clientId)
    // What the log now gets is what this replica holds: nothing doubled, nothing missing.
    line.say(
      ack(3),
      tail(
        cursor(3),
        { replica: replica.id, counter: 1, update: null },
        { replica: replica.id, counter: 3, update: null },
      ),
    )
    await until('settled', () => replica.status.pending === 0)
    peer.document.apply([
      push.commits[0]?.update ?? new Uint8Array(0),
      again.commits[0]?.update ?? new Uint8Array(0),
    ])
    expect(bytesOf(replica)).toBe(Buffer.from(peer.document.encode()).toString('hex'))
    await replica.flush()
    const reopened = await openTodo({ store: store.crash() })
    expect(bytesOf(reopened)).toBe(bytesOf(replica))
    expect(reopened.rejected).toHaveLength(1)
  })

  test('commits made while the base is being read are in the rebuilt document', async () => {
    const store = new ShakyStore()
    const { replica, line } = await live(store)
    replica.apply(titled('x', 'bad'))
    await line.next('Push')
    let release = (): void => {}
    store.loading = new Promise((resolve) => (release = resolve))
    line.say(refused(1, 'ENTRY_UNEXPLAINED'))
    await turn()
    expect(replica.rejected).toEqual([])
    const meanwhile = replica.apply(listAdded('m'))
    await meanwhile.saved
    expect(await line.pushes()).toEqual([])
    release()
    const push = await line.next('Push')
    expect(push.commits.map(({ counter, prev }) => [counter, prev])).toEqual([[2, 0]])
    expect(replica.tables.lists.has('m')).toBe(true)
    expect(replica.tables.lists.get('x')).toEqual({ title: 'x' })
    // The pushed bytes carry the whole commit on top of the base alone.
    const base = yjsCrdt.open(2000, (await store.load())?.base ?? [])
    base.apply(push.commits.map(({ update }) => update))
    expect(Buffer.from(base.encode()).toString('hex')).toBe(bytesOf(replica))
  })

  test('[4] nothing leaves before it is saved as it was made anew', async () => {
    const store = new ShakyStore()
    const { replica, line } = await live(store)
    replica.apply(titled('x', 'bad'))
    await line.next('Push')
    let release = (): void => {}
    store.loading = new Promise((resolve) => (release = resolve))
    line.say(refused(1, 'ENTRY_UNEXPLAINED'))
    await turn()
    store.slow = true
    replica.apply(listAdded('m'))
    await turn()
    release()
    await until('rebuilt', () => replica.rejected.length === 1)
    expect(await line.pushes()).toEqual([])
    // The bytes before the rebuild are saved now, the new ones are not.
    store.letRecord()
    expect(await line.pushes()).toEqual([])
    store.letRecord()
    expect((await line.next('Push')).commits).toMatchObject([{ counter: 2 }])
  })

  test('is not lost when the store fails in the middle: the hub is asked again', async () => {
    const store = new ShakyStore()
    const { replica, line, hub, clock } = await live(store)
    replica.apply(titled('x', 'bad'))
    await line.next('Push')
    store.failing = new SyncError('STORE_FULL', 'full')
    replica.apply(listAdded('later'))
    line.say(refused(1, 'ENTRY_UNEXPLAINED'))
    await until('away', () => replica.status.state === 'offline' || hub.lines.length > 1)
    expect(replica.rejected).toEqual([])
    expect(replica.outbox).toHaveLength(2)
    store.failing = null
    await replica.flush()
    await until(
      'another channel',
      () => hub.lines.length === 2,
      () => clock.advance(500),
    )
    const again = await hub.line(1)
    again.say(welcome('live'), caughtUp(cursor(1)))
    expect((await again.next('Push')).commits).toHaveLength(2)
  })

  test('can be submitted again with other ops, or discarded', async () => {
    const { replica, line, store } = await live()
    replica.apply(titled('x', 'bad'))
    replica.apply(titled('x', 'worse'))
    await line.next('Push')
    line.say(refused(1, 'ENTRY_UNEXPLAINED'), refused(2, 'ENTRY_UNEXPLAINED'))
    await until('rejected', () => replica.rejected.length === 2)
    const receipt = replica.resubmit(1, titled('x', 'good'))
    expect(receipt.id?.counter).toBe(3)
    expect((await line.next('Push')).commits).toMatchObject([{ counter: 3, prev: 0 }])
    await replica.discard(2)
    expect(replica.rejected).toEqual([])
    expect(replica.status.rejected).toBe(0)
    expect((await store.load())?.rejected).toEqual([])
    expect(() => replica.resubmit(2)).toThrow(/no rejected commit 2/)
  })

  describe('[11] and is in the log after all, by a late push of a dead connection, is rejected no longer', () => {
    const cases = {
      'where a document brings it': { path: 'snapshot', epoch: 7, isIn: true, left: [] },
      'where a document of another epoch brings it': { path: 'reset', epoch: 8, isIn: true, left: [] },
      'where CaughtUp names its stamp': { path: 'live', epoch: 7, isIn: true, left: [1] },
      'unless the document lacks it': { path: 'snapshot', epoch: 7, isIn: false, left: [1, 2] },
    } as const
    test.each(Object.entries(cases))('%s', async (_, { path, epoch, isIn, left }) => {
      const { replica, line, hub, clock, store, peer } = await live()
      replica.apply(listAdded('a'))
      replica.apply(listAdded('b'))
      const [push] = await line.pushes()
      const stamp = replica.outbox[1]?.hlc
      line.say(refused(1, 'FORBIDDEN'), refused(2, 'FORBIDDEN'))
      await until('rejected', () => replica.rejected.length === 2)
      line.cut()
      await until(
        'another channel',
        () => hub.lines.length === 2,
        () => clock.advance(500),
      )
      const again = await hub.line(1)
      const at = path === 'live' ? cursor(1) : cursor(9, epoch)
      again.say(welcome(path))
      if (path !== 'live') {
        if (isIn) peer.document.apply(push?.commits.map(({ update }) => update) ?? [])
        again.say({ type: 'Snapshot', cursor: at, snapshot: peer.document.encode() })
      }
      again.say(isIn ? caughtUp(at, 2, stamp) : caughtUp(at))
      await until('caught up', () => replica.status.state === 'live')
      expect(replica.rejected.map(({ commit }) => commit.id.counter)).toEqual(left)
      expect(replica.status).toMatchObject({ rejected: left.length, lastError: null })
      await replica.flush()
      expect((await store.load())?.rejected).toHaveLength(left.length)
    })
  })

  test('that was the last leaves no hole before the next, also after it was discarded and the replica opened again', async () => {
    const { replica, line, store, clock } = await live()
    replica.apply(titled('x', 'bad'))
    await line.next('Push')
    line.say(refused(1, 'ENTRY_UNEXPLAINED'))
    await until('rejected', () => replica.rejected.length === 1)
    await replica.discard(1)
    const hub = new ScriptedHub(clock)
    const again = await openTodo({ store: store.crash(), clock, dial: hub.dial })
    again.apply(listAdded('b'))
    const second = await hub.line(0)
    second.say(welcome('live'), caughtUp(cursor(1), 0))
    expect((await second.next('Push')).commits).toMatchObject([{ counter: 2, prev: 0 }])
  })
})

test('a rejected commit leaves no hole before the next over a one-shot channel, where the mark is heard too late', async () => {
  const { replica, line, store, clock } = await live()
  replica.apply(titled('x', 'bad'))
  await line.next('Push')
  line.say(refused(1, 'ENTRY_UNEXPLAINED'))
  await until('rejected', () => replica.rejected.length === 1)
  await replica.flush()
  const hub = new ScriptedHub(clock, { oneShot: true })
  const again = await openTodo({ store: store.crash(), clock, dial: hub.dial, live: false })
  again.apply(listAdded('b'))
  const report = codeOf(again.syncOnce())
  const second = await hub.line(0)
  expect((await second.next('Push')).commits).toMatchObject([{ counter: 2, prev: 0 }])
  second.cut()
  expect(await report).not.toBe('no error')
})

describe('a refusal that may pass', () => {
  test('of a taken client id makes everything anew under another', async () => {
    const { replica, line } = await live()
    const receipts = [replica.apply(listAdded('a')), replica.apply(itemSet('a', 'i'))]
    const push = await line.next('Push')
    line.say(refused(1, 'CLIENT_TAKEN'), refused(2, 'PUSH_GAP'))
    const again = await line.next('Push')
    expect(again.commits.map(({ counter }) => counter)).toEqual([1, 2])
    const clients = [push, again].map(
      ({ commits }) => yjsCrdt.updates.inspect(commits[0]?.update ?? new Uint8Array(0)).inserted?.client,
    )
    expect(clients[0]).not.toBe(clients[1])
    line.say(ack(1), ack(2))
    await Promise.all(receipts.map(({ acked }) => acked))
    expect(replica.rejected).toEqual([])
  })

  test.each(['RATE_LIMITED', 'HLC_AHEAD', 'HUB_INTERNAL'] as const)(
    'with %s is pushed again, not in a tight loop',
    async (code) => {
      const { replica, line, clock } = await live()
      replica.apply(listAdded('a'))
      await line.next('Push')
      line.say(refused(1, code, 5_000))
      expect(await line.pushes()).toEqual([])
      clock.advance(4_900)
      expect(await line.pushes()).toEqual([])
      clock.advance(200)
      const [push] = await line.pushes()
      expect(push?.commits).toMatchObject([{ counter: 1 }])
      for (let i = 0; i < 6; i++) {
        line.say(refused(1, code))
        await turn()
        clock.advance(190)
        expect(await line.pushes()).toEqual([])
        clock.advance(30_000)
        expect(await line.pushes()).toHaveLength(1)
      }
      expect(replica.status.lastError?.code).toBe(code)
      expect(replica.rejected).toEqual([])
    },
  )

  test('with a gap alone makes it greet the hub again and mend the gap', async () => {
    const { replica, line, hub, clock } = await live()
    replica.apply(listAdded('a'))
    await line.next('Push')
    line.say(refused(1, 'PUSH_GAP'))
    await until(
      'another channel',
      () => hub.lines.length === 2,
      () => clock.advance(500),
    )
    const again = await hub.line(1)
    again.say(welcome('live'), caughtUp(cursor(1), 0))
    expect((await again.next('Push')).commits).toMatchObject([{ counter: 1, prev: 0 }])
  })

  test('of bytes that the hub lacks a base for is mended once, then counts', async () => {
    const { replica, line } = await live()
    const receipt = replica.apply(listAdded('a'))
    await line.next('Push')
    line.say(refused(1, 'UPDATE_CLOCK_GAP'))
    await line.next('Push')
    line.say(refused(1, 'UPDATE_CLOCK_GAP'))
    expect(await codeOf(receipt.acked)).toBe('UPDATE_CLOCK_GAP')
    expect(replica.rejected).toHaveLength(1)
  })
})

describe('what a commit replaced', () => {
  test('[10] by a refused commit in the middle is replaced by the next, which had seen it gone, however often it is made anew', async () => {
    const { replica, line, store } = await live()
    replica.apply(listAdded('a'))
    replica.apply(titled('x', 'bad'))
    replica.apply(titled('x', 'good'))
    await line.next('Push')
    line.say(ack(1), refused(2, 'ENTRY_UNEXPLAINED'), refused(3, 'PUSH_GAP'))
    expect((await line.next('Push')).commits).toMatchObject([{ counter: 3, prev: 1 }])
    expect(replica.tables.lists.get('x')).toEqual({ title: 'good' })
    expect(replica.conflicts()).toEqual([])
    line.say(refused(3, 'CLIENT_TAKEN'))
    expect((await line.next('Push')).commits).toMatchObject([{ counter: 3, prev: 1 }])
    expect(replica.tables.lists.get('x')).toEqual({ title: 'good' })
    expect(replica.conflicts()).toEqual([])
    await replica.flush()
    expect((await openTodo({ store: store.crash() })).conflicts()).toEqual([])
  })

  test('[10] is not what others wrote meanwhile: a commit made anew for a taken client id leaves an older concurrent one as a conflict', async () => {
    const { replica, line, clock, peer } = await live()
    const other = new Peer(clock, 'Q', 7000, [peer.document.encode()])
    const theirs = other.commit(titled('x', 'theirs'))
    clock.advance(1000)
    replica.apply(titled('x', 'mine'))
    await line.next('Push')
    line.say(tail(cursor(2), theirs))
    await until('theirs', () => replica.status.cursor?.seq === 2)
    const conflicts = replica.conflicts()
    expect(conflicts).toMatchObject([{ kind: 'concurrent', table: 'lists', key: ['x'], field: 'title' }])
    line.say(refused(1, 'CLIENT_TAKEN'))
    const push = await line.next('Push')
    expect(replica.conflicts()).toEqual(conflicts)
    expect(replica.conflicts()[0]?.choices.map(({ value }) => value)).toEqual(['mine', 'theirs'])
    // And so it is for those who receive it.
    other.document.apply(push.commits.map(({ update }) => update))
    const values = other.document.read('lists', ['x', 'title']).map(({ value }) => value)
    expect(values).toHaveLength(2)
    expect(new Set(values)).toEqual(new Set(['mine', 'theirs']))
  })
})

describe('a stamp far ahead', () => {
  test('[11] of a clock that was wrong and is right now goes to rejected instead of blocking the outbox', async () => {
    const store = new MapReplicaStore()
    const wrong = new VirtualClock(1, Date.UTC(2036, 0, 1))
    const before = await openTodo({ store, clock: wrong })
    await before.apply(listAdded('a')).saved
    const clock = new VirtualClock(2)
    const hub = new ScriptedHub(clock)
    const killed = store.crash()
    const replica = await openTodo({ store: killed, clock, dial: hub.dial })
    const line = await hub.line(0)
    line.say(welcome('unknown'), caughtUp(null))
    await line.next('Push')
    // Of other refusals the stamp says nothing.
    line.say(refused(1, 'RATE_LIMITED', 5_000))
    await turn()
    expect(replica.rejected).toEqual([])
    clock.advance(6_000)
    await line.next('Push')
    line.say(refused(1, 'HLC_AHEAD', 5_000))
    await until('rejected', () => replica.rejected.length === 1)
    expect(replica.rejected).toMatchObject([{ commit: { id: { counter: 1 } }, code: 'HLC_AHEAD' }])
    expect(replica.status).toMatchObject({ state: 'live', pending: 0, rejected: 1 })
    expect(replica.tables.lists.has('a')).toBe(false)
    await replica.flush()
    expect(await killed.load()).toMatchObject({ outbox: [], rejected: [{ code: 'HLC_AHEAD' }] })
    // The stamps of this replica stay ahead, so what follows is refused too, and seen to be.
    replica.apply(listAdded('b'))
    expect((await line.next('Push')).commits).toMatchObject([{ counter: 2, prev: 0 }])
    line.say(refused(2, 'HLC_AHEAD', 5_000))
    await until('rejected too', () => replica.rejected.length === 2)
  })

  test('is sent again while our own clock agrees with it', async () => {
    const store = new MapReplicaStore()
    const clock = new VirtualClock(1)
    const before = await openTodo({ store, clock: new VirtualClock(1, clock.now() + limits.hlcAheadMsMax) })
    await before.apply(listAdded('a')).saved
    const hub = new ScriptedHub(clock)
    const replica = await openTodo({ store: store.crash(), clock, dial: hub.dial })
    const line = await hub.line(0)
    line.say(welcome('unknown'), caughtUp(null))
    await line.next('Push')
    line.say(refused(1, 'HLC_AHEAD', 5_000))
    await turn()
    clock.advance(6_000)
    expect((await line.next('Push')).commits).toMatchObject([{ counter: 1 }])
    expect(replica.rejected).toEqual([])
  })
})

describe('a reset', () => {
  test('[7] [9] [10] settles first, recommits the rest onto the new epoch, and is one change for the app', async () => {
    const { replica, line, store, hub, clock } = await live()
    const settled = replica.apply(listAdded('a', 'settled'))
    replica.apply(titled('x', 'mine'))
    replica.apply(itemSet('x', 'i', 'kept'))
    const push = await line.next('Push')
    const stamps = replica.outbox.map(({ hlc }) => hlc)
    const clientId = replica.clientId
    line.cut()
    await until(
      'another channel',
      () => hub.lines.length === 2,
      () => clock.advance(500),
    )
    const again = await hub.line(1)
    // The new epoch: x was renamed since, a is in it.
    const rebuilt = new Peer(new VirtualClock(9, clock.now() + 60_000), 'R', 6000)
    rebuilt.commit(listAdded('x', 'theirs'))
    rebuilt.commit(listAdded('a', 'settled'))
    const heard: unknown[][] = []
    replica.subscribe((changes) =>
      heard.push(changes.map(({ table, key, field, before, after }) => [table, key, field, before, after])),
    )
    again.say(welcome('reset'), {
      type: 'Snapshot',
      cursor: cursor(20, 8),
      snapshot: rebuilt.document.encode(),
    })
    await turn()
    // Nothing is shown of a reset that is not whole.
    expect(heard).toEqual([])
    const during = replica.apply(listAdded('d', 'during'))
    const later = rebuilt.commit(listAdded('l', 'later'))
    again.say(tail(cursor(21, 8), later), caughtUp(cursor(21, 8), 1, stamps[0]))
    const anew = await again.next('Push')
    await settled.acked
    expect(anew.epoch).toBe(8)
    expect(anew.commits.map(({ counter, prev }) => [counter, prev])).toEqual([
      [2, 1],
      [3, 2],
      [4, 3],
    ])
    expect(anew.commits.slice(0, 2).map(({ hlc }) => hlc)).toEqual(stamps.slice(1))
    expect(anew.commits[0]?.update).not.toEqual(push.commits[1]?.update)
    expect(during.id?.counter).toBe(4)
    // Theirs is newer than ours, so ours does not delete it: both stand, theirs is read.
    expect(replica.tables.lists.get('x')).toEqual({ title: 'theirs' })
    expect(replica.conflicts()).toMatchObject([{ table: 'lists', key: ['x'], field: 'title' }])
    expect(replica.tables.items.get(['x', 'i'])).toBe('kept')
    expect(heard).toHaveLength(2)
    expect(heard[0]).toEqual([
      ['lists', 'd', null, undefined, true],
      ['lists', 'd', 'title', undefined, 'during'],
    ])
    expect(new Set(heard[1])).toEqual(
      new Set([
        ['lists', 'l', null, undefined, true],
        ['lists', 'l', 'title', undefined, 'later'],
        ['lists', 'x', 'title', 'mine', 'theirs'],
      ]),
    )
    expect(replica.clientId).not.toBe(clientId)
    await replica.flush()
    const stored = await store.load()
    expect(stored).toMatchObject({ cursor: cursor(21, 8), identity: { clientId: replica.clientId } })
    const reopened = await openTodo({ store: store.crash() })
    expect(bytesOf(reopened)).toBe(bytesOf(replica))
    rebuilt.document.apply(anew.commits.map(({ update }) => update))
    expect(bytesOf(replica)).toBe(Buffer.from(rebuilt.document.encode()).toString('hex'))
  })

  test('[7] follows on the same channel when a push was made in an epoch that is gone', async () => {
    const { replica, line } = await live()
    replica.apply(listAdded('a'))
    await line.next('Push')
    const other = new Peer(new VirtualClock(4), 'R', 6000)
    other.commit(listAdded('x'))
    line.say(refused(1, 'EPOCH_CHANGED'))
    expect(await line.pushes()).toEqual([])
    line.say(
      welcome('reset'),
      { type: 'Snapshot', cursor: cursor(5, 8), snapshot: other.document.encode() },
      caughtUp(cursor(5, 8)),
    )
    expect(await line.next('Push')).toMatchObject({ epoch: 8, commits: [{ counter: 1 }] })
  })

  test('what the hub still says of old bytes after a reset is not taken for the new ones', async () => {
    const { replica, line } = await live()
    replica.apply(listAdded('a'))
    await line.next('Push')
    const other = new Peer(new VirtualClock(4), 'R', 6000)
    other.commit(listAdded('x'))
    line.say(
      welcome('reset'),
      { type: 'Snapshot', cursor: cursor(5, 8), snapshot: other.document.encode() },
      caughtUp(cursor(5, 8)),
    )
    expect(await line.pushes()).toEqual([])
    line.say(refused(1, 'EPOCH_CHANGED'))
    expect(await line.next('Push')).toMatchObject({ epoch: 8, commits: [{ counter: 1 }] })
  })

  test('in the middle of the answers to a push takes none of them for the new bytes', async () => {
    const { replica, line } = await live()
    replica.apply(listAdded('a'))
    replica.apply(listAdded('b'))
    await line.next('Push')
    const other = new Peer(new VirtualClock(4), 'R', 6000)
    other.commit(listAdded('x'))
    line.say(
      refused(1, 'EPOCH_CHANGED'),
      welcome('reset'),
      { type: 'Snapshot', cursor: cursor(5, 8), snapshot: other.document.encode() },
      caughtUp(cursor(5, 8)),
    )
    expect(await line.pushes()).toEqual([])
    line.say(refused(2, 'EPOCH_CHANGED'))
    expect((await line.next('Push')).commits.map(({ counter }) => counter)).toEqual([1, 2])
  })

  test('[10] keeps a pending row whose parent is gone, as an orphan', async () => {
    const { replica, line } = await live()
    replica.apply(itemSet('x', 'i', 'kept'))
    await line.next('Push')
    const other = new Peer(new VirtualClock(4), 'R', 6000)
    other.commit(listAdded('y'))
    line.say(
      refused(1, 'EPOCH_CHANGED'),
      welcome('reset'),
      { type: 'Snapshot', cursor: cursor(5, 8), snapshot: other.document.encode() },
      caughtUp(cursor(5, 8)),
    )
    expect(await line.next('Push')).toMatchObject({ epoch: 8, commits: [{ counter: 1 }] })
    expect(replica.conflicts()).toMatchObject([{ kind: 'orphan', table: 'items', key: ['x', 'i'] }])
    expect(replica.rejected).toEqual([])
  })

  test('[1] a push without a base that the hub took after all stands as it was taken', async () => {
    const clock = new VirtualClock(1)
    const hub = new ScriptedHub(clock)
    const replica = await openTodo({ clock, dial: hub.dial })
    const line = await hub.line(0)
    line.say(welcome('unknown'), caughtUp(null))
    replica.apply(listAdded('a'))
    const push = await line.next('Push')
    const other = new Peer(new VirtualClock(4), 'R', 6000)
    other.commit(listAdded('x'))
    line.say(
      welcome('reset'),
      { type: 'Snapshot', cursor: cursor(5, 8), snapshot: other.document.encode() },
      caughtUp(cursor(5, 8)),
      ack(1),
      tail(cursor(6, 8), { replica: replica.id, counter: 1, update: null }),
    )
    await until('settled', () => replica.status.cursor?.seq === 6)
    other.document.apply(push.commits.map(({ update }) => update))
    await until('rebuilt', () => bytesOf(replica) === Buffer.from(other.document.encode()).toString('hex'))
    expect(replica.status.pending).toBe(0)
    expect(await line.pushes()).toEqual([])
  })

  test('[22] keeps the effect of a commit whose writer would refuse it on the new base', async () => {
    const { replica, line, store } = await live()
    replica.apply({ type: 'BlueOnly', id: 'x' })
    await line.next('Push')
    const other = new Peer(new VirtualClock(4), 'R', 6000)
    other.commit(listAdded('x', 'red'))
    line.say(
      refused(1, 'EPOCH_CHANGED'),
      welcome('reset'),
      { type: 'Snapshot', cursor: cursor(5, 8), snapshot: other.document.encode() },
      caughtUp(cursor(5, 8)),
    )
    await until('reset', () => replica.status.cursor?.seq === 5)
    await replica.flush()
    expect(await store.load()).toMatchObject({
      outbox: [{ id: { counter: 1 } }],
      rejected: [],
      cursor: cursor(5, 8),
    })
    expect(replica.tables.lists.get('x')).toEqual({ title: 'red', color: 'blue' })
  })

  test('[7] is needed for what stands in another epoch: nothing of it is taken otherwise', async () => {
    const { replica, line } = await live()
    line.say(welcome('tail'), tail(cursor(9, 8)))
    await until('closed', () => replica.status.lastError !== null)
    expect(replica.status.lastError?.code).toBe('MESSAGE_UNEXPECTED')
    expect(replica.status.cursor).toEqual(cursor(1))
  })

  test('[14] larger than one message may be is not taken', () => {
    const buffer = new ResetBuffer()
    const half = new Uint8Array(limits.messageDownBytesMax / 2)
    buffer.take({ type: 'Snapshot', cursor: cursor(1), snapshot: half })
    const replica = 'A'.repeat(22)
    const commits = [{ replica, counter: 1, update: half }]
    buffer.take({ type: 'Tail', cursor: cursor(2), commits })
    const more = [{ replica, counter: 2, update: Uint8Array.of(1) }]
    expect(() => buffer.take({ type: 'Tail', cursor: cursor(3), commits: more })).toThrow(/is not taken/)
  })
})

describe('opening a store', () => {
  test('[4] whose outbox does not build on its base recommits it', async () => {
    const { replica, store, peer } = await live()
    await replica.apply(listAdded('a', 'first')).saved
    await replica.apply(listAdded('b', 'second')).saved
    // The log holds the first commit with other bytes; the replica was killed before it could make the second anew.
    const older = new Peer(new VirtualClock(1), 'R', 8000, [peer.document.encode()]).commit(
      listAdded('a', 'first'),
    )
    await store.record([
      { kind: 'remote', updates: [older.update], settled: [1], cursor: cursor(2), hlc: null },
    ])
    const killed = store.crash()
    const again = await openTodo({ store: killed })
    expect(again.tables.lists.get('a')).toEqual({ title: 'first' })
    expect(again.tables.lists.get('b')).toEqual({ title: 'second' })
    expect(again.outbox).toMatchObject([{ id: { counter: 2 }, prev: 1 }])
    expect(again.conflicts()).toEqual([])
    const third = await openTodo({ store: killed.crash() })
    expect(bytesOf(third)).toBe(bytesOf(again))
    expect(third.clientId).not.toBe(replica.clientId)
  })

  test('[13] whose base does not make a document is refused', async () => {
    const { store, replica } = await live()
    const stranger = new Peer(new VirtualClock(1), 'S', 9000)
    stranger.commit(listAdded('a'))
    const update = stranger.commit(listAdded('b')).update
    await store.record([{ kind: 'remote', updates: [update], settled: [], cursor: cursor(3), hlc: null }])
    expect(await codeOf(openTodo({ store: store.crash() }))).toBe('STORE_CORRUPT')
    await replica.close().catch(() => {})
  })
})

describe('conflicts', () => {
  /** Two titles written concurrently. */
  async function conflicted() {
    const { replica, line, clock, peer } = await live()
    const other = new Peer(clock, 'Q', 7000, [peer.document.encode()])
    replica.apply(titled('x', 'mine'))
    clock.advance(1000)
    line.say(tail(cursor(2), other.commit(titled('x', 'theirs'))))
    await until('both', () => replica.status.cursor?.seq === 2)
    return { replica }
  }

  test('concurrent values are listed and settled by a choice', async () => {
    const { replica } = await conflicted()
    const [conflict] = replica.conflicts()
    expect(conflict).toMatchObject({ kind: 'concurrent', table: 'lists', key: ['x'], field: 'title' })
    expect(conflict?.choices.map(({ value }) => value)).toEqual(['theirs', 'mine'])
    expect(replica.status.conflicts).toBe(1)
    if (conflict === undefined) throw new Error('no conflict')
    const receipt = replica.resolve(conflict, { kind: 'choose', value: 'mine' })
    expect(receipt.kind).toBe('commit')
    expect(replica.tables.lists.get('x')).toEqual({ title: 'mine' })
    expect(replica.conflicts()).toEqual([])
    expect(() => replica.resolve(conflict, { kind: 'drop' })).toThrow(/choose one of its values/)
  })

  async function orphaned() {
    const clock = new VirtualClock(1)
    const hub = new ScriptedHub(clock)
    const replica = await openTodo({ clock, dial: hub.dial })
    const line = await hub.line(0)
    const peer = new Peer(clock)
    line.say(welcome('tail'), tail(cursor(1), peer.commit(listAdded('l', 'list'))), caughtUp(cursor(1)))
    await until('live', () => replica.status.cursor?.seq === 1)
    replica.apply(itemSet('l', 'i', 'kept'))
    const heard: unknown[] = []
    replica.subscribe((changes) =>
      heard.push(changes.map(({ table, before, after }) => [table, before, after])),
    )
    line.say(tail(cursor(2), peer.commit(listRemoved('l'))))
    await until('removed', () => replica.status.cursor?.seq === 2)
    const [orphan] = replica.conflicts()
    if (orphan?.kind !== 'orphan') throw new Error('no orphan')
    return { replica, heard, orphan }
  }

  test('an orphan is hidden, which listeners hear, and comes back with its parent', async () => {
    const { replica, heard, orphan } = await orphaned()
    expect(heard).toEqual([
      [
        ['lists', true, undefined],
        ['lists', 'list', undefined],
        ['items', 'kept', undefined],
      ],
    ])
    expect(replica.tables.items.get(['l', 'i'])).toBe(undefined)
    expect(orphan).toMatchObject({ table: 'items', key: ['l', 'i'], parent: { table: 'lists', key: ['l'] } })
    replica.resolve(orphan, { kind: 'restore' })
    expect(replica.tables.items.get(['l', 'i'])).toBe('kept')
    expect(replica.conflicts()).toEqual([])
    expect(heard.at(-1)).toEqual([
      ['lists', undefined, true],
      ['items', undefined, 'kept'],
    ])
    expect(() => replica.resolve(orphan, { kind: 'restore' })).toThrow(/is there again/)
  })

  test('an orphan can be dropped', async () => {
    const { replica, orphan } = await orphaned()
    replica.resolve(orphan, { kind: 'drop' })
    expect(replica.conflicts()).toEqual([])
    expect([...replica.registers.scan('items', [])]).toEqual([])
    expect(
      planWrites(todo, [listAdded('l')], replica.registers, replica.outbox[0]?.hlc as never, 'required'),
    ).toHaveLength(2)
  })
})
