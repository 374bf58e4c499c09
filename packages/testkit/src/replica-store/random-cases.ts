/** Random step sequences, batched and reopened at random, against the model. */
import fc from 'fast-check'
import type { ReplicaStep } from '@rejoin/core'
import type { Cases } from '../suite-cases.ts'
import {
  bytes,
  checkStored,
  commit,
  create,
  cursorAt,
  hlcAt,
  modelOf,
  rejected,
  withReplicaStore,
  type OpenReplicaStore,
} from './opened.ts'

/** A step before its place in the sequence is known; `size` bends it. */
type Sketch = { readonly kind: Exclude<ReplicaStep['kind'], 'create'>; readonly size: number }
type Call = 'load' | 'reopen' | readonly Sketch[]

const sketch: fc.Arbitrary<Sketch> = fc.record({
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constant('local') },
    { weight: 4, arbitrary: fc.constant('remote') },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        'reidentify',
        'snapshot',
        'settle',
        'reset',
        'recommit',
        'discard',
        'notes',
        'domainVersion',
      ),
    },
  ),
  size: fc.nat(6),
})

const calls: fc.Arbitrary<Call[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.array(sketch, { minLength: 1, maxLength: 5 }) },
    { weight: 1, arbitrary: fc.constantFrom('load', 'reopen') },
  ),
  { maxLength: 15 },
)

export function randomReplicaCases(open: OpenReplicaStore): Cases {
  return {
    '[6] random batches leave what the model holds, also after reopening': () =>
      fc.assert(
        fc.asyncProperty(calls, (sequence) =>
          withReplicaStore(open, async (first, { reopen }) => {
            let store = first
            const steps: ReplicaStep[] = [create]
            await store.record([create])
            for (const call of sequence) {
              if (call === 'load') checkStored(await store.load(), modelOf(steps))
              else if (call === 'reopen') store = reopen === undefined ? store : await reopen()
              else {
                const from = steps.length
                for (const each of call) steps.push(stepOf(each, steps))
                await store.record(steps.slice(from))
              }
            }
            checkStored(await store.load(), modelOf(steps))
            if (reopen !== undefined) checkStored(await (await reopen()).load(), modelOf(steps))
          }),
        ),
        { numRuns: 40 },
      ),
  }
}

/** The sketch as the next step after `steps`. */
function stepOf({ kind, size }: Sketch, steps: readonly ReplicaStep[]): ReplicaStep {
  const model = modelOf(steps)
  const counter = model?.counter ?? 0
  const outbox = [...(model?.outbox.keys() ?? [])].sort((a, b) => a - b)
  const place = steps.length
  const seq = place + 1
  const updates = Array.from({ length: size % 4 }, (_, i) => bytes(`update ${i} at ${place}`.repeat(size)))
  switch (kind) {
    case 'reidentify':
      return { kind, replica: `replica-${place}-of-22-letters`.slice(0, 22), clientId: 3_000 + place }
    case 'local':
      return { kind, commit: commit(counter + 1 + (size === 6 ? 300 : 0)) }
    case 'remote':
      return {
        kind,
        updates,
        settled: outbox.slice(0, size),
        cursor: cursorAt(seq),
        hlc: size < 3 ? null : hlcAt(place * size * 100),
      }
    case 'snapshot':
      return { kind, snapshot: bytes(`snapshot at ${place}`.repeat(size)), cursor: cursorAt(seq), hlc: null }
    case 'settle':
      return { kind, upTo: outbox[size] ?? 0 }
    case 'reset':
      return {
        kind,
        snapshot: size % 2 === 0 ? null : bytes(`new epoch at ${place}`),
        updates,
        cursor: cursorAt(seq, 100 + place),
        clientId: 1_000 + place,
        outbox: outbox.slice(size % 3).map((each) => commit(each, `reset at ${place}`)),
        hlc: hlcAt(place),
      }
    case 'recommit':
      return {
        kind,
        clientId: 2_000 + place,
        outbox: outbox.slice(1).map((each) => commit(each, `recommitted at ${place}`)),
        rejected: outbox.slice(0, 1).map((each) => rejected(each, size === 0 ? null : `ops[${size}]`)),
      }
    case 'discard':
      return { kind, counter: [...(model?.rejected.keys() ?? [])][0] ?? 1 }
    case 'notes':
      return {
        kind,
        notes: {
          lastAttemptAt: place,
          lastSuccessAt: null,
          lastError: null,
          ackedCounter: place,
          sentCounter: place + 1,
        },
      }
    case 'domainVersion':
      return { kind, domainVersion: size }
  }
}
