/** Refusals over HTTP: a status and `{ code, message, retryAfterMs? }`. Whatever is no SyncError stays in this process (`HAZARDS.md` G15). */
import type { Duplex } from 'node:stream'
import { SyncError, type ErrorCode } from '@rejoin/core'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { NoRoom } from './intake.ts'
import type { ServerLog } from './log.ts'

const statuses: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  UNAUTHENTICATED: 401,
  SIGN_IN_EXPIRED: 401,
  FORBIDDEN: 403,
  NAMESPACE_UNKNOWN: 404,
  TIMED_OUT: 408,
  MESSAGE_TOO_LARGE: 413,
  RATE_LIMITED: 429,
  HUB_INTERNAL: 500,
  HUB_CLOSING: 503,
  SIGN_IN_UNAVAILABLE: 503,
}

export interface Refusal {
  readonly status: ContentfulStatusCode
  readonly body: { readonly code: ErrorCode; readonly message: string; readonly retryAfterMs?: number }
  readonly headers: Readonly<Record<string, string>>
}

export function refusal(code: ErrorCode, message: string): Refusal {
  const status = statuses[code] ?? 400
  return { status, body: { code, message }, headers: status === 401 ? { 'www-authenticate': 'Bearer' } : {} }
}

export function refusalFor(error: unknown, log: ServerLog): Refusal {
  if (error instanceof SyncError) {
    const { code, message, retryAfterMs } = error
    log({ event: 'refused', code, message })
    const said = refusal(code, message)
    if (retryAfterMs === null) return said
    return {
      status: error instanceof NoRoom ? 503 : said.status,
      body: { code, message, retryAfterMs },
      headers: { ...said.headers, 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) },
    }
  }
  log({ event: 'fault', error })
  return refusal('HUB_INTERNAL', 'the hub met a bug; its operator can read more in its log')
}

/** Answers an upgrade that is refused, and lets its socket go. */
export function refuseUpgrade(socket: Duplex, error: unknown, log: ServerLog): void {
  const { status, body, headers } = refusalFor(error, log)
  const text = JSON.stringify(body)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(
    `HTTP/1.1 ${status} Refused\r\n${lines.join('')}content-type: application/json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  )
}
