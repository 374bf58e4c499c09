import { limits, SyncError } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { VirtualClock } from '@rejoin/testkit'
import { describe, expect, test } from 'vitest'
import {
  ack,
  caughtUp,
  cursor,
  bytesOf,
  codeOf,
  itemSet,
  listAdded,
  openTodo,
  Peer,
  refused,
  ScriptedHub,
  ShakyStore,
  tail,
  titled,
  turn,
  until,
  welcome,
} from './support.ts'
import { greeting } from './live.ts'
import { CatchUp } from '../src/catch-up.ts'
import { broughtNothing } from '../src/brought.ts'
import { PendingWrites } from '../src/pending-writes.ts'
import type { SessionParts } from '../src/session-parts.ts'

describe('a live replica', () => {
  test('greets, catches up, pushes what is saved, and settles by the tail', async () => {
    const { replica, line } = await greeting()
    expect(line.heard[0]).toMatchObject({ type: 'Hello', namespace: 'home', cursor: null, ackedCounter: 0 })
    const receipt = replica.apply(listAdded('a'))
    await turn()
    expect(await line.pushes()).toEqual([])
    line.say(welcome('unknown'), caughtUp(null))
    const push = await line.next('Push')
    expect(push).toMatchObject({ epoch: null, commits: [{ counter: 1, prev: 0 }] })
    expect(replica.status).toMatchObject({ state: 'live', pending: 1 })
    line.say(ack(1))
    await receipt.acked
    expect(replica.status).toMatchObject({ pending: 1, cursor: null })
    line.say(tail(cursor(1), { replica: replica.id, counter: 1, update: null }))
    await until('settled', () => replica.status.cursor?.seq === 1)
    expect(replica.status).toMatchObject({ pending: 0, cursor: cursor(1), lastError: null })
    replica.apply(listAdded('b'))
    expect(await line.next('Push')).toMatchObject({ epoch: 7, commits: [{ counter: 2, prev: 1 }] })
  })

  test('[8] keeps the bytes of its own commits in the base when they come back', async () => {
    const { replica, line, store } = await greeting()
    line.say(welcome('unknown'), caughtUp(null))
    replica.apply(listAdded('a', 'mine'))
    await line.next('Push')
    line.say(ack(1), tail(cursor(1), { replica: replica.id, counter: 1, update: null }))
    await until('settled', () => replica.status.cursor?.seq === 1)
    const stored = await store.load()
    expect(stored).toMatchObject({ outbox: [], cursor: cursor(1) })
    const base = yjsCrdt.open(2000, stored?.base ?? [])
    expect(Buffer.from(base.encode()).toString('hex')).toBe(bytesOf(replica))
  })

  test('reconnects when the tail names an own commit that it does not know', async () => {
    const { replica, line, hub, clock } = await greeting()
    line.say(welcome('unknown'), caughtUp(null))
    line.say(tail(cursor(1), { replica: replica.id, counter: 9, update: null }))
    await until(
      'another channel',
      () => hub.lines.length === 2,
      () => clock.advance(500),
    )
    expect(replica.status.lastError).toMatchObject({ code: 'MESSAGE_UNEXPECTED' })
    expect(replica.status.cursor).toBe(null)
  })

  test('hears others as typed changes, after one transaction for a whole tail', async () => {
    const { replica, line, clock } = await greeting()
    const heard: unknown[] = []
    replica.subscribe((changes) =>
      heard.push(changes.map(({ table, after, origin }) => [table, after, origin])),
    )
    const peer = new Peer(clock)
    line.say(
      welcome('tail'),
      tail(cursor(2), peer.commit(listAdded('a', 'one')), peer.commit(titled('a', 'two'))),
      caughtUp(cursor(2)),
    )
    await until('caught up', () => replica.status.state === 'live')
    expect(heard).toEqual([
      [
        ['lists', true, 'remote'],
        ['lists', 'two', 'remote'],
      ],
    ])
  })

  test('stamps what it does next above what it has seen', async () => {
    const { replica, line, clock } = await greeting()
    const ahead = new VirtualClock(3, clock.now() + 60_000)
    const peer = new Peer(ahead)
    line.say(welcome('tail'), tail(cursor(1), peer.commit(listAdded('a', 'theirs'))), caughtUp(cursor(1)))
    await until('caught up', () => replica.status.state === 'live')
    replica.apply(titled('a', 'ours'))
    expect(replica.tables.lists.get('a')).toEqual({ title: 'ours' })
    expect(replica.conflicts()).toEqual([])
  })

  test('[6] tells the cursor only once it is recorded, and never moves it back', async () => {
    const store = new ShakyStore()
    const { replica, line, clock, hub } = await greeting(store)
    const peer = new Peer(clock)
    const first = peer.commit(listAdded('a'))
    line.say(welcome('tail'), tail(cursor(1), first), caughtUp(cursor(1)))
    await until('at 1', () => replica.status.cursor?.seq === 1)
    store.failing = new SyncError('STORE_FULL', 'full')
    const second = peer.commit(listAdded('b'))
    line.say(tail(cursor(2), second))
    await until('b is seen', () => replica.tables.lists.has('b'))
    expect(replica.status.cursor?.seq).toBe(1)
    // The connection breaks: the hub is told what is here, recorded or not, and what it sends again all the same is known.
    line.cut()
    await until(
      'another channel',
      () => hub.lines.length === 2,
      () => clock.advance(500),
    )
    const again = await hub.line(1)
    expect(again.heard[0]).toMatchObject({ type: 'Hello', cursor: cursor(2) })
    again.say(welcome('tail'), tail(cursor(2), second), caughtUp(cursor(2)))
    await until('live again', () => replica.status.state === 'live')
    expect(replica.status.cursor?.seq).toBe(1)
    store.failing = null
    await replica.flush()
    expect(replica.status.cursor?.seq).toBe(2)
    // An old message changes nothing.
    again.say(tail(cursor(1), first))
    await turn()
    expect(replica.status.cursor?.seq).toBe(2)
    expect((await store.load())?.cursor).toEqual(cursor(2))
  })

  test('[4] sends nothing that is not saved yet', async () => {
    const store = new ShakyStore()
    const { replica, line, clock } = await greeting(store)
    line.say(welcome('unknown'), caughtUp(null))
    await until('live', () => replica.status.state === 'live')
    await replica.flush()
    store.slow = true
    replica.apply(listAdded('a'))
    line.say(tail(cursor(1), new Peer(clock).commit(listAdded('x'))))
    await until('x is seen', () => replica.tables.lists.has('x'))
    expect(await line.pushes()).toEqual([])
    store.letRecord()
    expect(await line.next('Push')).toMatchObject({ commits: [{ counter: 1 }] })
  })

  test('[4] sends nothing while its store fails, not even what was saved before', async () => {
    const store = new ShakyStore()
    const { replica, line, clock } = await greeting(store)
    await replica.apply(listAdded('a')).saved
    store.failing = new SyncError('STORE_FULL', 'full')
    expect(await codeOf(replica.apply(listAdded('b')).saved)).toBe('STORE_FULL')
    line.say(welcome('unknown'), caughtUp(null))
    await until('live', () => replica.status.state === 'live')
    expect(await line.pushes()).toEqual([])
    store.failing = null
    await until(
      'saved',
      () => replica.status.persistence === 'ok',
      () => clock.advance(1000),
    )
    expect(await line.next('Push')).toMatchObject({ commits: [{ counter: 1 }, { counter: 2 }] })
  })

  test('[4] sends nothing while its store fails, and what is made meanwhile afterwards', async () => {
    const store = new ShakyStore()
    const { replica, line, clock } = await greeting(store)
    line.say(welcome('unknown'), caughtUp(null))
    await until('live', () => replica.status.state === 'live')
    store.failing = new SyncError('STORE_FULL', 'full')
    replica.apply(listAdded('a'))
    expect(await line.pushes()).toEqual([])
    store.failing = null
    await until(
      'saved',
      () => replica.status.persistence === 'ok',
      () => clock.advance(1000),
    )
    expect(await line.next('Push')).toMatchObject({ commits: [{ counter: 1 }] })
  })

  test('[2] a message that comes twice changes nothing, not a byte', async () => {
    const { replica, line, clock } = await greeting()
    const peer = new Peer(clock)
    const message = tail(cursor(1), peer.commit(listAdded('a')))
    line.say(welcome('tail'), message, caughtUp(cursor(1)))
    await until('live', () => replica.status.state === 'live')
    const bytes = bytesOf(replica)
    const heard: unknown[] = []
    replica.subscribe((changes) => heard.push(changes))
    line.say(message, message)
    await turn()
    expect(bytesOf(replica)).toBe(bytes)
    expect(heard).toEqual([])
  })

  test('[10] a snapshot after a revision gap keeps pending commits, and they are pushed', async () => {
    const { replica, line, clock, store } = await greeting()
    const peer = new Peer(clock)
    peer.commit(listAdded('a', 'theirs'))
    const pending = replica.apply(listAdded('b', 'mine'))
    await pending.saved
    line.say(
      welcome('snapshot'),
      { type: 'RevisionGap', cursor: 0, floor: 5, head: 9 },
      { type: 'Snapshot', cursor: cursor(9), snapshot: peer.document.encode() },
      caughtUp(cursor(9)),
    )
    expect(await line.next('Push')).toMatchObject({ epoch: 7, commits: [{ counter: 1, prev: 0 }] })
    expect([...replica.tables.lists.entries()].map(([id]) => id)).toEqual(['a', 'b'])
    expect(await store.load()).toMatchObject({ cursor: cursor(9), outbox: [{ id: { counter: 1 } }] })
  })

  test('[9] commits up to the mark of CaughtUp are settled, not sent again', async () => {
    const { replica, line, clock, hub } = await greeting()
    line.say(welcome('unknown'), caughtUp(null))
    const receipts = [replica.apply(listAdded('a')), replica.apply(listAdded('b'))]
    await line.next('Push')
    const [a, b] = replica.outbox
    // Both arrive at the hub, but no word of it comes back.
    line.cut()
    await until(
      'another channel',
      () => hub.lines.length === 2,
      () => clock.advance(500),
    )
    const again = await hub.line(1)
    again.say(
      welcome('tail'),
      tail(
        cursor(2),
        { replica: replica.id, counter: 1, update: a?.update ?? null },
        { replica: replica.id, counter: 2, update: b?.update ?? null },
      ),
      caughtUp(cursor(2), 2, b?.hlc),
    )
    await Promise.all(receipts.map(({ acked }) => acked))
    expect(await again.pushes()).toEqual([])
    expect(replica.status.pending).toBe(0)
  })

  test('[4] an acknowledgement that the hub does not stand by is not believed: the commit is sent again', async () => {
    const { replica, line, hub, clock } = await greeting()
    line.say(welcome('unknown'), caughtUp(null))
    replica.apply(listAdded('a'))
    await line.next('Push')
    line.say(ack(1))
    await turn()
    line.cut()
    await until(
      'another channel',
      () => hub.lines.length === 2,
      () => clock.advance(500),
    )
    const again = await hub.line(1)
    again.say(welcome('unknown'), caughtUp(null))
    expect((await again.next('Push')).commits).toMatchObject([{ counter: 1, prev: 0 }])
  })

  test('[9] a snapshot that holds our commits settles them by the mark', async () => {
    const { replica, line, clock, hub, store } = await greeting()
    line.say(welcome('unknown'), caughtUp(null))
    replica.apply(listAdded('a'))
    await line.next('Push')
    line.cut()
    await until(
      'another channel',
      () => hub.lines.length === 2,
      () => clock.advance(500),
    )
    const again = await hub.line(1)
    const clientId = replica.clientId
    again.say(
      welcome('snapshot'),
      { type: 'Snapshot', cursor: cursor(4), snapshot: replica.encode() },
      caughtUp(cursor(4), 1, replica.outbox[0]?.hlc),
    )
    await until('settled', () => replica.status.pending === 0)
    expect(replica.clientId).toBe(clientId)
    expect(await store.load()).toMatchObject({ cursor: cursor(4), outbox: [] })
  })

  test.each(['tail', 'snapshot'] as const)(
    '[1] a late push of a dead connection that put other bytes in the log makes it rebuild, also where they come by %s',
    async (path) => {
      const { replica, line, clock, hub } = await greeting()
      const peer = new Peer(clock)
      line.say(welcome('tail'), tail(cursor(1), peer.commit(listAdded('x'))), caughtUp(cursor(1)))
      replica.apply(listAdded('a', 'mine'))
      replica.apply(listAdded('b', 'too'))
      const push = await line.next('Push')
      const old = push.commits[0]?.update ?? null
      // Refused here for a taken id, so made anew; then the old bytes turn out to be in the log after all.
      line.say(refused(1, 'CLIENT_TAKEN'), refused(2, 'PUSH_GAP'))
      const anew = await line.next('Push')
      expect(anew.commits.map(({ counter }) => counter)).toEqual([1, 2])
      expect(anew.commits[0]?.update).not.toEqual(old)
      line.cut()
      await until(
        'another channel',
        () => hub.lines.length === 2,
        () => clock.advance(500),
      )
      const again = await hub.line(1)
      if (old === null) throw new Error('nothing was pushed')
      peer.document.apply([old])
      again.say(
        welcome(path),
        path === 'tail'
          ? tail(cursor(2), { replica: replica.id, counter: 1, update: old })
          : { type: 'Snapshot', cursor: cursor(2), snapshot: peer.document.encode() },
        caughtUp(cursor(2), 1, replica.outbox[0]?.hlc),
      )
      const last = await again.next('Push')
      expect(last.commits.map(({ counter, prev }) => [counter, prev])).toEqual([[2, 1]])
      peer.document.apply(last.commits.map(({ update }) => update))
      expect(bytesOf(replica)).toBe(Buffer.from(peer.document.encode()).toString('hex'))
    },
  )

  test('folds its stored updates into one snapshot when they outgrow it', async () => {
    const { replica, line, clock, store } = await greeting()
    const peer = new Peer(clock)
    line.say(welcome('tail'))
    for (let i = 1; i <= 4; i++) {
      line.say(tail(cursor(i), peer.commit(listAdded('a'), itemSet('a', 'x', String(i).repeat(30_000)))))
    }
    line.say(caughtUp(cursor(4)))
    await until('live', () => replica.status.state === 'live')
    await replica.flush()
    await turn()
    const stored = await store.load()
    expect(stored?.snapshotBytes).toBeGreaterThan(30_000)
    expect((stored?.snapshotBytes ?? 0) + (stored?.updateBytes ?? 0)).toBeLessThan(100_000)
    expect(stored?.cursor).toEqual(cursor(4))
    const again = await openTodo({ store: store.crash() })
    expect(bytesOf(again)).toBe(bytesOf(replica))
  })

  test('[4] a fold leaves commits that the hub has not acknowledged out of the base', async () => {
    const store = new ShakyStore()
    const { replica, line, clock } = await greeting(store)
    const peer = new Peer(clock)
    await replica.apply(listAdded('mine')).saved
    line.say(welcome('tail'))
    for (let i = 1; i <= 4; i++) {
      line.say(tail(cursor(i), peer.commit(listAdded('a'), itemSet('a', 'x', String(i).repeat(30_000)))))
    }
    line.say(caughtUp(cursor(4)))
    await line.next('Push')
    await until('folded', () => store.recorded.includes('snapshot'))
    await replica.flush()
    await turn()
    const stored = await store.load()
    expect(stored?.outbox).toHaveLength(1)
    expect(yjsCrdt.updates.digest(stored?.base ?? [])).toBe(yjsCrdt.updates.digest([peer.document.encode()]))
    // What is refused is gone, since the base never had it.
    line.say(refused(1, 'ENTRY_UNEXPLAINED'))
    await until('rejected', () => replica.rejected.length === 1)
    expect(replica.tables.lists.has('mine')).toBe(false)
  })

  test('waits longer and longer for a hub that is away, and comes back', async () => {
    const clock = new VirtualClock(1)
    const hub = new ScriptedHub(clock)
    hub.reachable = false
    const replica = await openTodo({ clock, dial: hub.dial })
    await until('an error', () => replica.status.lastError !== null)
    expect(replica.status.lastError?.code).toBe('HUB_UNREACHABLE')
    const attempts = new Set<number>()
    replica.onStatus(({ lastAttemptAt }) => attempts.add(lastAttemptAt ?? 0))
    for (let i = 0; i < 3000 && attempts.size < 12; i++) {
      clock.advance(100)
      await turn()
    }
    const times = [...attempts]
    const waits = times.slice(1).map((at, i) => at - (times[i] ?? 0))
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(200)
    expect(Math.max(...waits)).toBeLessThanOrEqual(30_100)
    expect(waits.at(-1)).toBeGreaterThan(10_000)
    hub.reachable = true
    await until(
      'a channel',
      () => hub.lines.length === 1,
      () => clock.advance(30_000),
    )
  })

  test.each([
    'HISTORY_DIVERGED',
    'FORBIDDEN',
    'UNAUTHENTICATED',
    'DOMAIN_MISMATCH',
    'NAMESPACE_DELETED',
  ] as const)('stops at %s, keeps everything, and asks again only when it is told to', async (code) => {
    const { replica, line, hub, clock } = await greeting()
    const receipt = replica.apply(listAdded('a'))
    await receipt.saved
    line.say(refused(null, code))
    await until('refused', () => replica.status.state === 'refused')
    clock.advance(120_000)
    await turn()
    expect(hub.lines).toHaveLength(1)
    expect(replica.status).toMatchObject({ pending: 1, lastError: { code }, rejected: 0 })
    expect(replica.tables.lists.has('a')).toBe(true)
    replica.connect()
    await hub.line(1)
    expect(replica.status.state).toBe('connecting')
  })

  test('gives up a hub that does not answer in time', async () => {
    const { replica, hub, clock } = await greeting()
    await until(
      'timed out',
      () => replica.status.lastError !== null,
      () => clock.advance(5_000),
    )
    expect(replica.status.lastError?.code).toBe('TIMED_OUT')
    await until(
      'another channel',
      () => hub.lines.length === 2,
      () => clock.advance(500),
    )
  })

  test('gives up a hub that does not acknowledge in time', async () => {
    const { replica, line, clock } = await greeting()
    line.say(welcome('unknown'), caughtUp(null))
    await until('live', () => replica.status.state === 'live')
    clock.advance(300_000)
    await turn()
    expect(replica.status).toMatchObject({ state: 'live', lastError: null })
    replica.apply(listAdded('a'))
    await line.next('Push')
    await until(
      'timed out',
      () => replica.status.lastError !== null,
      () => clock.advance(5_000),
    )
    expect(replica.status.lastError?.code).toBe('TIMED_OUT')
    expect(replica.status.pending).toBe(1)
  })

  test('notes its attempts in the store, once an exchange', async () => {
    const { replica, line, store, clock } = await greeting()
    line.say(welcome('unknown'), caughtUp(null))
    await until('live', () => replica.status.state === 'live')
    replica.disconnect()
    await until('offline', () => replica.status.state === 'offline')
    await replica.flush()
    expect((await store.load())?.notes).toEqual({
      lastAttemptAt: clock.now(),
      lastSuccessAt: clock.now(),
      lastError: null,
      ackedCounter: 0,
      sentCounter: 0,
    })
    await until('said goodbye', () => line.ended)
    expect(line.heard.at(-1)).toEqual({ type: 'Bye' })
  })

  test('carries presence while live, and leaves out what it cannot read', async () => {
    const { replica, line } = await greeting()
    replica.awareness.setLocal({ name: 'ada' })
    line.say(welcome('unknown'), caughtUp(null))
    const { update } = await line.next('Awareness')
    const other = yjsCrdt.awareness(4242)
    other.apply(update)
    expect([...other.states().values()]).toEqual([{ name: 'ada' }])
    let theirs = new Uint8Array(0)
    other.onUpdate((bytes) => (theirs = Uint8Array.from(bytes)))
    other.setLocal({ name: 'bob' })
    line.say(
      { type: 'Awareness', update: Uint8Array.of(255, 255, 255) },
      { type: 'Awareness', update: theirs },
    )
    await until('bob', () => replica.awareness.states().size === 2)
    expect(replica.status.state).toBe('live')
    await replica.close()
    other.apply((await line.next('Awareness')).update)
    expect([...other.states().keys()]).toEqual([4242])
  })

  test('presence is repeated by the clock', async () => {
    const { replica, line, clock } = await greeting()
    replica.awareness.setLocal({ name: 'ada' })
    line.say(welcome('unknown'), caughtUp(null))
    await line.next('Awareness')
    await turn()
    clock.advance(15_000)
    await line.next('Awareness')
    expect(await codeOf(replica.flush())).toBe('no error')
  })
})

test('[14] while the store fails, catching up takes no more than may wait', () => {
  const clock = new VirtualClock(1)
  const store = new ShakyStore()
  store.failing = new SyncError('STORE_FULL', 'full')
  const writes = new PendingWrites(store, clock, () => {})
  const taken: string[] = []
  const inbound = {
    checkTail: () => {},
    hasUntold: () => false,
    tail: () => {
      taken.push('tail')
      return broughtNothing
    },
  }
  // Of a session's parts those that a catch-up works with.
  const catchUp = new CatchUp({ writes, inbound } as unknown as SessionParts)
  catchUp.begin({ type: 'Welcome', path: 'tail', why: '', durability: 'durable' })
  const message = { type: 'Tail', cursor: cursor(1), commits: [] } as const
  const waits = (bytes: number): void =>
    writes.add([{ kind: 'snapshot', snapshot: new Uint8Array(bytes), cursor: cursor(1), hlc: null }])
  waits(limits.pendingBytesMax - 1)
  catchUp.tail({ ...message, commits: [] })
  expect(taken).toEqual(['tail'])
  waits(1)
  expect(() => catchUp.tail({ ...message, commits: [] })).toThrow(/too much waits for the store/)
  expect(() =>
    catchUp.snapshot({ type: 'Snapshot', cursor: cursor(2), snapshot: new Uint8Array(0) }),
  ).toThrow(/too much waits for the store/)
  expect(taken).toEqual(['tail'])
  writes.close()
})
