/** Refusals over HTTP: a status and `{ code, message, retryAfterMs? }`. Whatever is no SyncError stays in this process (`HAZARDS.md` G15). */
import { SyncError, type ErrorCode } from '@rejoin/core'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { NoRoom } from './intake.ts'
import type { ServerLog } from './log.ts'

const statuses: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NAMESPACE_UNKNOWN: 404,
  TIMED_OUT: 408,
  MESSAGE_TOO_LARGE: 413,
  RATE_LIMITED: 429,
  HUB_INTERNAL: 500,
  HUB_CLOSING: 503,
}

export interface Refusal {
  readonly status: ContentfulStatusCode
  readonly body: { readonly code: ErrorCode; readonly message: string; readonly retryAfterMs?: number }
  readonly headers: Readonly<Record<string, string>>
}

export function refusal(code: ErrorCode, message: string): Refusal {
  return { status: statuses[code] ?? 400, body: { code, message }, headers: {} }
}

export function refusalFor(error: unknown, log: ServerLog): Refusal {
  if (error instanceof SyncError) {
    log({ event: 'refused', code: error.code, message: error.message })
    return error instanceof NoRoom ? noRoom(error) : refusal(error.code, error.message)
  }
  log({ event: 'fault', error })
  return refusal('HUB_INTERNAL', 'the hub met a bug; its operator can read more in its log')
}

function noRoom({ code, message, retryAfterMs }: NoRoom): Refusal {
  const headers = { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) }
  return { status: 503, body: { code, message, retryAfterMs }, headers }
}
