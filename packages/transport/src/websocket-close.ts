/** Why a WebSocket closed: a status code for people who look at the socket, `CODE: message` as its text for Rejoin. */
import { isErrorCode, type CloseReason, type ErrorCode } from '@rejoin/core'

/** `v1` of the protocol; a hub that does not offer it refuses the upgrade. */
export const SUBPROTOCOL = 'rejoin.1'

/** RFC 6455 allows 123 bytes of text in a close frame. */
const TEXT_BYTES_MAX = 123

const statuses: Partial<Record<ErrorCode, number>> = {
  UNAUTHENTICATED: 4401,
  SIGN_IN_EXPIRED: 4401,
  FORBIDDEN: 4403,
  SIGN_IN_UNAVAILABLE: 1013,
  HUB_CLOSING: 1001,
  MESSAGE_TOO_LARGE: 1009,
  HUB_INTERNAL: 1011,
  RATE_LIMITED: 1013,
  PEER_TOO_SLOW: 1013,
}

/** 1000 for an ordinary close, 1008 where no other status says more. */
export function statusOf(reason: CloseReason): number {
  return reason.code === null ? 1000 : (statuses[reason.code] ?? 1008)
}

export function closeTextOf(reason: CloseReason): string {
  const text = reason.code === null ? reason.message : `${reason.code}: ${reason.message}`
  // Cut by bytes; a character cut in two at the end is left out.
  const bytes = new TextEncoder().encode(text)
  return bytes.length <= TEXT_BYTES_MAX
    ? text.toWellFormed()
    : new TextDecoder().decode(bytes.subarray(0, TEXT_BYTES_MAX), { stream: true })
}

export function reasonOf(status: number, text: string): CloseReason {
  const [, code = '', message = ''] = /^([A-Z_]+): (.*)$/s.exec(text) ?? []
  if (isErrorCode(code)) return { code, message }
  if (status === 1009) return { code: 'MESSAGE_TOO_LARGE', message: 'a frame was larger than the peer takes' }
  return { code: null, message: text === '' ? `the socket closed with ${status}` : text }
}
