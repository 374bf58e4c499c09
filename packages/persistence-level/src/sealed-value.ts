/**
 * Stored values: every value in the database is sealed with its format, its length and a checksum, so that a flipped,
 * lost or swapped byte is reported and never read as data (invariant 13; `HAZARDS.md` F4 and F5: LevelDB itself serves
 * damaged tables without an error).
 *
 * Layout, the same in every format: format (1 byte), length of the body (4, big-endian), checksum (4), body.
 */
import { damaged, SyncError } from '@rejoin/core'
import { sha256, sha256Start } from '#sha256'

/** Format of everything this package writes, but for what says something that its first release must not overlook. */
export const FORMAT = 1
/** Of a replica's meta record, where it has had another identity before. */
export const FORMAT_OF_COPIES = 2

const LENGTH_AT = 1
const CHECKSUM_AT = 5
const BODY_AT = 9

const utf8 = new TextEncoder()
/** Where a key and a small value are laid side by side to be hashed. */
const scratch = new Uint8Array(16 * 1024)

/** A copy of `body`, sealed for `key`. */
export function seal(key: string, body: Uint8Array, format: number = FORMAT): Uint8Array {
  return sealParts(key, nothing, body, format)
}

const nothing = new Uint8Array(0)

/** The same of a body in two parts. */
export function sealParts(
  key: string,
  start: Uint8Array,
  rest: Uint8Array,
  format: number = FORMAT,
): Uint8Array {
  const length = start.length + rest.length
  const sealed = new Uint8Array(BODY_AT + length)
  sealed[0] = format
  writeUint32(sealed, LENGTH_AT, length)
  sealed.set(start, BODY_AT)
  sealed.set(rest, BODY_AT + start.length)
  writeUint32(sealed, CHECKSUM_AT, checksum(key, sealed))
  return sealed
}

/**
 * The body in `sealed`, as a view of its bytes.
 * @throws SyncError STORE_CORRUPT, naming the key; FORMAT_TOO_NEW where the value is whole and a newer Rejoin wrote it.
 */
export function unseal(key: string, sealed: Uint8Array): Uint8Array {
  if (sealed.length < BODY_AT) throw corrupt(key, `holds ${sealed.length} bytes, too few for a header`)
  const length = readUint32(sealed, LENGTH_AT)
  if (length !== sealed.length - BODY_AT) {
    throw corrupt(key, `holds ${sealed.length - BODY_AT} bytes where ${length} were written`)
  }
  if (checksumOf(sealed) !== checksum(key, sealed)) throw corrupt(key, 'does not match its checksum')
  // Asked last: a format byte that was flipped is damage, not the future.
  const format = sealed[0] ?? 0
  const newest = key.startsWith('replica!meta!') ? FORMAT_OF_COPIES : FORMAT
  if (format > newest) {
    throw new SyncError(
      'FORMAT_TOO_NEW',
      `${key} is written in format ${format}, this version reads up to ${newest}: use a newer Rejoin`,
    )
  }
  if (format < 1) throw corrupt(key, `names format ${format}, which never was`)
  // Never a Buffer, whose `slice` is no copy.
  return new Uint8Array(sealed.buffer, sealed.byteOffset + BODY_AT, length)
}

/** The checksum that a sealed value carries; it depends on the key too. */
export function checksumOf(sealed: Uint8Array): number {
  return readUint32(sealed, CHECKSUM_AT)
}

/** Its `path` is the key. */
export function corrupt(key: string, why: string): SyncError {
  return damaged(`the stored value ${key} ${why}`, { path: key })
}

/** What `read` makes of a body that matches its checksum. @throws SyncError STORE_CORRUPT where it makes nothing of it */
export function readBody<T>(key: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof SyncError) throw error
    throw corrupt(key, 'matches its checksum and does not read')
  }
}

export function isCorrupt(error: unknown): boolean {
  return error instanceof SyncError && error.code === 'STORE_CORRUPT'
}

/** A store whose end is lost, though what is left of it is whole. */
export function tooShort(key: string, name: string, batches: number, batchesMin: number): SyncError {
  return corrupt(
    key,
    `counts ${batches} batches where ${batchesMin} were written, so the end of ${name} is lost`,
  )
}

// The key is part of it: a whole value that turns up under another key is damage as well.
function checksum(key: string, sealed: Uint8Array): number {
  // A character takes at most three bytes.
  if (key.length * 3 + sealed.length > scratch.length) {
    return readUint32(sha256(utf8.encode(key), sealed.subarray(0, CHECKSUM_AT), sealed.subarray(BODY_AT)), 0)
  }
  const from = utf8.encodeInto(key, scratch).written
  const end = from + sealed.length
  scratch.set(sealed, from)
  scratch.copyWithin(from + CHECKSUM_AT, from + BODY_AT, end)
  return sha256Start(scratch.subarray(0, end - (BODY_AT - CHECKSUM_AT)))
}

function readUint32(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
