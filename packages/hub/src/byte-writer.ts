/**
 * Writes numbers, texts and bytes as lib0 reads them, into one buffer that is used over and over: a record is written for every
 * append, and a fresh buffer for each takes longer than filling it.
 */

const BYTES_MIN = 4 * 1024
/** What outgrew it once is not kept. */
const BYTES_KEPT_MAX = 256 * 1024
/** Below this many a loop is faster than a `TextEncoder`. */
const SHORT_TEXT_CHARS = 192
const utf8 = new TextEncoder()

export class ByteWriter {
  #bytes = new Uint8Array(BYTES_MIN)
  #at = 0

  get length(): number {
    return this.#at
  }

  /** Begins anew. */
  reset(): void {
    this.#at = 0
    if (this.#bytes.length > BYTES_KEPT_MAX) this.#bytes = new Uint8Array(BYTES_MIN)
  }

  /** Back to the start, over what is there. */
  rewind(): void {
    this.#at = 0
  }

  /** Leaves so many bytes to be written later. */
  skip(bytes: number): void {
    this.#reserve(bytes)
    this.#at += bytes
  }

  /** What was written from there on, until more is. */
  view(from: number): Uint8Array {
    return this.#bytes.subarray(from, this.#at)
  }

  /** The first bytes. */
  copy(length: number): Uint8Array {
    return this.#bytes.slice(0, length)
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#at++] = value
  }

  /** A whole number from 0 to 2^53 - 1: seven bits a byte, the lowest first. */
  uint(value: number): void {
    this.#reserve(8)
    let rest = value
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    this.#bytes[this.#at++] = rest
  }

  /** Big-endian. */
  uint32(value: number): void {
    for (let shift = 24; shift >= 0; shift -= 8) this.byte((value >>> shift) & 0xff)
  }

  /** The bytes that hexadecimal digits stand for. */
  hex(digits: string): void {
    for (let i = 0; i < digits.length; i += 2) this.byte((nibble(digits, i) << 4) | nibble(digits, i + 1))
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
  }

  /** With their length before them. */
  bytes(bytes: Uint8Array): void {
    this.uint(bytes.length)
    this.raw(bytes)
  }

  /** UTF-8, with the length in bytes before it. */
  text(text: string): void {
    // A character takes at most three bytes, and a length eight.
    this.#reserve(8 + text.length * 3)
    const start = this.#at
    // Most texts take a byte a character, so that their length is known before they are written.
    this.uint(text.length)
    const from = this.#at
    const end = from + this.#write(text, from)
    this.#at = end
    if (end - from === text.length) return
    this.#at = start
    this.uint(end - from)
    const shift = this.#at - from
    if (shift > 0) {
      // The longer length has run over the first bytes.
      this.#write(text, this.#at)
    }
    this.#at = end + shift
  }

  /** Returns how many bytes it takes. */
  #write(text: string, at: number): number {
    const bytes = this.#bytes
    if (text.length < SHORT_TEXT_CHARS) {
      let i = 0
      for (; i < text.length; i++) {
        const unit = text.charCodeAt(i)
        if (unit > 0x7f) break
        bytes[at + i] = unit
      }
      if (i === text.length) return i
    }
    return utf8.encodeInto(text, bytes.subarray(at)).written
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = grown
  }
}

function nibble(digits: string, at: number): number {
  const unit = digits.charCodeAt(at)
  return unit < 0x3a ? unit - 0x30 : (unit | 0x20) - 0x57
}
