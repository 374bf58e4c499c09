/**
 * Frames: what one connection carries, each `[channel][kind][…]`, so that many channels share it. A message that does not
 * fit a frame travels in fragments with its total and hash before them. One fragmented message at a time in each
 * direction, other channels' frames between: so what an unfinished one may hold is bounded by one message (`HAZARDS.md` G3).
 */
import { isErrorCode, limits, SyncError, type CloseReason } from '@rejoin/core'
import { clipped } from './codec/fields.ts'
import { Reader } from './codec/reader.ts'
import { Writer } from './codec/writer.ts'

export type Frame =
  | { readonly kind: 'whole'; readonly channel: number; readonly payload: Uint8Array }
  | {
      readonly kind: 'first'
      readonly channel: number
      /** Bytes of the whole message. */
      readonly total: number
      /** The first 8 bytes of its SHA-256. */
      readonly hash: Uint8Array
      readonly payload: Uint8Array
    }
  | { readonly kind: 'further'; readonly channel: number; readonly payload: Uint8Array }
  /** Half close: nothing more comes on this channel from this side. */
  | { readonly kind: 'end'; readonly channel: number }
  /** The channel is gone, an unfinished message of it too. */
  | { readonly kind: 'close'; readonly channel: number; readonly reason: CloseReason }
  /** The hub is alive. Channel 0 is the connection itself. */
  | { readonly kind: 'beat'; readonly channel: 0 }

const kinds = { whole: 0, first: 1, further: 2, end: 3, close: 4, beat: 5 } as const satisfies Record<
  Frame['kind'],
  number
>

/** Room for channel, kind, total and hash in front of a fragment. */
const HEADER_BYTES_MAX = 32

/** Payload bytes of a frame; a larger message is cut into pieces of this size. */
export const PAYLOAD_BYTES_MAX = limits.frameBytesMax - HEADER_BYTES_MAX
/** Payload bytes of every fragment but the last, at least: a million crumbs would cost more than their bytes. */
export const FRAGMENT_BYTES_MIN = 4 * 1024

const CLOSE_MESSAGE_CHARS_MAX = 2_000

export function encodeFrame(frame: Frame): Uint8Array {
  const out = new Writer()
  out.uint(frame.channel)
  out.byte(kinds[frame.kind])
  switch (frame.kind) {
    case 'first':
      out.uint(frame.total)
      out.raw(frame.hash)
      out.raw(frame.payload)
      break
    case 'whole':
    case 'further':
      out.raw(frame.payload)
      break
    case 'close':
      out.text(frame.reason.code ?? '')
      out.text(clipped(frame.reason.message, CLOSE_MESSAGE_CHARS_MAX))
      break
    case 'end':
    case 'beat':
      break
  }
  return out.finish()
}

/**
 * Payloads are views of `bytes`.
 * @throws SyncError MESSAGE_MALFORMED, MESSAGE_UNKNOWN or MESSAGE_TOO_LARGE
 */
export function decodeFrame(bytes: Uint8Array): Frame {
  if (bytes.length > limits.frameBytesMax) {
    throw new SyncError(
      'MESSAGE_TOO_LARGE',
      `a frame has at most ${limits.frameBytesMax} bytes, not ${bytes.length}`,
    )
  }
  const from = new Reader(bytes, 'a frame')
  const channel = from.uint('channel')
  const kind = from.byte('kind')
  if ((channel === 0) !== (kind === kinds.beat))
    throw from.malformed('channel 0 is for beats, and they for it')
  switch (kind) {
    case kinds.whole:
      return { kind: 'whole', channel, payload: rest(from) }
    case kinds.first:
      return {
        kind: 'first',
        channel,
        total: from.uint('total'),
        hash: from.raw(8, 'hash'),
        payload: rest(from),
      }
    case kinds.further:
      return { kind: 'further', channel, payload: rest(from) }
    case kinds.end:
      from.end()
      return { kind: 'end', channel }
    case kinds.close:
      return { kind: 'close', channel, reason: readReason(from) }
    case kinds.beat:
      from.end()
      return { kind: 'beat', channel: 0 }
    default:
      throw new SyncError('MESSAGE_UNKNOWN', `frame kind ${kind} is not known`)
  }
}

function rest(from: Reader): Uint8Array {
  return from.raw(from.bytesLeft, 'payload')
}

/** A code that this side does not know yet still closes the channel. */
function readReason(from: Reader): CloseReason {
  const code = from.text('code')
  const message = from.text('message')
  from.end()
  return { code: code === '' ? null : isErrorCode(code) ? code : 'CHANNEL_CLOSED', message }
}
