// What a replica says to a hub that has lost history, message by message.
import { SyncError, type DownMessage } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { expect, test } from 'vitest'
import {
  ack,
  caughtUp,
  codeOf,
  cursor,
  listAdded,
  openTodo,
  Peer,
  ScriptedHub,
  ShakyStore,
  tail,
  titled,
  until,
  welcome,
} from './support.ts'

const { updates } = yjsCrdt

/** A peer's commit and one of ours are settled at seq 2, one of ours is acknowledged and not back yet, one waits. */
async function before(oneShot = false) {
  const clock = new VirtualClock(1)
  const store = new MapReplicaStore()
  const first = new ScriptedHub(clock)
  const replica = await openTodo({ store, clock, dial: first.dial })
  const peer = new Peer(clock)
  const theirs = peer.commit(listAdded('x'))
  const line = await first.line(0)
  line.say(welcome('tail'), tail(cursor(1), theirs), caughtUp(cursor(1)))
  await until('live', () => replica.status.state === 'live')
  replica.apply(listAdded('ours'))
  await line.next('Push')
  line.say(ack(1), tail(cursor(2), { replica: replica.id, counter: 1, update: null }))
  await until('settled', () => replica.status.cursor?.seq === 2)
  const acked = replica.apply(titled('ours', 'acknowledged'))
  await line.next('Push')
  line.say(ack(2))
  if (acked.kind === 'commit') await acked.acked
  await replica.flush()
  await replica.close()
  const base = (await store.load())?.base ?? []
  const hub = new ScriptedHub(clock, { oneShot })
  const faulty = { fails: false }
  const crashed = store.crash((call) =>
    call === 'load' && faulty.fails ? new SyncError('STORE_UNAVAILABLE', 'not now') : undefined,
  )
  const again = await openTodo({ store: crashed, clock, dial: hub.dial, live: false })
  again.apply(titled('ours', 'waits'))
  await again.flush()
  return { clock, hub, replica: again, base, theirs, store: faulty }
}

const wanted = (parts: readonly Uint8Array[]): DownMessage => ({
  type: 'HealWanted',
  stateVector: updates.stateVector(parts.length === 0 ? new Map() : updates.clocks(updates.compact(parts))),
})

test('[25] gives back its acknowledged base alone, names its last commit in it, and pushes the rest when it has caught up', async () => {
  const { hub, replica, base, theirs } = await before()
  replica.connect()
  const line = await hub.line(0)
  expect(line.heard[0]).toMatchObject({ cursor: cursor(2), ackedCounter: 2 })
  line.say(welcome('heal'), wanted([theirs.update]))
  const heal = await line.next('Heal')
  expect(heal).toMatchObject({ counter: 1, domainVersion: 2 })
  expect(heal.update).toEqual(updates.diff(base, updates.stateVector(updates.clocks(theirs.update))))
  expect(await line.pushes()).toEqual([])
  // Somebody else was faster: it is asked again, for nothing that is left.
  line.say(wanted(base))
  const rest = await line.next('Heal')
  expect(updates.inspectState(rest.update).sections).toEqual([])
  line.say(
    welcome('snapshot'),
    { type: 'Snapshot', cursor: cursor(90), snapshot: updates.compact(base) },
    caughtUp(cursor(90), 1, null),
  )
  const push = await line.next('Push')
  // What was acknowledged before is pushed again: the hub's word is believed, also where it is less than before.
  const later = (await line.pushes()).flatMap(({ commits }) => commits)
  const pushed = [...push.commits, ...later].map(({ counter, prev }) => [counter, prev])
  expect(pushed).toEqual([
    [2, 1],
    [3, 2],
  ])
  expect(replica.status).toMatchObject({ ackedCounter: 1, cursor: cursor(90), lastError: null })
  await replica.close()
})

test('[25] over a one-shot channel it answers with its next greeting, and brings nothing else', async () => {
  const { hub, replica, base, theirs } = await before(true)
  const synced = replica.syncOnce()
  const first = await hub.line(0)
  expect(await first.pushes()).toHaveLength(1)
  first.say(welcome('heal'), wanted([theirs.update]))
  first.close()
  const second = await hub.line(1)
  const heal = await second.next('Heal')
  expect(heal.counter).toBe(1)
  expect(await second.pushes()).toEqual([])
  second.say(
    welcome('heal'),
    wanted([theirs.update]),
    welcome('snapshot'),
    { type: 'Snapshot', cursor: cursor(90), snapshot: updates.compact(base) },
    caughtUp(cursor(90), 1, null),
  )
  second.close()
  const third = await hub.line(2)
  const [push] = await third.pushes()
  expect(push?.commits.map(({ counter }) => counter)).toEqual([2, 3])
  third.say(
    welcome('live'),
    caughtUp(cursor(90), 1, null),
    ack(2),
    ack(3),
    tail(cursor(91), ...[2, 3].map((counter) => ({ replica: replica.id, counter, update: null }))),
  )
  third.close()
  expect(await synced).toMatchObject({ path: 'heal', pushed: 2 })
  await replica.close()
})

test('[14] a hub that asks again and again is left alone', async () => {
  const { hub, replica, theirs } = await before(true)
  const failure = codeOf(replica.syncOnce())
  for (let i = 0; i < 5; i++) {
    const line = await hub.line(i)
    await line.pushes()
    line.say(welcome('heal'), wanted([theirs.update]))
    line.close()
  }
  expect(await failure).toBe('CHANNEL_CLOSED')
  await replica.close()
})

test('[6][25] a snapshot that lacks what it has is not taken: it greets again and says so, and stops where that is in vain', async () => {
  const { hub, replica, theirs, clock } = await before()
  replica.connect()
  const short = (): DownMessage[] => [
    welcome('snapshot'),
    { type: 'Snapshot', cursor: cursor(90), snapshot: updates.compact([theirs.update]) },
    caughtUp(cursor(90)),
  ]
  const first = await hub.line(0)
  first.say(...short())
  await until(
    'it greets again',
    () => hub.lines.length > 1,
    () => clock.advance(500),
  )
  const second = await hub.line(1)
  expect(second.heard[0]).toMatchObject({
    cursor: cursor(2),
    capabilities: ['delta', 'rebuild', 'newer', 'heal', 'more'],
  })
  second.say(...short())
  await until('it stops', () => replica.status.state === 'refused')
  expect(replica.status).toMatchObject({
    cursor: cursor(2),
    lastError: { code: 'HISTORY_DIVERGED' },
    pending: 2,
  })
  expect(replica.tables.lists.get('ours')).toMatchObject({ title: 'waits' })
  await replica.close()
})

test('[6] [25] where the store does not tell what it has, a snapshot is not taken: the session ends with its error, and is tried again', async () => {
  const { hub, replica, store, theirs, clock } = await before()
  const short = (): DownMessage[] => [
    welcome('snapshot'),
    { type: 'Snapshot', cursor: cursor(90), snapshot: updates.compact([theirs.update]) },
    caughtUp(cursor(90)),
  ]
  store.fails = true
  replica.connect()
  const first = await hub.line(0)
  first.say(...short())
  await until('the session is over', () => replica.status.lastError !== null)
  expect(replica.status).toMatchObject({
    cursor: cursor(2),
    lastError: { code: 'STORE_UNAVAILABLE' },
    pending: 2,
    rejected: 0,
  })
  store.fails = false
  await until(
    'it greets again',
    () => hub.lines.length > 1,
    () => clock.advance(500),
  )
  const second = await hub.line(1)
  expect(second.heard[0]).toMatchObject({ cursor: cursor(2) })
  second.say(...short())
  await until(
    'it says what it has',
    () => hub.lines.length > 2,
    () => clock.advance(500),
  )
  const third = await hub.line(2)
  expect(third.heard[0]).toMatchObject({ cursor: cursor(2) })
  expect((third.heard[0] as { capabilities?: readonly string[] }).capabilities).toContain('more')
  await replica.close()
})

/** It has applied what its store did not take: the document knows more than the recorded cursor says. */
async function ahead() {
  const clock = new VirtualClock(1)
  const store = new ShakyStore()
  const hub = new ScriptedHub(clock)
  const replica = await openTodo({ store, clock, dial: hub.dial })
  const peer = new Peer(clock)
  const known = peer.commit(listAdded('x'))
  const unrecorded = peer.commit(listAdded('y'))
  const first = await hub.line(0)
  first.say(welcome('tail'), tail(cursor(1), known), caughtUp(cursor(1)))
  await until('recorded', () => replica.status.cursor?.seq === 1)
  await replica.flush()
  store.failing = new SyncError('STORE_UNAVAILABLE', 'not now')
  first.say(tail(cursor(2), unrecorded))
  await until('applied', () => replica.tables.lists.get('y') !== undefined)
  first.close()
  const line = (i: number): ReturnType<ScriptedHub['line']> =>
    until(
      `channel ${i}`,
      () => hub.lines.length > i,
      () => clock.advance(500),
    ).then(() => hub.line(i))
  return { clock, store, hub, replica, known, unrecorded, line }
}

test('[6] [25] it greets with what it has applied, so that a hub restored to what is recorded hears that it lost more', async () => {
  const { store, replica, known, unrecorded, line } = await ahead()
  const second = await line(1)
  expect(second.heard[0]).toMatchObject({ type: 'Hello', cursor: cursor(2) })
  expect(replica.status.cursor).toEqual(cursor(1))
  // What it would bring back is not on disk: it comes again when it is.
  second.say(welcome('heal'), wanted([known.update]))
  const third = await line(2)
  expect(second.heard.map(({ type }) => type)).not.toContain('Heal')
  expect(third.heard[0]).toMatchObject({ cursor: cursor(2) })
  store.failing = null
  third.say(welcome('heal'), wanted([known.update]))
  const heal = await third.next('Heal')
  expect(updates.clocks(heal.update)).toEqual(updates.clocks(unrecorded.update))
  expect(replica.status.cursor).toEqual(cursor(2))
  await replica.close()
})

test('[25] a snapshot is held against what was applied too, whatever is recorded of it', async () => {
  const { store, replica, known, line } = await ahead()
  const short = (): DownMessage[] => [
    welcome('snapshot'),
    { type: 'Snapshot', cursor: cursor(90), snapshot: updates.compact([known.update]) },
    caughtUp(cursor(90)),
  ]
  const second = await line(1)
  second.say(...short())
  const third = await line(2)
  expect(replica.status.cursor).toEqual(cursor(1))
  store.failing = null
  third.say(...short())
  const fourth = await line(3)
  const hello = fourth.heard[0]
  expect(hello?.type === 'Hello' ? hello.capabilities : []).toContain('more')
  expect(replica.status.cursor).toEqual(cursor(2))
  await replica.close()
})

test('[13] [25] another history at a seq that was applied is not taken for what is here already', async () => {
  const { replica, store, line } = await ahead()
  store.failing = null
  await replica.flush()
  const second = await line(1)
  second.say(welcome('tail'), tail({ ...cursor(2), tag: 'f'.repeat(16) }), caughtUp(cursor(2)))
  const third = await line(2)
  expect(third.heard[0]).toMatchObject({ cursor: cursor(2) })
  await replica.close()
})
