/** What to do about the refusals of one push, as a value. Every answer is in when this is decided. */
import type { Counter, ErrorCode, Refused } from '@rejoin/core'

/** A refusal of one commit. */
export type CommitRefusal = Refused & { readonly counter: Counter }

export type RefusalPlan =
  /** Ours are bytes of another epoch: the hub resets this session by itself. */
  | { readonly kind: 'awaitReset' }
  /** Build the document anew from the base, without `rejected`, and push the rest again. */
  | {
      readonly kind: 'rebuild'
      readonly rejected: readonly CommitRefusal[]
      readonly later: CommitRefusal | null
    }
  /** Push the same again later. */
  | { readonly kind: 'wait'; readonly later: CommitRefusal }
  /** The hub's mark is not what we think: greet it again. */
  | { readonly kind: 'reconnect'; readonly refusal: CommitRefusal }
  /** Nothing about these commits: the hub will not have us at all. */
  | { readonly kind: 'stop'; readonly refusal: CommitRefusal }

/** The hub or our place in it, not the commit: commits stay where they are and the replica stops. */
const stopCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'HISTORY_DIVERGED',
  'UNAUTHENTICATED',
  'DOMAIN_UNKNOWN',
  'DOMAIN_MISMATCH',
  'NAMESPACE_DELETED',
  'NAMESPACE_INVALID',
  'REPLICA_TAKEN',
  'PROTOCOL_VERSION',
])

/** Also in refusals of the whole room, and as reasons for closing: to come again would not help. */
export function isStopCode(code: ErrorCode): boolean {
  return stopCodes.has(code) || code === 'FORBIDDEN' || isHeld(code)
}

/**
 * Of a commit: the hub knows an older version of the domain than its author, or than the document. The commit waits until
 * the hub was updated, and everything else goes on.
 */
export function isHeld(code: ErrorCode): boolean {
  return code === 'DOMAIN_TOO_NEW'
}

/** Bytes that build on something the hub lacks, or under an id that is not ours: mended by making them anew, once. */
const mendedCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UPDATE_CLOCK_GAP',
  'UPDATE_UNKNOWN_ITEM',
  'CLIENT_TAKEN',
])

export function isMended(code: ErrorCode): boolean {
  return mendedCodes.has(code)
}

/** Why a commit is rejected that the log went past without. */
export const passedRefusal = {
  code: 'WITHDRAWN',
  message:
    'it waited here and in another copy of this folder; there it was withdrawn, or refused by the hub, before the commits ' +
    'after it were sent: resubmit or discard it',
  path: null,
} as const satisfies Pick<Refused, 'code' | 'message' | 'path'>

/** @param rebuilt commits that were already made again on this channel because of such a refusal. */
export function planRefusals(
  refusals: readonly CommitRefusal[],
  rebuilt: ReadonlySet<Counter>,
): RefusalPlan | null {
  const [first] = refusals
  if (first === undefined) return null
  const stop = refusals.find(({ code }) => stopCodes.has(code))
  if (stop !== undefined) return { kind: 'stop', refusal: stop }
  if (refusals.some(({ code }) => code === 'EPOCH_CHANGED')) return { kind: 'awaitReset' }
  // Later commits of a refused one are gaps: they are not refused themselves, only not accepted yet.
  const ofTheirOwn = refusals.filter(({ code }) => code !== 'PUSH_GAP')
  if (ofTheirOwn.length === 0) return { kind: 'reconnect', refusal: first }
  const mended = ofTheirOwn.filter(({ code, counter }) => isMended(code) && !rebuilt.has(counter))
  const rest = ofTheirOwn.filter((refusal) => !mended.includes(refusal))
  const isLater = ({ retryable, code }: CommitRefusal): boolean => retryable || isHeld(code)
  const rejected = rest.filter((refusal) => !isLater(refusal))
  const later = rest.find(isLater) ?? null
  const asBefore = mended.length === 0 && rejected.length === 0 && later?.code !== 'CLIENT_TAKEN'
  return asBefore && later !== null ? { kind: 'wait', later } : { kind: 'rebuild', rejected, later }
}
