// The document was rebuilt right after what a replica has: it makes the new one itself, and goes on as after a reset.
import { limits, SyncError } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { describe, expect, test } from 'vitest'
import {
  ack,
  bytesOf,
  caughtUp,
  cursor,
  itemSet,
  listAdded,
  listRemoved,
  openTodo,
  Peer,
  rebuild,
  refused,
  ScriptedHub,
  ShakyStore,
  tail,
  titled,
  turn,
  until,
  welcome,
  type HubLine,
} from './support.ts'
import { live as liveWith } from './live.ts'

const { updates } = yjsCrdt
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const canonical = (parts: readonly Uint8Array[]): Uint8Array => updates.rebuild(parts).snapshot

/** A live replica that has what a peer has written, up to seq 1. */
async function live(store: MapReplicaStore = new MapReplicaStore()) {
  const found = await liveWith(store, [[listAdded('x'), itemSet('x', 'one')], [titled('x', 'said')]])
  const { clock, hub, line, peer } = found
  const base = peer.document.encode()
  /** What the hub says of a rebuild at seq 2. */
  const sayRebuilt = (to: HubLine = line, acked = 0): void =>
    to.say(welcome('rebuild'), rebuild(cursor(2, 8), [base]), caughtUp(cursor(2, 8), acked))
  const reconnected = async (index: number): Promise<HubLine> => {
    await until(
      'another channel',
      () => hub.lines.length > index,
      () => clock.advance(500),
    )
    return await hub.line(index)
  }
  return { ...found, base, sayRebuilt, reconnected }
}

describe('a rebuild that is left to the replica', () => {
  test('[1] [7] [22] makes of the base what everybody makes of it, downloads nothing, and tells the app nothing', async () => {
    const { replica, line, store, base, sayRebuilt } = await live()
    expect(line.heard[0]).toMatchObject({
      type: 'Hello',
      capabilities: ['delta', 'rebuild', 'newer', 'heal'],
    })
    const heard: unknown[] = []
    replica.subscribe((changes) => heard.push(changes))
    const { clientId } = replica
    const before = replica.tables.lists.get('x')
    sayRebuilt()
    await until('rebuilt', () => replica.status.cursor?.epoch === 8)
    expect(replica.status).toMatchObject({
      state: 'live',
      cursor: cursor(2, 8),
      pending: 0,
      divergence: null,
    })
    expect(bytesOf(replica)).toBe(hex(canonical([base])))
    expect((await store.load())?.base.map(hex)).toEqual([hex(canonical([base]))])
    expect(replica.clientId).not.toBe(clientId)
    expect(replica.tables.lists.get('x')).toEqual(before)
    expect(heard).toEqual([])
  })

  test('[9] [10] the outbox is recommitted under its ids, and pushed in the new epoch', async () => {
    const { replica, line, base, sayRebuilt } = await live()
    const receipts = [replica.apply(titled('x', 'mine')), replica.apply(listAdded('y'))]
    const [old] = [await line.next('Push')]
    expect(old).toMatchObject({ epoch: 7 })
    const stamps = replica.outbox.map(({ hlc }) => hlc)
    sayRebuilt()
    line.say(refused(1, 'EPOCH_CHANGED'), refused(2, 'EPOCH_CHANGED'))
    const push = await line.next('Push')
    expect(push).toMatchObject({
      epoch: 8,
      commits: [
        { counter: 1, prev: 0 },
        { counter: 2, prev: 1 },
      ],
    })
    expect(push.commits.map(({ hlc }) => hlc)).toEqual(stamps)
    // They build on the canonical form alone.
    const own = push.commits.map(({ update }) => update)
    expect(hex(yjsCrdt.open(4_000, [canonical([base]), ...own]).encode())).toBe(bytesOf(replica))
    line.say(ack(1), ack(2))
    await Promise.all(receipts.map(({ acked }) => acked))
    expect(await line.pushes()).toEqual([])
  })

  test('[8] what follows it is taken with it, and what comes later lands on it', async () => {
    const { replica, line, base, clock } = await live()
    const anew = new Peer(clock, 'Q', 6_000, [canonical([base])])
    line.say(
      welcome('rebuild'),
      rebuild(cursor(2, 8), [base]),
      tail(cursor(3, 8), anew.commit(listAdded('z'))),
      caughtUp(cursor(3, 8)),
      tail(cursor(4, 8), anew.commit(titled('z', 'later'))),
    )
    await until('at 4', () => replica.status.cursor?.seq === 4)
    expect(bytesOf(replica)).toBe(hex(anew.document.encode()))
  })

  test('[10] a commit made while the base is read is in the new document', async () => {
    const store = new ShakyStore()
    const { replica, line, sayRebuilt } = await live(store)
    let go = (): void => {}
    store.loading = new Promise<void>((resolve) => (go = resolve))
    sayRebuilt()
    await turn()
    replica.apply(listAdded('meanwhile'))
    await turn()
    expect(await line.pushes()).toEqual([])
    store.loading = null
    go()
    expect(await line.next('Push')).toMatchObject({ epoch: 8, commits: [{ counter: 1 }] })
    expect(replica.tables.lists.has('meanwhile')).toBe(true)
    expect(replica.tables.lists.get('x')).toEqual({ title: 'said' })
  })

  test('[13] what waits for the store is recorded first; while it fails nothing is rebuilt', async () => {
    const store = new ShakyStore()
    const { replica, line, peer, base, sayRebuilt, reconnected } = await live(store)
    const theirs = peer.commit(listAdded('late'))
    store.failing = new SyncError('STORE_FULL', 'full')
    line.say(tail(cursor(2), theirs))
    await until('late is seen', () => replica.tables.lists.has('late'))
    const whole = peer.document.encode()
    line.say(welcome('rebuild'), rebuild(cursor(3, 8), [whole]), caughtUp(cursor(3, 8)))
    const again = await reconnected(1)
    expect(replica.status).toMatchObject({ cursor: cursor(1), divergence: null })
    store.failing = null
    await replica.flush()
    expect(again.heard[0]).toMatchObject({
      cursor: cursor(2),
      capabilities: ['delta', 'rebuild', 'newer', 'heal'],
    })
    again.say(welcome('reset'), { type: 'Snapshot', cursor: cursor(3, 8), snapshot: canonical([whole]) })
    again.say(caughtUp(cursor(3, 8)))
    await until('reset', () => replica.status.cursor?.epoch === 8)
    expect(base).not.toEqual(whole)
    sayRebuilt(again)
    await until('a rebuild to where it is already', () => again.ended)
    expect(replica.status).toMatchObject({ cursor: cursor(3, 8), divergence: null })
  })

  test('[22] several in a row, each of what the one before has made', async () => {
    const { replica, line, base } = await live()
    line.say(welcome('rebuild'), rebuild(cursor(2, 8), [base]), caughtUp(cursor(2, 8)))
    line.say(welcome('rebuild'), rebuild(cursor(3, 9), [base]), caughtUp(cursor(3, 9)))
    await until('rebuilt twice', () => replica.status.cursor?.epoch === 9)
    expect(bytesOf(replica)).toBe(hex(canonical([base])))
  })

  test('a reset that arrives while one is under way takes its place', async () => {
    const { replica, line, peer } = await live()
    peer.commit(listAdded('elsewhere'))
    const snapshot = canonical([peer.document.encode()])
    line.say(welcome('rebuild'), rebuild(cursor(2, 8), [snapshot]))
    line.say(welcome('reset'), { type: 'Snapshot', cursor: cursor(4, 9), snapshot }, caughtUp(cursor(4, 9)))
    await until('reset', () => replica.status.cursor?.epoch === 9)
    expect(bytesOf(replica)).toBe(hex(snapshot))
    expect(replica.status.divergence).toBe(null)
  })

  test('a snapshot of the new epoch, sent since the log was trimmed meanwhile, takes its place', async () => {
    const { replica, line, base, clock } = await live()
    const anew = new Peer(clock, 'Q', 6_000, [canonical([base])])
    anew.commit(listAdded('z'))
    const snapshot = anew.document.encode()
    line.say(
      welcome('rebuild'),
      rebuild(cursor(2, 8), [base]),
      { type: 'RevisionGap', cursor: 2, floor: 3, head: 3 },
      { type: 'Snapshot', cursor: cursor(3, 8), snapshot },
      caughtUp(cursor(3, 8)),
    )
    await until('at 3', () => replica.status.cursor?.seq === 3)
    expect(bytesOf(replica)).toBe(hex(snapshot))
  })

  test('[7] [10] a commit without bytes is not taken for the answered one when two come close together', async () => {
    const { replica, line, base, sayRebuilt } = await live()
    // Onto a base without the list the remove has nothing to do.
    replica.apply(listRemoved('x'))
    await line.next('Push')
    const empty = Uint8Array.of(0, 0)
    line.say(
      welcome('reset'),
      { type: 'Snapshot', cursor: cursor(2, 8), snapshot: empty },
      caughtUp(cursor(2, 8)),
      refused(1, 'EPOCH_CHANGED'),
    )
    expect(await line.next('Push')).toMatchObject({
      epoch: 8,
      commits: [{ counter: 1, update: { length: 0 } }],
    })
    line.say(welcome('rebuild'), rebuild(cursor(3, 9), [empty]), caughtUp(cursor(3, 9)))
    line.say(refused(1, 'EPOCH_CHANGED'))
    expect(await line.next('Push')).toMatchObject({ epoch: 9, commits: [{ counter: 1 }] })
    expect(base.length).toBeGreaterThan(0)
    expect(sayRebuilt).toBeDefined()
  })

  test('while the base is folded, and after a restart, it is the same', async () => {
    const store = new ShakyStore()
    const { replica, line, peer, clock, hub } = await live(store)
    // Enough for a fold; its record waits when the rebuild comes.
    const long = 'long '.repeat(20_000)
    const theirs = peer.commit(itemSet('x', 'long', long))
    const base = peer.document.encode()
    store.slow = true
    line.say(tail(cursor(2), theirs))
    line.say(welcome('rebuild'), rebuild(cursor(3, 8), [base]), caughtUp(cursor(3, 8)))
    store.recorded.length = 0
    await until(
      'rebuilt',
      () => replica.status.cursor?.epoch === 8,
      () => store.letRecord(),
    )
    expect(store.recorded.filter((kind) => kind !== 'notes')).toEqual(['remote', 'snapshot', 'reset'])
    expect(bytesOf(replica)).toBe(hex(canonical([base])))
    const again = await openTodo({ store: store.crash(), clock, dial: hub.dial, live: false })
    expect(bytesOf(again)).toBe(hex(canonical([base])))
    expect(again.status.cursor).toEqual(cursor(3, 8))
  })

  test.each([
    ['that was not announced', [rebuild(cursor(2, 8), [])]],
    ['that was announced and did not come', [welcome('rebuild'), caughtUp(cursor(2, 8))]],
    ['in a reset', [welcome('reset'), rebuild(cursor(2, 8), [])]],
  ])('[14] one %s ends the channel, and changes nothing', async (_, messages) => {
    const { replica, line } = await live()
    const before = bytesOf(replica)
    line.say(...messages)
    await until('the end', () => line.ended)
    expect(replica.status).toMatchObject({ lastError: { code: 'MESSAGE_UNEXPECTED' }, cursor: cursor(1) })
    expect(bytesOf(replica)).toBe(before)
  })

  test('[7] a replica without a base has nothing to make it of', async () => {
    const clock = new VirtualClock(1)
    const hub = new ScriptedHub(clock)
    const replica = await openTodo({ clock, dial: hub.dial })
    const line = await hub.line(0)
    line.say(welcome('rebuild'), rebuild(cursor(2, 8), []), caughtUp(cursor(2, 8)))
    await until('the end', () => line.ended)
    expect(replica.status).toMatchObject({ lastError: { code: 'MESSAGE_UNEXPECTED' }, cursor: null })
  })
})

describe('a replica that holds other content than the hub', () => {
  /** What the hub says of a document that is not ours. */
  async function diverged() {
    const world = await live()
    const { line, peer } = world
    peer.commit(listAdded('never sent'))
    const theirs = canonical([peer.document.encode()])
    return {
      ...world,
      theirs,
      sayDiverged: (): void =>
        line.say(welcome('rebuild'), rebuild(cursor(2, 8), [theirs]), caughtUp(cursor(2, 8))),
    }
  }

  test('[10] [22] says so, asks for a reset, and keeps its outbox; that it happened stays visible', async () => {
    const { replica, line, theirs, sayDiverged, reconnected, clock } = await diverged()
    replica.apply(listAdded('mine'))
    await line.next('Push')
    const before = bytesOf(replica)
    sayDiverged()
    await until('the end', () => line.ended)
    expect(replica.status).toMatchObject({
      lastError: { code: 'DIVERGED' },
      divergence: { at: clock.now() },
      cursor: cursor(1),
      pending: 1,
    })
    expect(replica.status.divergence?.message).toContain(updates.digest([theirs]))
    expect(bytesOf(replica)).toBe(before)

    const again = await reconnected(1)
    expect(again.heard[0]).toMatchObject({ cursor: cursor(1), capabilities: ['delta', 'newer', 'heal'] })
    again.say(welcome('reset'), { type: 'Snapshot', cursor: cursor(2, 8), snapshot: theirs })
    again.say(caughtUp(cursor(2, 8)))
    const push = await again.next('Push')
    expect(push).toMatchObject({ epoch: 8, commits: [{ counter: 1 }] })
    expect(hex(yjsCrdt.open(4_000, [theirs, ...push.commits.map(({ update }) => update)]).encode())).toBe(
      bytesOf(replica),
    )
    // Mended, and still told.
    expect(replica.status).toMatchObject({ state: 'live', lastError: { code: 'DIVERGED' } })
    again.cut()
    const third = await reconnected(2)
    expect(third.heard[0]).toMatchObject({
      cursor: cursor(2, 8),
      capabilities: ['delta', 'rebuild', 'newer', 'heal'],
    })
    third.say(welcome('live'), caughtUp(cursor(2, 8)))
    await until('live again', () => replica.status.state === 'live')
    expect(replica.status).toMatchObject({
      lastError: null,
      divergence: { at: expect.any(Number) as number },
    })
  })

  test('asks for a reset also after a restart, and through a hub that is away', async () => {
    const { replica, line, hub, store, clock, sayDiverged } = await diverged()
    sayDiverged()
    await until('the end', () => line.ended)
    hub.reachable = false
    await until(
      'another try',
      () => (replica.status.lastAttemptAt ?? 0) > (replica.status.divergence?.at ?? 0),
      () => clock.advance(500),
    )
    await turn()
    expect(replica.status.lastError?.code).toBe('DIVERGED')
    await replica.close()
    hub.reachable = true
    await openTodo({ store, clock, dial: hub.dial })
    const after = await hub.line(1)
    expect(after.heard[0]).toMatchObject({ capabilities: ['delta', 'newer', 'heal'] })
  })

  test.each([
    ['a lasting', false],
    ['a one-shot', true],
  ])('one exchange over %s channel mends it, and its report says so', async (_, oneShot) => {
    const { replica, peer, store, clock } = await live()
    replica.apply(listAdded('mine'))
    await replica.close()
    peer.commit(listAdded('never sent'))
    const theirs = canonical([peer.document.encode()])
    const hub = new ScriptedHub(clock, { oneShot })
    const offline = await openTodo({ store, clock, dial: hub.dial, live: false })
    const report = offline.syncOnce()
    const first = await hub.line(0)
    first.say(welcome('rebuild'), rebuild(cursor(2, 8), [theirs]), caughtUp(cursor(2, 8)))
    const second = await hub.line(1)
    expect(second.heard[0]).toMatchObject({ capabilities: ['delta', 'newer', 'heal'] })
    second.say(welcome('reset'), { type: 'Snapshot', cursor: cursor(2, 8), snapshot: theirs })
    second.say(caughtUp(cursor(2, 8)))
    if (oneShot) {
      await second.next('Push')
      second.say(refused(1, 'EPOCH_CHANGED'))
      second.close()
    }
    const last = oneShot ? await hub.line(2) : second
    if (oneShot) last.say(welcome('live'), caughtUp(cursor(2, 8)))
    expect(await last.next('Push')).toMatchObject({ epoch: 8, commits: [{ counter: 1 }] })
    last.say(ack(1), tail(cursor(3, 8), { replica: offline.id, counter: 1, update: null }))
    if (oneShot) last.close()
    expect(await report).toMatchObject({
      pushed: 1,
      divergence: { message: expect.stringContaining('other content') as string },
    })
    expect(offline.status).toMatchObject({ pending: 0, cursor: cursor(3, 8) })
    expect(clock.now()).toBeLessThan(Date.UTC(2026, 0, 1) + limits.reconnectMsMax)
  })

  test('an exchange that waits for live mode is told too', async () => {
    const { replica, clock, theirs, sayDiverged, reconnected } = await diverged()
    replica.apply(listAdded('mine'))
    const report = replica.syncOnce()
    await turn()
    sayDiverged()
    const again = await reconnected(1)
    again.say(welcome('reset'), { type: 'Snapshot', cursor: cursor(2, 8), snapshot: theirs })
    again.say(caughtUp(cursor(2, 8)))
    await again.next('Push')
    again.say(ack(1), tail(cursor(3, 8), { replica: replica.id, counter: 1, update: null }))
    expect(await report).toMatchObject({ divergence: { at: expect.any(Number) as number }, pushed: 1 })
    expect(clock.now()).toBeGreaterThan(0)
  })
})
