/** What a hub's HTTP refusal means: by its `{ code, message }` where it has one, else by its status. */
import { isErrorCode, SyncError, type ErrorCode } from '@rejoin/core'

const codes: Record<number, ErrorCode> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  413: 'MESSAGE_TOO_LARGE',
  429: 'RATE_LIMITED',
}

export function refusalOf(url: URL, status: number, body: string): SyncError {
  const said = parsed(body)
  if (said !== null) return said
  const code = codes[status]
  if (code !== undefined) return new SyncError(code, `${url.origin} refused with HTTP ${status}`)
  return new SyncError('HUB_UNREACHABLE', `no hub answers at ${url.origin} (HTTP ${status})`)
}

function parsed(body: string): SyncError | null {
  try {
    const said: unknown = JSON.parse(body)
    if (typeof said !== 'object' || said === null || !('code' in said) || !('message' in said)) return null
    const { code, message } = said
    if (typeof code !== 'string' || !isErrorCode(code) || typeof message !== 'string') return null
    const retryAfterMs = 'retryAfterMs' in said ? said.retryAfterMs : null
    const later = typeof retryAfterMs === 'number' && retryAfterMs >= 0 ? { retryAfterMs } : {}
    return new SyncError(code, message.slice(0, 2_000), later)
  } catch {
    return null
  }
}
