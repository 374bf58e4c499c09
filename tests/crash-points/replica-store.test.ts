// The process of a replica's store ends at every call that reaches its database, within `record` of every kind of step, `load`,
// opening and closing: the store opens, holds every batch that was answered, and of the rest each batch whole or not at all.
import assert from 'node:assert/strict'
import { formatHlc, type Commit, type Cursor, type ReplicaStep, type ReplicaStore } from '@rejoin/core'
import { openReplicaStore } from '@rejoin/persistence-level'
import { MapReplicaStore } from '@rejoin/testkit'
import { afterAll, expect, test } from 'vitest'
import { Tally } from './every-point.ts'
import { Fuse } from './fuse.ts'
import { plain } from './hub-calls.ts'
import { MortalDatabase, type Contents } from './mortal-database.ts'

const tally = new Tally('replica store')
afterAll(() => tally.tell())

type Batch = readonly ReplicaStep[]

const REPLICA = 'replica-of-22-letters_'
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const hlc = (ms: number) => formatHlc({ ms, counter: 0, author: 'abcde' })
const cursor = (seq: number, epoch = 7): Cursor => ({ epoch, seq, tag: seq.toString(16).padStart(16, '0') })
const commit = (counter: number, text = `commit ${counter}`): Commit => ({
  id: { replica: REPLICA, counter },
  prev: counter - 1,
  hlc: hlc(1_000 + counter),
  domainVersion: 1,
  ops: [{ type: 'Noted', text }],
  update: bytes(text),
})
const create: ReplicaStep = {
  kind: 'create',
  identity: { replica: REPLICA, clientId: 4_000, domain: 'notes', domainVersion: 1 },
}
const local = (counter: number): ReplicaStep => ({ kind: 'local', commit: commit(counter) })
const remote = (seq: number, ...settled: number[]): ReplicaStep => ({
  kind: 'remote',
  updates: [bytes(`update ${seq}`), bytes(`${seq} again`)],
  settled,
  cursor: cursor(seq),
  hlc: hlc(2_000),
})
/** Something on every shelf. */
const before: readonly Batch[] = [
  [create],
  [local(1), local(2), local(3), local(4)],
  [{ kind: 'snapshot', snapshot: bytes('old snapshot'), cursor: cursor(1), hlc: null }, remote(2)],
  [
    {
      kind: 'recommit',
      clientId: 4_001,
      outbox: [commit(2), commit(3), commit(4)],
      rejected: [{ commit: commit(1), code: 'ENTRY_INVALID', message: 'no', path: null }],
    },
  ],
]

const steps: { readonly [Kind in ReplicaStep['kind']]: Extract<ReplicaStep, { kind: Kind }> } = {
  create: create as Extract<ReplicaStep, { kind: 'create' }>,
  reidentify: { kind: 'reidentify', replica: 'another-of-22-letters_', clientId: 4_004 },
  local: { kind: 'local', commit: commit(5) },
  remote: remote(3, 2, 3) as Extract<ReplicaStep, { kind: 'remote' }>,
  snapshot: { kind: 'snapshot', snapshot: bytes('folded'), cursor: cursor(3), hlc: hlc(3_000) },
  settle: { kind: 'settle', upTo: 3 },
  reset: {
    kind: 'reset',
    snapshot: bytes('of a new epoch'),
    updates: [bytes('n1'), bytes('n2')],
    cursor: cursor(9, 8),
    clientId: 4_002,
    outbox: [commit(3, 'remade'), commit(4, 'remade')],
    hlc: hlc(4_000),
  },
  recommit: {
    kind: 'recommit',
    clientId: 4_003,
    outbox: [commit(4, 'remade')],
    rejected: [
      { commit: commit(2), code: 'ENTRY_INVALID', message: 'no', path: 'ops[0]' },
      { commit: commit(3), code: 'OP_FAILED', message: 'no', path: null },
    ],
  },
  discard: { kind: 'discard', counter: 1 },
  notes: {
    kind: 'notes',
    notes: { lastAttemptAt: 1, lastSuccessAt: 2, lastError: null, ackedCounter: 3, sentCounter: 4 },
  },
  domainVersion: { kind: 'domainVersion', domainVersion: 5 },
}

/** Nobody is made and becomes another at once. */
const everyStep: Batch = Object.values(steps).filter((step) => step !== create)

test.each(Object.values(steps).map((step) => [step.kind, step] as const))(
  '[4] [6] [13] ended at any call of the database: record %s',
  async (kind, step) => {
    const { points } = await tally.add(`record ${kind}`, (fuse) => play(fuse, before, [[step]]))
    expect(points).toBeGreaterThan(0)
  },
)

test.each<[title: string, before: readonly Batch[], batches: readonly Batch[]]>([
  ['a new replica with its first commits', [], [[create, local(1)], [local(2)]]],
  ['every kind of step in one batch', before, [everyStep]],
  [
    'several batches at once',
    before,
    [[local(5), remote(3, 2)], [steps.snapshot, { kind: 'settle', upTo: 3 }], [steps.reset]],
  ],
  [
    'a tail, a fold of it, and more',
    before,
    [[remote(3)], [steps.snapshot], [remote(4, 2, 3, 4)], [steps.notes]],
  ],
])('[4] [6] [13] ended at any call of the database: %s', async (title, first, batches) => {
  const open = await tally.add(title, (fuse) => play(fuse, first, batches))
  const closing = await tally.add(`${title}, closing meanwhile`, (fuse) => play(fuse, first, batches, true))
  expect(Math.min(open.points, closing.points)).toBeGreaterThan(0)
})

test('[13] ended at any call while a store is opened, read or closed', async () => {
  await tally.add('load of a new store', (fuse) => play(fuse, [], [], false, (store) => store.load()))
  await tally.add('load', (fuse) => play(fuse, before, [], false, (store) => store.load()))
  await tally.add('record after load', (fuse) =>
    play(fuse, before, [], false, async (store) => {
      await store.load()
      await store.record([])
    }),
  )
  const contents = await contentsAfter(before)
  const { points } = await tally.add('opening and reading', async (fuse) => {
    const mortal = await MortalDatabase.of(fuse, contents)
    const how = await fuse.during(async () => {
      const store = await openReplicaStore(mortal.database, 'home')
      await store.load()
      // Leaves the database to whoever opened it.
      await store.close()
      await mortal.database.close()
    })
    await checkStored(await mortal.contents(), [before], [])
    return how
  })
  expect(points).toBeGreaterThan(0)
})

async function play(
  fuse: Fuse,
  first: readonly Batch[],
  batches: readonly Batch[],
  isClosing = false,
  read: (store: ReplicaStore) => Promise<unknown> = () => Promise.resolve(),
): Promise<'survived' | 'died'> {
  const mortal = await MortalDatabase.of(fuse, await contentsAfter(first))
  const store = await openReplicaStore(mortal.database, 'home')
  let answered = 0
  const how = await fuse.during(async () => {
    await read(store)
    const records = batches.map(async (batch) => {
      await store.record(batch)
      answered++
    })
    await Promise.all(isClosing ? [...records, store.close()] : records)
  })
  if (how === 'survived') assert.equal(answered, batches.length)
  const possible = [...batches.keys(), batches.length]
    .filter((count) => count >= answered)
    .map((count) => [...first, ...batches.slice(0, count)])
  // What was interrupted is recorded once more, as a replica does that was not answered.
  await checkStored(await mortal.contents(), possible, batches.slice(answered))
  return how
}

/** What is there is what one of the histories leaves, and so it goes on. */
async function checkStored(
  contents: Contents,
  histories: readonly (readonly Batch[])[],
  interrupted: readonly Batch[],
): Promise<void> {
  const left = await MortalDatabase.of(new Fuse(null), contents)
  const found = await openReplicaStore(left.database, 'home')
  const stored = plain(await found.load())
  const whole: string[] = []
  for (const history of histories) {
    const model = new MapReplicaStore()
    for (const batch of history) await model.record(batch)
    whole.push(plain(await model.load()))
  }
  assert.ok(whole.includes(stored), stored)
  const [fewest = []] = histories
  const goingOn: readonly Batch[] = [
    fewest.length === 0 ? [create, local(70)] : [local(70)],
    [remote(90, 70)],
  ]
  // A batch that was there already is recorded twice, as a replica may have to: only its updates stand there twice then,
  // which changes no document.
  for (const batch of [...interrupted, ...goingOn]) await found.record(batch)
  const model = new MapReplicaStore()
  for (const batch of [...fewest, ...interrupted, ...goingOn]) await model.record(batch)
  const end = await found.load()
  const expected = await model.load()
  assert.equal(
    plain({ ...end, base: null, updateBytes: null }),
    plain({ ...expected, base: null, updateBytes: null }),
  )
  await found.close()
  // Everything was read again, nothing is left over: the store says so itself.
  const again = await openReplicaStore(left.database, 'home')
  assert.equal(plain(await again.load()), plain(end))
}

async function contentsAfter(batches: readonly Batch[]): Promise<Contents> {
  const mortal = await MortalDatabase.of(new Fuse(null))
  const store = await openReplicaStore(mortal.database, 'home')
  for (const batch of batches) await store.record(batch)
  return await mortal.contents()
}
