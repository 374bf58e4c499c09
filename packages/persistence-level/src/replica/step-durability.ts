/**
 * Which steps have to be on the disk before they are answered, where bringing them there is paid for (`HAZARDS.md` F11): what
 * was made here and nobody else has. What a hub tells again a power cut may take, together with the cursor that covers it.
 */
import { unreachable, type Durability, type ReplicaStep } from '@rejoin/core'
import type { ReplicaMeta } from './replica-meta.ts'

/** @param meta as it is before them. */
export function enoughFor(steps: readonly ReplicaStep[], meta: ReplicaMeta | null): Durability {
  return steps.some((step) => isOwn(step, meta)) ? 'durable' : 'applied'
}

function isOwn(step: ReplicaStep, meta: ReplicaMeta | null): boolean {
  switch (step.kind) {
    case 'create':
    case 'reidentify':
    case 'local':
    // They write the outbox anew, under a client id that is pushed next.
    case 'reset':
    case 'recommit':
    case 'discard':
      return true
    // What may have been sent must not be taken for what never was.
    case 'notes':
      return step.notes.sentCounter > (meta?.notes.sentCounter ?? 0)
    // A commit that comes back into the outbox without them is acknowledged again.
    case 'remote':
    case 'settle':
    case 'snapshot':
    case 'domainVersion':
      return false
    default:
      return unreachable(step)
  }
}
