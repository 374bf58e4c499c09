/**
 * A block of a table of LevelDB: entries in the order of their keys, of each key only what differs from the one before, then places
 * where a whole key stands; behind it a byte that says how it is packed, and the checksum of both. Nothing is taken from a block that
 * does not match its checksum: LevelDB itself looks at none, as it is opened here.
 */
import * as decoding from 'lib0/decoding'
import { maskedCrc32c } from './crc32c.ts'
import { unpacked } from './snappy.ts'

/** How it is packed (1), and the checksum (4). */
export const TRAILER_BYTES = 5

/** Where in its file, without the trailer. */
export interface BlockPlace {
  readonly at: number
  readonly bytes: number
}

export interface BlockEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Far more than LevelDB writes into one: it would be a value of this size. */
const unpackedBytesMax = 2 ** 31

/** @param stored with its trailer. Null where it is not what was written. */
export function blockEntries(stored: Uint8Array): readonly BlockEntry[] | null {
  const contents = blockContents(stored)
  if (contents === null) return null
  try {
    return [...entriesOf(contents)]
  } catch {
    return null
  }
}

/** As it was before it was packed; null where it does not match its checksum, or does not unpack. */
function blockContents(stored: Uint8Array): Uint8Array | null {
  if (!isMatching(stored)) return null
  const contents = stored.subarray(0, -TRAILER_BYTES)
  switch (stored.at(-TRAILER_BYTES)) {
    case 0:
      return contents
    case 1:
      try {
        return unpacked(contents, unpackedBytesMax)
      } catch {
        return null
      }
    default:
      return null
  }
}

export function isMatching(stored: Uint8Array): boolean {
  const end = stored.length - 4
  if (end < 1) return false
  const view = new DataView(stored.buffer, stored.byteOffset + end, 4)
  return view.getUint32(0, true) === maskedCrc32c(stored, 0, end)
}

export function readPlace(decoder: decoding.Decoder): BlockPlace {
  return { at: decoding.readVarUint(decoder), bytes: decoding.readVarUint(decoder) }
}

function* entriesOf(contents: Uint8Array): Generator<BlockEntry, void, undefined> {
  const view = new DataView(contents.buffer, contents.byteOffset, contents.byteLength)
  const end = contents.length - 4 - 4 * view.getUint32(contents.length - 4, true)
  if (end < 0) throw new Error('it has more places than bytes')
  const decoder = decoding.createDecoder(contents.subarray(0, end))
  let before = new Uint8Array(0)
  while (decoding.hasContent(decoder)) {
    const shared = decoding.readVarUint(decoder)
    const own = decoding.readVarUint(decoder)
    const bytes = decoding.readVarUint(decoder)
    if (shared > before.length || decoder.pos + own + bytes > end)
      throw new Error('an entry is beyond its end')
    const key = new Uint8Array(shared + own)
    key.set(before.subarray(0, shared))
    key.set(decoding.readUint8Array(decoder, own), shared)
    before = key
    yield { key, value: decoding.readUint8Array(decoder, bytes) }
  }
}
