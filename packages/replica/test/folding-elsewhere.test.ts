// A large base is folded where the app says: what is recorded meanwhile stays, and what goes wrong there changes nothing.
import { SyncError, type ReplicaStep } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub } from '@rejoin/hub'
import { foldBase, openReplica, type FoldWork, type Replica } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial } from '@rejoin/transport'
import { expect, test } from 'vitest'
import { codeOf, itemSet, listAdded, todo, turn, until, type Todo } from './support.ts'

const { updates } = yjsCrdt

/** Does the work when it is told to; `failing` comes instead of it. */
class Elsewhere implements FoldWork {
  readonly bytesMin: number
  begun = 0
  failing: SyncError | null = null
  spoil: (snapshot: Uint8Array) => Uint8Array = (snapshot) => snapshot
  #goOn: (() => void)[] = []

  constructor(bytesMin = 0) {
    this.bytesMin = bytesMin
  }

  async fold(base: readonly Uint8Array[]) {
    this.begun++
    await new Promise<void>((resolve) => this.#goOn.push(resolve))
    if (this.failing !== null) throw this.failing
    const { snapshot, held } = foldBase(updates, base)
    return { snapshot: this.spoil(snapshot), held }
  }

  async read(snapshot: Uint8Array) {
    return { clocks: updates.clocks(snapshot), digest: updates.digest([snapshot]) }
  }

  async letGo(): Promise<void> {
    for (const goOn of this.#goOn.splice(0)) goOn()
    await turn()
  }
}

class WatchedStore extends MapReplicaStore {
  /** Batches with a fold in them. */
  readonly folds: (readonly ReplicaStep[])[] = []

  override async record(steps: readonly ReplicaStep[]): Promise<void> {
    if (steps.some(({ kind }) => kind === 'snapshot')) this.folds.push(steps)
    await super.record(steps)
  }
}

const textOf = (replica: Replica<Todo>): string => Buffer.from(replica.encode()).toString('latin1')

async function open(elsewhere = new Elsewhere()) {
  const clock = new VirtualClock(1)
  const hub = openHub({ store: new MapHubStore(), updates, domains: [todo], clock })
  const store = new WatchedStore()
  const lines: string[] = []
  const openOn = (at: MapReplicaStore, fold: FoldWork | null): Promise<Replica<Todo>> =>
    openReplica({
      domain: todo,
      namespace: 'home',
      store: at,
      crdt: yjsCrdt,
      clock,
      dial: memoryDial({ clock, accept: (channel) => void hub.accept(channel, anyone) }).dial,
      live: false,
      fold,
      log: (line) => void (line.includes('folded') && lines.push(line)),
    })
  const replica = await openOn(store, elsewhere)
  replica.apply(listAdded('a'))
  let items = 0
  /** `count` kilobytes of items, acknowledged. */
  const write = async (count: number): Promise<void> => {
    for (const end = items + count; items < end; items++) {
      replica.apply(itemSet('a', `item-${items}`, 'x'.repeat(1_000)))
    }
    await replica.syncOnce()
    await turn()
  }
  return { clock, hub, store, lines, replica, write, openOn, elsewhere }
}

test('[4][6] what is recorded during a fold is saved at once, and stays behind the snapshot that replaces what was read', async () => {
  const { store, replica, write, openOn, elsewhere } = await open()
  await write(80)
  expect(elsewhere.begun).toBe(1)
  const read = await store.load()
  // Acknowledged, and not.
  await write(3)
  expect(await replica.apply(listAdded('mine', 'not acknowledged')).saved).toBe('durable')
  expect(store.folds).toHaveLength(0)
  const cursor = replica.status.cursor
  const before = await store.load()
  await elsewhere.letGo()
  expect(store.folds).toHaveLength(1)
  const [snapshot, remote] = store.folds[0] ?? []
  expect(snapshot).toMatchObject({ kind: 'snapshot', cursor: read?.cursor })
  expect(remote).toMatchObject({ kind: 'remote', cursor })
  const after = await store.load()
  expect(after?.base).toHaveLength(1 + (before?.base.length ?? 0) - (read?.base.length ?? 0))
  expect(after?.base.slice(1)).toEqual(before?.base.slice(read?.base.length))
  expect(after?.cursor).toEqual(cursor)
  expect(after?.updateBytes).toBe((before?.updateBytes ?? 0) - (read?.updateBytes ?? 0))
  expect(after?.outbox.map(({ ops }) => ops)).toEqual(before?.outbox.map(({ ops }) => ops))
  expect(replica.status).toMatchObject({ folding: 'ok', pending: 1, cursor })
  const again = await openOn(store.crash(), null)
  expect(textOf(again)).toBe(textOf(replica))
  expect(again.status).toMatchObject({ pending: 1, cursor })
})

test('[4] a crash during a fold leaves what was there; the next run folds it', async () => {
  const { store, replica, write, openOn, elsewhere } = await open()
  await write(80)
  await write(2)
  const crashed = store.crash()
  await elsewhere.letGo()
  const again = await openOn(crashed, elsewhere)
  expect(textOf(again)).toBe(textOf(replica))
  await until('another fold', () => elsewhere.begun === 2)
  await elsewhere.letGo()
  const stored = await crashed.load()
  expect(stored?.updateBytes).toBe(0)
  expect(textOf(await openOn(crashed.crash(), null))).toBe(textOf(replica))
})

test('[7] a base that was replaced during its fold is not touched by it', async () => {
  const { hub, store, replica, write, openOn, elsewhere } = await open()
  await write(80)
  await hub.rebuild('home')
  await replica.syncOnce()
  await turn()
  const before = await store.load()
  expect(before?.cursor?.epoch).toBe(replica.status.cursor?.epoch)
  await elsewhere.letGo()
  expect(store.folds).toHaveLength(0)
  expect(await store.load()).toEqual(before)
  // And the next one is made.
  await write(200)
  await elsewhere.letGo()
  expect(store.folds).toHaveLength(1)
  expect(textOf(await openOn(store.crash(), null))).toBe(textOf(replica))
})

test.each([
  ['fails', (elsewhere: Elsewhere) => (elsewhere.failing = new SyncError('STORE_UNAVAILABLE', 'it died'))],
  ['gives something else', (elsewhere: Elsewhere) => (elsewhere.spoil = () => updates.compact([]))],
])('[13] a place that %s changes nothing; it is told in a line, and tried again there', async (_, spoil) => {
  const { clock, store, lines, replica, write, openOn, elsewhere } = await open()
  const [failing, good] = [elsewhere.failing, elsewhere.spoil]
  spoil(elsewhere)
  await write(80)
  const before = await store.load()
  await elsewhere.letGo()
  expect(store.folds).toHaveLength(0)
  expect(await store.load()).toEqual(before)
  expect(replica.status).toMatchObject({ folding: { failures: 1 }, persistence: 'ok' })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('home: what is stored was not folded')
  // The same again is not told again, and more of it asks for no more tries.
  await write(1)
  clock.advanceToNext()
  await turn()
  await elsewhere.letGo()
  expect(replica.status).toMatchObject({ folding: { failures: 2 } })
  expect(lines).toHaveLength(1)
  Object.assign(elsewhere, { failing, spoil: good })
  clock.advanceToNext()
  await turn()
  await elsewhere.letGo()
  expect(replica.status.folding).toBe('ok')
  expect(store.folds).toHaveLength(1)
  expect(textOf(await openOn(store.crash(), null))).toBe(textOf(replica))
})

test('closing waits for a fold under way, and the next run finds it done', async () => {
  const { store, replica, write, openOn, elsewhere } = await open()
  await write(80)
  const document = textOf(replica)
  let isClosed = false
  const closing = replica.close().then(() => (isClosed = true))
  await turn()
  expect(isClosed).toBe(false)
  await elsewhere.letGo()
  await closing
  expect(store.folds).toHaveLength(1)
  expect(textOf(await openOn(store.crash(), null))).toBe(document)
})

test.each([
  ['is done', () => {}],
  [
    'fails',
    (elsewhere: Elsewhere) => (elsewhere.failing = new SyncError('STORE_UNAVAILABLE', 'it was closed')),
  ],
])('[14] it does not wait for ever; what %s later changes nothing and is told nobody', async (_, end) => {
  const { clock, store, lines, replica, write, elsewhere } = await open()
  await write(80)
  const before = await store.load()
  const shown: unknown[] = []
  replica.onStatus(({ folding }) => shown.push(folding))
  const closing = replica.close()
  await turn()
  clock.advance(10_000)
  expect(await codeOf(closing)).toBe('no error')
  end(elsewhere)
  await elsewhere.letGo()
  for (let i = 0; i < 5; i++) {
    clock.advanceToNext()
    await turn()
  }
  expect(elsewhere.begun).toBe(1)
  expect(store.folds).toHaveLength(0)
  expect(lines).toEqual([])
  expect(shown.filter((folding) => folding !== 'ok')).toEqual([])
  expect(await store.load()).toEqual(before)
})

test('a small base is folded here', async () => {
  const { store, write, elsewhere } = await open(new Elsewhere(120_000))
  await write(70)
  expect(elsewhere.begun).toBe(0)
  expect(store.folds).toHaveLength(1)
  await write(100)
  expect(elsewhere.begun).toBe(1)
  await elsewhere.letGo()
  expect(store.folds).toHaveLength(2)
})
