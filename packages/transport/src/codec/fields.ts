/** Fields that messages of both directions share. */
import { isErrorCode, type Awareness, type Cursor, type ErrorCode } from '@rejoin/core'
import type { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

/** An epoch is never 0, so a 0 in its place says that there is no cursor. */
export function writeCursor(out: Writer, cursor: Cursor | null): void {
  if (cursor === null) {
    out.uint(0)
    return
  }
  out.uint(cursor.epoch)
  out.uint(cursor.seq)
  out.tag(cursor.tag)
}

export function readCursor(from: Reader): Cursor | null {
  const epoch = from.uint('epoch')
  return epoch === 0 ? null : { epoch, seq: from.uint('seq'), tag: from.tag('tag') }
}

export function needCursor(from: Reader): Cursor {
  const cursor = readCursor(from)
  if (cursor === null) throw from.malformed('it has no cursor')
  return cursor
}

/** A code that this side does not know yet is still a refusal: it reads as HUB_INTERNAL, with the code before the message. */
export function readRefusal(from: Reader): { code: ErrorCode; message: string } {
  const code = from.text('code')
  const message = from.text('message')
  if (isErrorCode(code)) return { code, message }
  if (!/^[A-Z][A-Z_]{0,39}$/.test(code)) throw from.malformed('code is none')
  return { code: 'HUB_INTERNAL', message: clipped(`${code}: ${message}`, 2_000) }
}

/** Text for people is cut rather than refused by the peer's schema. */
export function clipped(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : text.slice(0, charsMax).toWellFormed()
}

export function writeAwareness(out: Writer, message: Awareness): void {
  out.bytes(message.update)
}

export function readAwareness(from: Reader): Awareness {
  return { type: 'Awareness', update: from.bytes('update') }
}
