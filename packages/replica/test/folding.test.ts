// What a replica makes of its own log when it has grown: only what is acknowledged, only what was read again, and told.
import { SyncError, type Crdt, type CrdtUpdates, type ReplicaStep } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub } from '@rejoin/hub'
import { openReplica, type Replica } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial } from '@rejoin/transport'
import { expect, test } from 'vitest'
import { itemSet, listAdded, todo, turn, type Todo } from './support.ts'

/** Remembers the steps of every record; those with a snapshot may fail. */
class WatchedStore extends MapReplicaStore {
  readonly folds: ReplicaStep[] = []
  failing: SyncError | null = null

  override async record(steps: readonly ReplicaStep[]): Promise<void> {
    if (steps.some(({ kind }) => kind === 'snapshot')) {
      if (this.failing !== null) throw this.failing
      this.folds.push(...steps)
    }
    await super.record(steps)
  }
}

/** The whole document, byte by byte. */
const textOf = (replica: Replica<Todo>): string => Buffer.from(replica.encode()).toString('latin1')

async function open(changed: (of: CrdtUpdates) => Partial<CrdtUpdates> = () => ({})) {
  const clock = new VirtualClock(1)
  const hub = openHub({ store: new MapHubStore(), updates: yjsCrdt.updates, domains: [todo], clock })
  const updates = yjsCrdt.updates
  const crdt: Crdt = { ...yjsCrdt, updates: { ...updates, ...changed(updates) } }
  const store = new WatchedStore()
  const openOn = (at: MapReplicaStore): Promise<Replica<Todo>> =>
    openReplica({
      domain: todo,
      namespace: 'home',
      store: at,
      crdt,
      clock,
      dial: memoryDial({ clock, accept: (channel) => void hub.accept(channel, anyone) }).dial,
      live: false,
    })
  const replica = await openOn(store)
  replica.apply(listAdded('a'))
  /** `count` kilobytes of items, acknowledged. */
  let items = 0
  const write = async (count: number): Promise<void> => {
    for (const end = items + count; items < end; items++) {
      replica.apply(itemSet('a', `item-${items}`, 'x'.repeat(1_000)))
    }
    await replica.syncOnce()
    await turn()
  }
  return { clock, store, replica, write, openOn }
}

test('the base is folded when its updates have outgrown it, in bytes and not in edits', async () => {
  const { store, replica, write } = await open()
  await write(50)
  for (let i = 0; i < 200; i++) replica.apply(listAdded(`small-${i}`))
  expect(store.folds).toHaveLength(0)
  await write(30)
  expect(store.folds).toHaveLength(1)
  // Not again before as many bytes have come as it has, however many those are.
  await write(30)
  const before = store.folds.length
  const { snapshotBytes = 0, updateBytes = 0 } = (await store.load()) ?? {}
  expect(snapshotBytes).toBeGreaterThan(80_000)
  await write(Math.floor((snapshotBytes - updateBytes) / 1_200))
  expect(store.folds).toHaveLength(before)
  await write(40)
  expect(store.folds).toHaveLength(before + 1)
  expect(replica.status.folding).toBe('ok')
})

test('[4] only what is acknowledged is folded, at its cursor; what waits in the outbox stays there', async () => {
  const { store, replica, write, openOn } = await open()
  await write(60)
  replica.apply(listAdded('mine', 'not acknowledged'))
  await replica.flush()
  const { status } = replica
  await write(0)
  replica.apply(listAdded('offline'))
  await replica.flush()
  await write(20)
  replica.apply(listAdded('last'))
  await replica.flush()
  expect(store.folds).toHaveLength(1)
  const [fold] = store.folds
  if (fold?.kind !== 'snapshot') throw new Error('it is a fold')
  expect(fold.cursor.seq).toBeGreaterThan(status.cursor?.seq ?? 0)
  const stored = await store.load()
  expect(stored?.outbox.map(({ ops }) => ops)).toEqual([[{ type: 'ListAdded', id: 'last', title: 'last' }]])
  expect(Buffer.from(fold.snapshot).toString('latin1')).not.toContain('last')
  // After a crash it is all there.
  const again = await openOn(store.crash())
  expect(textOf(again)).toBe(textOf(replica))
  expect(again.status.pending).toBe(1)
})

const spoiled: [string, (updates: CrdtUpdates, parts: readonly Uint8Array[]) => Uint8Array][] = [
  ['leaves out the last update', (updates, parts) => updates.compact(parts.slice(0, -1))],
  ['says the same in other items', (updates, parts) => updates.rebuild(parts).snapshot],
  ['is cut off', (updates, parts) => updates.compact(parts).slice(0, -1)],
  [
    'swaps a value',
    (updates, parts) => {
      const text = Buffer.from(updates.compact(parts)).toString('latin1')
      return Uint8Array.from(Buffer.from(text.replace('xxxx', 'xxyx'), 'latin1'))
    },
  ],
]

test.each(spoiled)(
  '[13] a fold that %s replaces nothing, is told, and is tried again by itself',
  async (_, spoil) => {
    let wrong = true
    const { clock, store, replica, write, openOn } = await open((updates) => ({
      compact: (parts) => (wrong ? spoil(updates, parts) : updates.compact(parts)),
    }))
    const shown: unknown[] = []
    replica.onStatus(({ folding }) => shown.push(folding))
    await write(80)
    expect(store.folds).toHaveLength(0)
    expect(replica.status).toMatchObject({ folding: { failures: 1 }, persistence: 'ok', pending: 0 })
    expect(shown.at(-1)).toMatchObject({ failures: 1 })
    expect((await store.load())?.snapshotBytes).toBe(0)
    // More of it asks for no more tries.
    await write(80)
    expect(replica.status.folding).toMatchObject({ failures: 1 })
    for (let i = 0; i < 4; i++) {
      clock.advanceToNext()
      await turn()
    }
    const { folding } = replica.status
    expect(folding === 'ok' ? 0 : folding.failures).toBeGreaterThan(1)
    const before = textOf(replica)
    wrong = false
    for (let i = 0; i < 3 && replica.status.folding !== 'ok'; i++) {
      clock.advanceToNext()
      await turn()
    }
    expect(replica.status.folding).toBe('ok')
    expect(shown.at(-1)).toBe('ok')
    expect(store.folds).toHaveLength(1)
    expect(textOf(replica)).toBe(before)
    expect(textOf(await openOn(store.crash()))).toBe(before)
  },
)

test('a store that does not take the fold is told of and tried again; a closed replica tries nothing', async () => {
  const { clock, store, replica, write } = await open()
  store.failing = new SyncError('STORE_FULL', 'no space left')
  await write(80)
  expect(replica.status.folding).toEqual({
    cause: { code: 'STORE_FULL', message: 'no space left' },
    failures: 1,
  })
  await replica.close()
  store.failing = null
  for (let i = 0; i < 20; i++) {
    clock.advanceToNext()
    await turn()
  }
  expect(store.folds).toHaveLength(0)
})
