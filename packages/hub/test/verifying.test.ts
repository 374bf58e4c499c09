/** Verifying a namespace: every fault is told once, and what lies behind damage is read all the same. */
import { SyncError, type Namespace, type Seq, type TailLimit } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { MapHubStore } from '@rejoin/testkit'
import { expect, test } from 'vitest'
import { loggedCommits, markRestored, verifyNamespace } from '../src/index.ts'
import { decodeMarks, encodeMarks } from '../src/stored-marks.ts'
import { Author, Line, NAMESPACE, openWorld, settle, type World } from './world.ts'

const verify = (store: MapHubStore) => verifyNamespace(store, yjsCrdt.updates, NAMESPACE)

test('[13] a store that refuses damaged records is read behind each of them, and each is one fault', async () => {
  const { store } = await filled()
  store.damaged = new Set([2, 4])
  expect(await verify(store)).toMatchObject({
    records: 4,
    commits: 4,
    head: 6,
    digest: null,
    faults: [{ message: 'record 2 is damaged' }, { message: 'record 4 is damaged' }],
  })
  // Met from many places, and one fault still.
  store.damaged = new Set([2, 3, 4])
  store.keyOf = () => 'one key'
  const { faults, records } = await verify(store)
  expect(records).toBe(3)
  expect(faults).toHaveLength(1)
  store.damaged = new Set([6])
  store.keyOf = (seq) => `${seq}`
  expect(await verify(store)).toMatchObject({ records: 5, faults: [{ message: 'record 6 is damaged' }] })
})

test('[13] a namespace of which nothing can be asked is reported, and one that is not there is an error', async () => {
  const { store } = await filled()
  store.isStateDamaged = true
  expect(await verify(store)).toMatchObject({ records: 0, digest: null, faults: [{ message: 'no state' }] })
  store.isStateDamaged = false
  const unknown = verifyNamespace(store, yjsCrdt.updates, 'elsewhere')
  await expect(unknown).rejects.toMatchObject({ code: 'NAMESPACE_UNKNOWN' })
  await store.close()
  await expect(verify(store)).rejects.toMatchObject({ code: 'STORE_CLOSED' })
})

test('[13] a checkpoint is held against its digest and its marks, and one without a digest against its marks', async () => {
  const world = await filled()
  await world.hub.checkpoint(NAMESPACE)
  const { store } = world
  const sound = await verify(store)
  expect(sound).toMatchObject({ checkpointSeq: 6, faults: [] })
  const checkpoint = await store.checkpoint(NAMESPACE)
  if (checkpoint === null) throw new Error('it was just made')
  const snapshot = await checkpoint.snapshot()
  const { marks } = decodeMarks(checkpoint.marks, 'it')
  store.marks = encodeMarks(marks, snapshot, 'f'.repeat(64))
  expect((await verify(store)).faults).toMatchObject([
    { seq: 6, part: 'checkpoint', message: expect.stringMatching(/not the one of its digest/) as string },
  ])
  const other = new Author(world.clock)
  other.note('x')
  store.marks = encodeMarks(marks, other.doc.encode(), yjsCrdt.updates.digest([other.doc.encode()]))
  store.snapshot = other.doc.encode()
  expect((await verify(store)).faults[0]?.message).toMatch(/does not hold the items that its marks name/)
})

test('a log that jumped over lost seqs is sound', async () => {
  const world = await filled()
  const before = await verify(world.store)
  await markRestored(world.store, yjsCrdt.updates, world.clock, [NAMESPACE])
  const after = await verify(world.store)
  expect(after).toMatchObject({ records: 7, commits: 6, digest: before.digest, faults: [] })
  expect(after.head).toBeGreaterThan(before.head + 1_000)
  // Only those that are named.
  await markRestored(world.store, yjsCrdt.updates, world.clock, [])
  expect((await verify(world.store)).head).toBe(after.head)
})

test('a record names its commits', async () => {
  const { store, ada } = await filled()
  const tail = await store.readTail(NAMESPACE, 0, { records: 10, bytes: 1_000_000 })
  const bodies = tail.kind === 'records' ? tail.records.map(({ body }) => body) : []
  expect(bodies.flatMap((body) => loggedCommits(body, 'it'))).toEqual(
    [1, 2, 3, 4, 5, 6].map((counter) => `${ada.replica}:${counter}`),
  )
  expect(() => loggedCommits(new Uint8Array(3), 'it')).toThrow(/it is cut off/)
})

/** Refuses what is damaged as `persistence-level` does: from the damaged record on, and reads on behind it. */
class RefusingStore extends MapHubStore {
  damaged: ReadonlySet<Seq> = new Set()
  keyOf: (seq: Seq) => string = (seq) => `${seq}`
  isStateDamaged = false
  marks: Uint8Array | null = null
  snapshot: Uint8Array | null = null

  override async heads(namespaces: readonly Namespace[]) {
    if (this.isStateDamaged) throw new SyncError('STORE_CORRUPT', 'no state')
    return await super.heads(namespaces)
  }

  override async readTail(namespace: Namespace, after: Seq, limit: TailLimit) {
    const tail = await super.readTail(namespace, after, limit)
    if (tail.kind === 'gap') return tail
    const at = tail.records.findIndex(({ seq }) => this.damaged.has(seq))
    if (at < 0) return tail
    const seq = tail.records[at]?.seq ?? 0
    if (at === 0) throw new SyncError('STORE_CORRUPT', `record ${seq} is damaged`, { path: this.keyOf(seq) })
    return { ...tail, records: tail.records.slice(0, at), more: true }
  }

  override async checkpoint(namespace: Namespace) {
    const checkpoint = await super.checkpoint(namespace)
    if (checkpoint === null || this.marks === null) return checkpoint
    const { snapshot } = this
    return {
      ...checkpoint,
      marks: this.marks,
      snapshot: async () => snapshot ?? (await checkpoint.snapshot()),
    }
  }
}

/** Six records of one commit each. */
async function filled(): Promise<World & { store: RefusingStore; ada: Author }> {
  const store = new RefusingStore()
  const world = openWorld({ store })
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) {
    line.push(line.cursor?.epoch ?? null, ada.note(id))
    await settle()
  }
  return { ...world, store, ada }
}
