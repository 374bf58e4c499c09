/** How a session ends, as a value: what to do next is decided by whoever held it. */
import { SyncError, type CloseReason, type Refused } from '@rejoin/core'
import type { ReplicaMemory } from './memory.ts'
import { isStopCode } from './refusals.ts'
import { hasSpoken } from './speaker.ts'

export type SessionEnd =
  /**
   * As it should: the goal was reached, or we left, or a one-shot answer was complete. `refusal`: the hub said "later" to
   * some of our commits, in so many milliseconds.
   */
  | { readonly kind: 'done'; readonly refusal: SyncError | null; readonly waitMs: number | null }
  /** All commits of a former name are in the log: the hub is greeted anew at once, in the next one (`speaker.ts`). */
  | { readonly kind: 'spoken' }
  /** Over a one-shot channel the hub has asked for something, or has had the answer first: what is left goes at once. */
  | { readonly kind: 'asked' }
  | { readonly kind: 'failed'; readonly error: SyncError; readonly waitMs: number | null }
  /** To come again would not help until something else changes. */
  | { readonly kind: 'refused'; readonly error: SyncError }

export const left: SessionEnd = { kind: 'done', refusal: null, waitMs: null }

/** We left, having said all that there was to say. */
export function endOfLeaving(memory: ReplicaMemory): SessionEnd {
  return hasSpoken(memory) ? { kind: 'spoken' } : left
}

/** A one-shot answer was complete. `later`: what the hub put off. */
export function endOfAnswer(
  memory: ReplicaMemory,
  later: { readonly error: SyncError; readonly waitMs: number } | null,
): SessionEnd {
  if (hasSpoken(memory) && memory.outbox.size > 0) return { kind: 'spoken' }
  return { kind: 'done', refusal: later?.error ?? null, waitMs: later?.waitMs ?? null }
}

/** The channel was closed, by the hub or on the way. */
export function endOfChannel(
  { code, message, retryAfterMs }: CloseReason,
  saidMs: number | null,
): SessionEnd {
  const waitMs = saidMs ?? retryAfterMs ?? null
  if (code === null) {
    const why = message === '' ? 'the hub closed the connection' : message
    return { kind: 'failed', error: new SyncError('CHANNEL_CLOSED', why), waitMs }
  }
  return endOfError(new SyncError(code, message), waitMs)
}

export function endOfError(error: SyncError, waitMs: number | null = error.retryAfterMs): SessionEnd {
  return isStopCode(error.code) ? { kind: 'refused', error } : { kind: 'failed', error, waitMs }
}

/** The room was refused, not one commit. */
export function endOfRefusal(refused: Refused): SessionEnd {
  const error = errorOf(refused)
  return refused.retryable ? endOfError(error, refused.retryAfterMs) : { kind: 'refused', error }
}

export function errorOf({ code, message, path }: Refused): SyncError {
  return new SyncError(code, message, path === null ? {} : { path })
}
