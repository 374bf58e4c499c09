/**
 * Steps that wait for the store: whose they are, what they weigh, and who wants to hear of them.
 */
import { type ReplicaStep, type SyncError } from '@rejoin/core'
import { commitBytes } from './outbox.ts'

/** Who wrote what waits: neither takes the other's room. */
export type Author = 'here' | 'others'

export interface Hearer {
  readonly onRecorded: () => void
  readonly onFailed: (error: SyncError) => void
}

export interface WaitingSteps {
  readonly steps: readonly ReplicaStep[]
  readonly author: Author
  readonly bytes: number
  readonly hearers: readonly Hearer[]
}

export function waitingSteps(steps: readonly ReplicaStep[], hearers: readonly Hearer[]): WaitingSteps {
  return { steps, author: authorOf(steps), bytes: stepsBytes(steps), hearers }
}

export function hearersOf(batch: readonly WaitingSteps[]): readonly Hearer[] {
  return batch.flatMap(({ hearers }) => hearers)
}

export function areNotes(steps: readonly ReplicaStep[]): boolean {
  return steps.length === 1 && steps[0]?.kind === 'notes'
}

function authorOf(steps: readonly ReplicaStep[]): Author {
  return steps.some(({ kind }) => kind === 'local') ? 'here' : 'others'
}

function stepsBytes(steps: readonly ReplicaStep[]): number {
  return steps.reduce((sum, step) => sum + stepBytes(step), 0)
}

/** Bytes that nothing else keeps: an outbox made anew is bounded by itself. */
function stepBytes(step: ReplicaStep): number {
  switch (step.kind) {
    case 'local':
      return commitBytes(step.commit)
    case 'remote':
      return step.updates.reduce((sum, update) => sum + update.length, 0)
    case 'snapshot':
      return step.snapshot.length
    case 'reset':
      return (step.snapshot?.length ?? 0) + step.updates.reduce((sum, update) => sum + update.length, 0)
    default:
      return 0
  }
}
