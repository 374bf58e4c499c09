/**
 * Reads lib0's numbers, strings and values from bytes of strangers: bounded, in shortest form only, never past the end.
 * It never calls a lib0 or Yjs decoder (HAZARDS rows A1 to A3, D1 to D7). Every refusal names the byte.
 */
import { limits, SyncError, type ErrorCode, type Value } from '@rejoin/core'

const VARUINT_BYTES_MAX = 8
const INTEGER_MAX = 0x7fffffff
/** Below this many bytes a loop is faster than a `TextDecoder`. */
const SHORT_TEXT_BYTES = 32

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** lib0's tags of values. */
export const TAG_TEXT = 119
export const TAG_ARRAY = 117
const TAG_OBJECT = 118
const TAG_TRUE = 120
const TAG_FALSE = 121
const TAG_FLOAT64 = 123
const TAG_FLOAT32 = 124
const TAG_INTEGER = 125
const TAG_NULL = 126
const TAGS_BEYOND_JSON: ReadonlyMap<number, string> = new Map([
  [116, 'bytes'],
  [122, 'a bigint'],
  [127, 'undefined'],
])

/** A text that a reader has read, and where. */
export interface LastText {
  from: number
  length: number
  text: string
}

export function noText(): LastText {
  return { from: 0, length: -1, text: '' }
}

export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  /** What is read, for messages: `update`. */
  readonly #what: string
  at = 0

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#what = what
  }

  get left(): number {
    return this.#bytes.length - this.at
  }

  /** Bytes that do not read. */
  malformed(why: string, at = this.at): SyncError {
    return this.#fault('UPDATE_MALFORMED', why, at)
  }

  /** Bytes that read, but as something that is not allowed here. */
  disallowed(why: string, at = this.at, cause?: unknown): SyncError {
    return this.#fault('UPDATE_DISALLOWED', why, at, cause)
  }

  end(): void {
    if (this.left > 0) throw this.malformed(`${this.left} bytes are left over`)
  }

  byte(): number {
    const byte = this.#bytes[this.at]
    if (byte === undefined) throw this.malformed('the bytes end too early')
    this.at++
    return byte
  }

  /** A whole number up to 2^53 - 1, or up to `max`. */
  uint(max: number = Number.MAX_SAFE_INTEGER): number {
    const start = this.at
    let value = 0
    let scale = 1
    for (let i = 0; i < VARUINT_BYTES_MAX; i++) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (byte === 0 && i > 0) throw this.malformed('a number is not in its shortest form', start)
        if (value > max) throw this.malformed(`a number is above ${max}`, start)
        return value
      }
      scale *= 128
    }
    throw this.malformed('a number is too long', start)
  }

  /** How many things follow. More than the bytes left could hold are refused before anything is allocated for them. */
  count(bytesEach: number): number {
    const start = this.at
    const count = this.uint()
    if (count * bytesEach > this.left) {
      throw this.malformed(`${count} things are announced, ${this.left} bytes are left`, start)
    }
    return count
  }

  text(): string {
    const start = this.at
    const length = this.count(1)
    const from = this.at
    this.at += length
    if (length < SHORT_TEXT_BYTES) {
      let text = ''
      let i = from
      for (; i < this.at; i++) {
        const byte = this.#bytes[i] ?? 0
        if (byte > 0x7f) break
        text += String.fromCharCode(byte)
      }
      if (i === this.at) return text
    }
    try {
      // Fatal: refuses lone surrogates and longer forms than needed too.
      return utf8.decode(this.#bytes.subarray(from, this.at))
    } catch {
      throw this.malformed('a text is not UTF-8', start)
    }
  }

  /** As `text`, where the same is likely to come again: then its bytes are compared with `last`, and not decoded. */
  textLike(last: LastText): string {
    const start = this.at
    const length = this.count(1)
    if (length === last.length && this.#repeats(last.from, length)) {
      this.at += length
      return last.text
    }
    last.from = this.at
    last.length = length
    this.at = start
    last.text = this.text()
    return last.text
  }

  /** Whether the next bytes are those from `from` on. */
  #repeats(from: number, length: number): boolean {
    for (let i = 0; i < length; i++) if (this.#bytes[from + i] !== this.#bytes[this.at + i]) return false
    return true
  }

  /** A JSON value in canonical form, so that equal values have equal bytes. */
  value(depth = 0): Value {
    const start = this.at
    if (depth > limits.valueDepthMax) {
      throw this.disallowed(`a value is nested deeper than ${limits.valueDepthMax} levels`)
    }
    const tag = this.byte()
    switch (tag) {
      case TAG_TEXT:
        return this.text()
      case TAG_INTEGER:
        return this.#integer(start)
      case TAG_FLOAT32:
        return this.#float(start, 4)
      case TAG_FLOAT64:
        return this.#float(start, 8)
      case TAG_TRUE:
        return true
      case TAG_FALSE:
        return false
      case TAG_NULL:
        return null
      case TAG_ARRAY: {
        const items: Value[] = []
        for (let left = this.count(1); left > 0; left--) items.push(this.value(depth + 1))
        return items
      }
      case TAG_OBJECT:
        return this.#object(depth)
      default: {
        const known = TAGS_BEYOND_JSON.get(tag)
        if (known !== undefined) throw this.disallowed(`a value is ${known}, which JSON cannot hold`, start)
        throw this.malformed(`${tag} starts no value`, start)
      }
    }
  }

  #object(depth: number): Value {
    const object: Record<string, Value> = {}
    let previous: string | null = null
    // A name and a value take two bytes at least.
    for (let left = this.count(2); left > 0; left--) {
      const start = this.at
      const name = this.text()
      if (name === '__proto__') throw this.disallowed('a field is named __proto__', start)
      if (previous !== null && !standsBefore(previous, name)) {
        throw this.disallowed(`field ${JSON.stringify(name)} is there twice or out of order`, start)
      }
      object[name] = this.value(depth + 1)
      previous = name
    }
    return object
  }

  #integer(start: number): number {
    const first = this.byte()
    const negative = (first & 0x40) !== 0
    let value = first & 0x3f
    let byte = first
    for (let scale = 64; byte > 0x7f; scale *= 128) {
      byte = this.byte()
      value += (byte & 0x7f) * scale
      // Scale grows with each byte, so a padded number is refused at its sixth byte at the latest.
      if (value > INTEGER_MAX || byte === 0 || scale > INTEGER_MAX) {
        throw this.malformed('a number is not in its shortest form', start)
      }
    }
    if (negative && value === 0) throw this.disallowed('a number is -0, which JSON cannot hold', start)
    return negative ? -value : value
  }

  #float(start: number, bytes: 4 | 8): number {
    if (this.left < bytes) throw this.malformed('the bytes end too early')
    const value = bytes === 4 ? this.#view.getFloat32(this.at) : this.#view.getFloat64(this.at)
    this.at += bytes
    if (!Number.isFinite(value)) throw this.disallowed(`a number is ${value}, which JSON cannot hold`, start)
    const shorter = bytes === 4 ? false : Math.fround(value) === value
    if (shorter || (Number.isInteger(value) && Math.abs(value) <= INTEGER_MAX)) {
      throw this.malformed('a number is not in its shortest form', start)
    }
    return value
  }

  #fault(code: ErrorCode, why: string, at: number, cause?: unknown): SyncError {
    const path = `${this.#what}@${at}`
    return new SyncError(code, `${path}: ${why}`, cause === undefined ? { path } : { path, cause })
  }
}

/** The order in which JavaScript lists the names of a canonical object: array indexes by size, then text by text. */
function standsBefore(a: string, b: string): boolean {
  const indexA = arrayIndex(a)
  const indexB = arrayIndex(b)
  if (indexA !== null && indexB !== null) return indexA < indexB
  if (indexA !== null || indexB !== null) return indexA !== null
  return a < b
}

function arrayIndex(name: string): number | null {
  if (!/^(?:0|[1-9][0-9]{0,9})$/.test(name)) return null
  const index = Number(name)
  return index < 2 ** 32 - 1 ? index : null
}
