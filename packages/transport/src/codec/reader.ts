/**
 * Reads fields from foreign bytes: every length and count is held against the bytes left before anything is allocated,
 * numbers are in shortest form and at most 2^53 - 1, text is well-formed UTF-8. lib0's own readers promise none of this
 * (`HAZARDS.md` A1 to A3), so only its cursor over the bytes is used. Throws SyncError MESSAGE_MALFORMED and nothing else.
 */
import { SyncError, type Hlc, type ReplicaId, type Tag } from '@rejoin/core'
import { createDecoder, readUint8, readUint8Array, type Decoder } from 'lib0/decoding'
import { base64urlOf, hexOf } from './text.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class Reader {
  readonly #decoder: Decoder
  readonly #of: string

  /** `of` names what is read, for errors. */
  constructor(bytes: Uint8Array, of: string) {
    this.#decoder = createDecoder(bytes)
    this.#of = of
  }

  get bytesLeft(): number {
    return this.#decoder.arr.length - this.#decoder.pos
  }

  byte(field: string): number {
    this.#need(1, field)
    return readUint8(this.#decoder)
  }

  uint(field: string): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.byte(field)
      if (byte === 0 && scale > 1) throw this.malformed(`${field} is padded`)
      value += (byte & 0x7f) * scale
      // 2^53 itself and more cannot be told from their neighbours; eight bytes are the most that 2^53 - 1 takes.
      if (value > Number.MAX_SAFE_INTEGER) throw this.malformed(`${field} is above 2^53 - 1`)
      if (byte < 0x80) return value
      scale *= 0x80
      if (scale > 2 ** 49) throw this.malformed(`${field} is above 2^53 - 1`)
    }
  }

  /** How many of something follow: at most `max`, each of at least `bytesEach` bytes. */
  count(field: string, bytesEach: number, max: number): number {
    const count = this.uint(field)
    if (count > this.bytesLeft / bytesEach) throw this.malformed(`${field} promises more than there is`)
    if (count > max) throw this.malformed(`${field} are ${count}, at most ${max} may be`)
    return count
  }

  /** Exactly `length` bytes, as a view of the message. */
  raw(length: number, field: string): Uint8Array {
    this.#need(length, field)
    return readUint8Array(this.#decoder, length)
  }

  /** Bytes with their length before them, as a view of the message. */
  view(field: string): Uint8Array {
    return this.raw(this.uint(field), field)
  }

  /** Bytes with their length before them, copied, so that keeping them does not keep the whole message. */
  bytes(field: string): Uint8Array {
    return this.view(field).slice()
  }

  text(field: string): string {
    return this.decodeText(this.view(field), field)
  }

  decodeText(bytes: Uint8Array, field: string): string {
    try {
      return utf8.decode(bytes)
    } catch {
      throw this.malformed(`${field} is no UTF-8`)
    }
  }

  flags(field: string, known: number): number {
    const flags = this.byte(field)
    if ((flags & ~known) !== 0) throw this.malformed(`${field} holds a flag that is not known`)
    return flags
  }

  replica(field: string): ReplicaId {
    return base64urlOf(this.raw(16, field))
  }

  tag(field: string): Tag {
    return hexOf(this.raw(8, field))
  }

  hlc(field: string): Hlc {
    // The message's schema checks the alphabet; a byte outside of ASCII is no character of it.
    return String.fromCharCode(...this.raw(14, field)) as Hlc
  }

  /** One byte 0 stands for none. */
  hlcOrNone(field: string): Hlc | null {
    const [first] = this.raw(1, field)
    if (first === 0) return null
    return String.fromCharCode(first ?? 0, ...this.raw(13, field)) as Hlc
  }

  end(): void {
    if (this.bytesLeft > 0) throw this.malformed(`${this.bytesLeft} bytes follow its end`)
  }

  malformed(why: string): SyncError {
    return new SyncError('MESSAGE_MALFORMED', `${this.#of}: ${why}`)
  }

  #need(bytes: number, field: string): void {
    if (bytes > this.bytesLeft) throw this.malformed(`it ends inside ${field}`)
  }
}
