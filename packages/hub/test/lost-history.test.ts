/** A hub that lost what it once acknowledged says so; one that lost nothing never does. */
import { expect, test } from 'vitest'
import { SyncError, type Cursor, type Namespace, type Seq } from '@rejoin/core'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { rebuildNamespace } from '../src/index.ts'
import { Author, Line, NAMESPACE, openWorld, pass, settle, type World } from './world.ts'

const diverged = 'Refused:room:HISTORY_DIVERGED Closing:HISTORY_DIVERGED'

async function fill(world: World, count: number, ada = new Author(world.clock)) {
  const line = new Line(world).hello(ada)
  await pass(world.clock, 1_000)
  for (let i = 1; i <= count; i++) {
    line.push(line.cursor?.epoch ?? null, ada.note(`n${i}`))
    await settle()
  }
  const cursors = line.of('Tail').map(({ cursor }) => cursor)
  return { ada, line, at: (seq: Seq) => cursors.find((cursor) => cursor.seq === seq) ?? null }
}

async function join(world: World, author: Pick<Author, 'replica'>, cursor: Cursor | null, ackedCounter = 0) {
  const line = new Line(world).hello(author, cursor, { ackedCounter })
  await pass(world.clock, 2_000)
  return line
}

/** The first records of a log, as a backup of that time keeps them. */
async function backupOf(store: MapHubStore, upTo: Seq): Promise<MapHubStore> {
  const backup = new MapHubStore()
  const tail = await store.readTail(NAMESPACE, 0, { records: upTo, bytes: Infinity })
  if (tail.kind === 'records')
    for (const { prev, body } of tail.records) await backup.append(NAMESPACE, prev, body)
  return backup
}

async function restored(upTo: Seq) {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  const before = openWorld({ store, clock })
  const filled = await fill(before, 4)
  await before.hub.close()
  const backup = await backupOf(store, upTo)
  return {
    ...filled,
    clock,
    store: backup,
    world: openWorld({ store: backup, clock, retention: { commits: 1 } }),
  }
}

test('[6] a hub restored from a backup refuses whom it had acknowledged more, whatever the cursor', async () => {
  const { ada, world, at } = await restored(2)
  expect((await join(world, ada, null, 4)).story).toBe(diverged)
  expect((await join(world, ada, at(1), 3)).story).toBe(diverged)
  expect((await join(world, ada, at(2), 2)).story).toBe('Welcome:live CaughtUp@2:2')
})

test('[6] so does one that was restored and went on beyond the cursor, and was trimmed', async () => {
  const { ada, world, at } = await restored(2)
  await fill(world, 6)
  await world.hub.checkpoint(NAMESPACE)
  expect((await join(world, ada, at(4), 4)).story).toBe(diverged)
})

test('[6][7] so does one that was restored and rebuilt, by acknowledged commits or by the place of the cursor', async () => {
  const { ada, world, at, store, clock } = await restored(2)
  await world.hub.close()
  const { seq } = await rebuildNamespace(store, yjsCrdt.updates, NAMESPACE, clock)
  expect(seq).toBe(3)
  const next = openWorld({ store, clock })
  expect((await join(next, ada, at(2), 4)).story).toBe(diverged)
  const reader = new Author(clock)
  // The epoch before it ended at 2.
  expect((await join(next, reader, at(3))).story).toBe(diverged)
  expect((await join(next, reader, at(4))).story).toBe(diverged)
  expect((await join(next, reader, at(2))).story).toBe('Welcome:reset Snapshot@3 CaughtUp@3:0')
  await next.hub.checkpoint(NAMESPACE)
  expect((await join(openWorld({ store, clock }), reader, at(4))).story).toBe(diverged)
})

test('[6] a cursor of another epoch at a log that has only its first is refused as diverged', async () => {
  const world = openWorld()
  const { at } = await fill(world, 2)
  const cursor = at(1)
  if (cursor === null) throw new Error('no record 1')
  const line = await join(world, new Author(world.clock), { ...cursor, epoch: cursor.epoch + 1 })
  expect(line.story).toBe(diverged)
})

test('[7] a namespace that was forgotten and begun anew behind what it had resets whom it owes nothing', async () => {
  const clock = new VirtualClock(1)
  const world = openWorld({ clock })
  const { ada, at } = await fill(world, 3)
  await world.hub.close()
  const store = new MapHubStore()
  const elsewhere = new MapHubStore()
  await fill(openWorld({ store: elsewhere, clock: new VirtualClock(2) }), 1)
  const tail = await elsewhere.readTail(NAMESPACE, 0, { records: 1, bytes: 1 })
  if (tail.kind === 'records') for (const { body } of tail.records) await store.append(NAMESPACE, 0, body, 3)
  const next = openWorld({ store, clock })
  expect((await join(next, new Author(clock), at(3))).story).toBe('Welcome:reset Snapshot@4 CaughtUp@4:0')
  expect((await join(next, ada, at(3), 3)).story).toBe(diverged)
})

test('[6] a namespace that the hub does not have is refused to whom commits of it were acknowledged', async () => {
  const world = openWorld()
  expect((await join(world, new Author(world.clock), null, 1)).story).toBe(diverged)
})

test('an acknowledgement of another hub of the store that this one has not read yet is no lost history', async () => {
  const store = new MapHubStore()
  const clock = new VirtualClock(1)
  const [here, there] = [openWorld({ store, clock }), openWorld({ store, clock })]
  const { ada, line, at } = await fill(here, 1)
  new Line(there).hello(new Author(clock))
  await settle()
  line.push(line.cursor?.epoch ?? null, ada.note('n2'))
  await settle()
  const moved = new Line(there).hello(ada, at(1), { ackedCounter: 2 })
  await settle()
  expect(moved.story).toBe('Welcome:tail Tail@2[2] CaughtUp@2:2')
})

test('a store that is away proves nothing about history', async () => {
  let away = false
  const store = new MapHubStore({
    fault: () => (away ? new SyncError('STORE_UNAVAILABLE', 'away') : undefined),
  })
  const clock = new VirtualClock(1)
  const world = openWorld({ store, clock })
  const { ada, line, at } = await fill(world, 2)
  const cursor = line.cursor
  if (cursor === null) throw new Error('no cursor')
  away = true
  const acked = await join(world, ada, at(1), 5)
  const ahead = await join(world, new Author(clock), { ...cursor, seq: 5 })
  for (const { story } of [acked, ahead])
    expect(story).toBe('Refused:room:STORE_UNAVAILABLE Closing:STORE_UNAVAILABLE')
})

/** A store whose trims have happened and do not return. */
class SlowTrimStore extends MapHubStore {
  gate: Promise<void> | null = null
  failing = false

  override async trim(namespace: Namespace, upTo: Seq) {
    const range = await super.trim(namespace, upTo)
    await this.gate
    if (this.failing) throw new SyncError('STORE_UNAVAILABLE', 'no answer')
    return range
  }
}

test('[10] a replica behind the floor gets a snapshot also while the trim that moved it is returning', async () => {
  const store = new SlowTrimStore()
  const world = openWorld({ store, retention: { commits: 2 } })
  const { at } = await fill(world, 9)
  let open = (): void => {}
  store.gate = new Promise((resolve) => (open = resolve))
  const checkpoint = world.hub.checkpoint(NAMESPACE)
  await settle()
  const line = await join(world, new Author(world.clock), at(2))
  expect(line.story).toBe('Welcome:snapshot RevisionGap:2<7 Snapshot@9 CaughtUp@9:0')
  open()
  await checkpoint
})

test('[10] the same after a trim whose outcome was not heard', async () => {
  const store = new SlowTrimStore()
  const world = openWorld({ store, retention: { commits: 2 } })
  const { at } = await fill(world, 9)
  store.failing = true
  await expect(world.hub.checkpoint(NAMESPACE)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  const line = await join(world, new Author(world.clock), at(2))
  expect(line.story).toBe('Welcome:snapshot RevisionGap:2<7 Snapshot@9 CaughtUp@9:0')
})

test('[10] the same where another hub trimmed', async () => {
  const store = new MapHubStore()
  const clock = new VirtualClock(1)
  const options = { store, clock, retention: { commits: 2 } }
  const [here, there] = [openWorld(options), openWorld(options)]
  const { at } = await fill(here, 9)
  new Line(there).hello(new Author(clock))
  await settle()
  await here.hub.checkpoint(NAMESPACE)
  const line = await join(there, new Author(clock), at(2))
  expect(line.story).toBe('Welcome:snapshot RevisionGap:2<7 Snapshot@9 CaughtUp@9:0')
})

test('[7][10] where another hub rebuilt and trimmed, a replica is reset, not given the snapshot of another epoch', async () => {
  const store = new MapHubStore()
  const clock = new VirtualClock(1)
  const world = openWorld({ store, clock })
  const { at } = await fill(world, 4)
  await rebuildNamespace(store, yjsCrdt.updates, NAMESPACE, clock)
  const line = await join(world, new Author(clock), at(2))
  expect(line.story).toMatch(/Welcome:reset Snapshot@5 CaughtUp@5:0$/)
})

/** A store whose reads are behind for a while. */
class StaleStore extends MapHubStore {
  stale = 0

  override async readTail(namespace: Namespace, after: Seq, limit: { records: number; bytes: number }) {
    if (this.stale-- > 0) return { kind: 'records' as const, records: [], more: false }
    return await super.readTail(namespace, after, limit)
  }
}

test('[6] a read that is behind the known head is repeated, and proves nothing about history', async () => {
  const store = new StaleStore()
  const world = openWorld({ store })
  const { at } = await fill(world, 4)
  store.stale = 2
  const line = await join(world, new Author(world.clock), at(2))
  expect(line.story).toBe('Welcome:tail Tail@4[3,4] CaughtUp@4:0')
})
