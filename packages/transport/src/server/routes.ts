/**
 * Further paths on a hub's port, for what speaks plain HTTP: whoever serves them says which, and answers with a `Response`.
 * Such a request is let in, counted and bounded as every other.
 */
import type { IncomingMessage } from 'node:http'
import { SyncError } from '@rejoin/core'
import { checkAnnounced, readBytes } from './body.ts'
import type { Guest } from './entrance.ts'
import type { HubRequest } from './gate.ts'
import type { Intake } from './intake.ts'
import type { Load, Meter } from './rates.ts'

export interface RouteRequest<Principal> {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  /** Who is asking: once. @throws SyncError UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED, or what `authenticate` throws */
  principal(): Promise<Principal | 'anonymous'>
  /** The request's body, bounded while it comes in: once. @throws SyncError MESSAGE_TOO_LARGE, RATE_LIMITED, CHANNEL_CLOSED */
  body(bytesMax: number): Promise<Uint8Array>
  /** So many commits are about to be made in the caller's name. @throws SyncError RATE_LIMITED; then none may be */
  commits(count: number): void
  /** Aborted when the answer has been given, the caller has gone, or the server is closing. */
  readonly signal: AbortSignal
}

export interface Routes<Principal> {
  /** Patterns such as `/api/*` or `/v1/:namespace/ops`. */
  readonly paths: readonly string[]
  /** Null: there is nothing at this path. A SyncError that is thrown is answered as elsewhere on the port. */
  readonly handle: (request: RouteRequest<Principal>) => Promise<Response | null>
}

export interface RoutedRequest<Principal> {
  readonly asking: HubRequest
  readonly url: URL
  readonly body: IncomingMessage
  readonly intake: Intake
  readonly admit: (asking: HubRequest) => Promise<Guest<Principal>>
  /** Acts once, when the answer has been given or its caller has gone. */
  readonly whenAnswered: (act: () => void) => void
  /** Aborted when the server closes. */
  readonly closing: AbortSignal
}

export function routeRequest<Principal>({
  asking,
  url,
  body,
  intake,
  admit,
  whenAnswered,
  closing,
}: RoutedRequest<Principal>): RouteRequest<Principal> {
  const answered = new AbortController()
  whenAnswered(() => answered.abort())
  let meter: Meter | null = null
  const take = (load: Load): void => {
    const excess = meter?.take(load) ?? null
    if (excess === null) return
    const { of, retryAfterMs } = excess
    throw new SyncError('RATE_LIMITED', `too many ${of}: try again in ${retryAfterMs} ms`, { retryAfterMs })
  }
  return {
    method: asking.method,
    url,
    headers: asking.headers,
    principal: async () => {
      const { principal, seat } = await admit(asking)
      whenAnswered(() => seat.leave())
      meter = seat.meter
      return principal
    },
    body: async (bytesMax) => {
      const announced = Number(asking.headers.get('content-length') ?? 0)
      checkAnnounced(announced, bytesMax)
      const place = intake.enter(announced)
      whenAnswered(() => place.leave())
      const bytes = await readBytes(body, bytesMax, place)
      take({ messages: 1, bytes: bytes.length, commits: 0 })
      return bytes
    },
    commits: (count) => take({ messages: 0, bytes: 0, commits: count }),
    signal: AbortSignal.any([answered.signal, closing]),
  }
}
