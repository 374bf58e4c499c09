/** How a session ends, as a value: what to do next is decided by whoever held it. */
import { SyncError, type CloseReason, type Refused } from '@rejoin/core'
import { isStopCode } from './refusals.ts'

export type SessionEnd =
  /**
   * As it should: the goal was reached, or we left, or a one-shot answer was complete. `refusal`: the hub said "later" to
   * some of our commits, in so many milliseconds.
   */
  | { readonly kind: 'done'; readonly refusal: SyncError | null; readonly waitMs: number | null }
  | { readonly kind: 'failed'; readonly error: SyncError; readonly waitMs: number | null }
  /** To come again would not help until something else changes. */
  | { readonly kind: 'refused'; readonly error: SyncError }

export const left: SessionEnd = { kind: 'done', refusal: null, waitMs: null }

/** The channel was closed, by the hub or on the way. */
export function endOfChannel({ code, message }: CloseReason, waitMs: number | null): SessionEnd {
  if (code === null) {
    const why = message === '' ? 'the hub closed the connection' : message
    return { kind: 'failed', error: new SyncError('CHANNEL_CLOSED', why), waitMs }
  }
  return endOfError(new SyncError(code, message), waitMs)
}

export function endOfError(error: SyncError, waitMs: number | null = null): SessionEnd {
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
