/** Batches: whole or not at all, in order, durable; and the end of a store. */
import assert from 'node:assert/strict'
import type { ReplicaStep } from '@rejoin/core'
import { checkFailed, checkRefused, needed } from '../hub-store/opened.ts'
import { storedOf } from '../replica-model.ts'
import type { Cases } from '../suite-cases.ts'
import {
  bytes,
  checkBatches,
  checkStored,
  commit,
  comparable,
  create,
  cursorAt,
  hlcAt,
  identity,
  modelOf,
  rejected,
  withReplicaStore,
  type OpenReplicaStore,
} from './opened.ts'

const local = (counter: number): ReplicaStep => ({ kind: 'local', commit: commit(counter) })
const remote = (seq: number, text: string): ReplicaStep => ({
  kind: 'remote',
  updates: [bytes(text)],
  settled: [],
  cursor: cursorAt(seq),
  hlc: null,
})

/** Every kind of step, each touching what others touched. */
const mixed: readonly ReplicaStep[] = [
  create,
  local(1),
  local(2),
  remote(1, 'u1'),
  { kind: 'snapshot', snapshot: bytes('s1'), cursor: cursorAt(2), hlc: hlcAt(50) },
  remote(3, 'u2'),
  { kind: 'settle', upTo: 1 },
  { kind: 'reidentify', replica: 'another-of-22-letters_', clientId: 8 },
  local(3),
  { kind: 'recommit', clientId: 9, outbox: [commit(3, 'remade')], rejected: [rejected(2)] },
  {
    kind: 'reset',
    snapshot: null,
    updates: [bytes('r1')],
    cursor: cursorAt(1, 80),
    clientId: 10,
    outbox: [commit(3, 'again')],
    hlc: null,
  },
  local(4),
  { kind: 'remote', updates: [bytes('r2')], settled: [3], cursor: cursorAt(2, 80), hlc: null },
  { kind: 'discard', counter: 2 },
  {
    kind: 'notes',
    notes: { lastAttemptAt: 1, lastSuccessAt: 2, lastError: null, ackedCounter: 3, sentCounter: 4 },
  },
  { kind: 'domainVersion', domainVersion: 3 },
]

export function batchCases(open: OpenReplicaStore): Cases {
  return {
    'every kind of step in one batch does what the same steps do one by one': () =>
      withReplicaStore(open, async (_store, inOne) => {
        await checkBatches(inOne, [mixed])
        await withReplicaStore(open, (_other, oneByOne) =>
          checkBatches(
            oneByOne,
            mixed.map((step) => [step]),
          ),
        )
      }),

    'what goes into the outbox and leaves it in one batch is not in it': () =>
      withReplicaStore(open, (_store, opened) =>
        checkBatches(opened, [
          [create, local(1), local(2), { kind: 'settle', upTo: 1 }],
          [{ kind: 'settle', upTo: 2 }, local(3)],
        ]),
      ),

    'batches recorded at once arrive in the order of their calls': () =>
      withReplicaStore(open, async (store) => {
        const steps = Array.from({ length: 20 }, (_, i) => local(i + 1))
        await Promise.all([store.record([create]), ...steps.map((step) => store.record([step]))])
        checkStored(await store.load(), modelOf([create, ...steps]))
      }),

    'a load sees whole batches only': () =>
      withReplicaStore(open, async (store) => {
        await store.record([create])
        const loads: Promise<unknown>[] = []
        const records: Promise<void>[] = []
        for (let i = 1; i <= 20; i++) {
          records.push(store.record([remote(i, `update ${i}`), local(i)]))
          loads.push(
            store.load().then((stored) => {
              assert.equal(stored?.base.length, stored?.cursor?.seq ?? 0)
              assert.equal(stored?.outbox.length, stored?.cursor?.seq ?? 0)
            }),
          )
        }
        await Promise.all([...records, ...loads])
      }),

    'a batch with a step that cannot be recorded leaves nothing behind': () =>
      withReplicaStore(open, async (store) => {
        await store.record([create, local(1), remote(1, 'u1')])
        const impossible: ReplicaStep = {
          kind: 'create',
          identity: { ...identity, replica: 'another-of-22-letters_' },
        }
        await assert.rejects(
          store.record([local(2), remote(2, 'u2'), { kind: 'settle', upTo: 1 }, impossible]),
        )
        // At once, before a load could tell the store what it holds.
        await store.record([local(3)])
        checkStored(await store.load(), modelOf([create, local(1), remote(1, 'u1'), local(3)]))
      }),

    '[6] after a failed write the batch is there whole or not at all, and may be recorded again': () =>
      withReplicaStore(open, async (store, { failNextWrite }) => {
        const before: readonly ReplicaStep[] = [create, local(1)]
        const batch: readonly ReplicaStep[] = [
          local(2),
          { kind: 'snapshot', snapshot: bytes('s'), cursor: cursorAt(5), hlc: null },
          { kind: 'settle', upTo: 1 },
        ]
        await store.record(before)
        needed(failNextWrite, 'failNextWrite')()
        await checkFailed(store.record(batch))
        const found = comparable(await store.load())
        const whole = [before, [...before, ...batch]].map((steps) => {
          const model = modelOf(steps)
          return JSON.stringify(comparable(model === null ? null : storedOf(model)))
        })
        assert.ok(whole.includes(JSON.stringify(found)), 'the batch is torn')
        await store.record(batch)
        checkStored(await store.load(), modelOf([...before, ...batch]))
      }),

    '[6] a step of any kind whose write fails is there whole or not at all, and may be recorded again': () =>
      withReplicaStore(open, async (store, { failNextWrite }) => {
        const history: ReplicaStep[] = []
        for (const step of mixed) {
          needed(failNextWrite, 'failNextWrite')()
          await checkFailed(store.record([step]))
          const stored = JSON.stringify(comparable(await store.load()))
          const after = modelOf([...history, step])
          if (after !== null && stored === JSON.stringify(comparable(storedOf(after)))) history.push(step)
          else checkStored(await store.load(), modelOf(history))
          await store.record([step])
          history.push(step)
          checkStored(await store.load(), modelOf(history))
        }
      }),

    '[4] a reopened store has what was recorded, and goes on from there': () =>
      withReplicaStore(open, async (store, { reopen }) => {
        await store.record(mixed)
        const again = await needed(reopen, 'reopen')()
        await again.record([local(5), remote(3, 'after reopening')])
        checkStored(await again.load(), modelOf([...mixed, local(5), remote(3, 'after reopening')]))
      }),

    '[St10] a closed store fails every call with STORE_CLOSED, and closing twice is closing once': () =>
      withReplicaStore(open, async (store) => {
        await store.record([create])
        await Promise.all([store.close(), store.close()])
        await checkRefused(store.load(), 'STORE_CLOSED')
        await checkRefused(store.record([local(1)]), 'STORE_CLOSED')
        await checkRefused(store.record([]), 'STORE_CLOSED')
        await store.close()
      }),

    '[St10] records under way when the store closes are answered, and those that succeeded are kept': () =>
      withReplicaStore(open, async (store, { reopen }) => {
        await store.record([create])
        const records = [1, 2, 3, 4, 5].map((counter) => store.record([local(counter)]))
        const closing = store.close()
        const outcomes = await Promise.allSettled(records)
        await closing
        const stored = await (await needed(reopen, 'reopen')()).load()
        const kept = stored?.outbox.map(({ id }) => id.counter) ?? []
        for (const [i, { status }] of outcomes.entries()) {
          if (status === 'fulfilled') assert.ok(kept.includes(i + 1), `commit ${i + 1} was recorded`)
        }
      }),
  }
}
