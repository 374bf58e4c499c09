/** Answers of the gateway: JSON, whole or as it comes, and refusals as `{ error, message }` with a fitting status. */
import { limits, SyncError, type Clock, type ErrorCode } from '@rejoin/core'

export interface Refusal {
  readonly status: number
  readonly error: string
  readonly message: string
  /** What else the caller has to know. */
  readonly more?: object
}

export function jsonAnswer(body: unknown, status = 200): Response {
  return textAnswer(JSON.stringify(body), status)
}

/** 401 has no body: who is not known is told nothing. */
export function refusalAnswer({ status, error, message, more }: Refusal): Response {
  const headers = { 'www-authenticate': 'Bearer', 'cache-control': 'no-store' }
  if (status === 401) return new Response(null, { status, headers })
  return jsonAnswer({ error, message, ...more }, status)
}

/** Null where only a bug explains it: nothing of that is told to a peer. */
export function refusalOf(error: unknown): Refusal | null {
  if (!(error instanceof SyncError)) return null
  const { code, message, path, retryAfterMs } = error
  const more = { ...(path === null ? {} : { path }), ...(retryAfterMs === null ? {} : { retryAfterMs }) }
  return { status: statuses[code] ?? (error.retryable ? 503 : 500), error: code, message, more }
}

const statuses: Partial<Record<ErrorCode, number>> = {
  INPUT_INVALID: 400,
  NAMESPACE_INVALID: 400,
  UNAUTHENTICATED: 401,
  SIGN_IN_EXPIRED: 401,
  FORBIDDEN: 403,
  NAMESPACE_UNKNOWN: 404,
  MESSAGE_UNKNOWN: 404,
  HISTORY_DIVERGED: 409,
  NAMESPACE_DELETED: 410,
  MESSAGE_TOO_LARGE: 413,
  RATE_LIMITED: 429,
}

/**
 * An answer that is made while it is sent: the next part when the last one was taken, so one part is all that is in memory.
 * What goes wrong before the first part is thrown, later it cuts the answer off. A peer that takes nothing for
 * `limits.backlogMsMax` is not waited for.
 */
export async function streamedAnswer(
  parts: AsyncGenerator<string, void>,
  type: string,
  clock: Clock,
  onFault: (error: unknown) => void,
): Promise<Response> {
  const encoder = new TextEncoder()
  const first = await parts.next()
  let ready: IteratorResult<string, void> | null = first
  let taken = new AbortController()
  let isGone = false
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        taken.abort()
        try {
          const { done, value } = ready ?? (await parts.next())
          ready = null
          // Whoever asked left while this was made: nobody is there to hand it to, and that is no fault.
          if (isGone) return
          if (done === true) return controller.close()
          controller.enqueue(encoder.encode(value))
        } catch (error) {
          // Whose sign-in ended meanwhile is no fault.
          if ((refusalOf(error)?.status ?? 500) >= 500) onFault(error)
          return controller.error(error)
        }
        const over = new AbortController()
        taken = over
        void clock.sleep(limits.backlogMsMax, over.signal).then(async () => {
          if (over.signal.aborted) return
          controller.error(new SyncError('PEER_TOO_SLOW', 'what was sent was not taken'))
          await parts.return()
        })
      },
      cancel: async () => {
        isGone = true
        taken.abort()
        await parts.return()
      },
    },
    // Nothing is made before it is wanted.
    { highWaterMark: 0 },
  )
  return new Response(body, { headers: { 'content-type': type, 'cache-control': 'no-store' } })
}

/** The parts of a JSON text whose members come one by one. */
export async function* jsonParts(
  open: string,
  members: AsyncIterable<string>,
  close: string,
): AsyncGenerator<string, void> {
  let before = open
  for await (const member of members) {
    yield before + member
    before = ','
  }
  yield (before === open ? open : '') + close
}

function textAnswer(text: string, status: number): Response {
  return new Response(text, {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  })
}
