/**
 * Unpacks Snappy's raw format, in which LevelDB stores blocks: a length, then pieces that are bytes or stand for bytes before them.
 * Of our own, since it is these few lines, and the package there is takes a stream that ends too early for a whole one.
 */
import * as decoding from 'lib0/decoding'

/** @param bytesMax of what it unpacks to. @throws Error where the stream is not whole. */
export function unpacked(packed: Uint8Array, bytesMax: number): Uint8Array {
  const decoder = decoding.createDecoder(packed)
  const length = decoding.readVarUint(decoder)
  if (length > bytesMax) throw new Error(`${length} bytes are packed, more than ${bytesMax}`)
  const out = new Uint8Array(length)
  let at = 0
  while (decoding.hasContent(decoder)) {
    const tag = decoding.readUint8(decoder)
    if ((tag & 3) === 0) {
      const bytes = taken(decoder, literalLength(decoder, tag >>> 2))
      if (at + bytes.length > length) throw new Error('more is packed than it says')
      out.set(bytes, at)
      at += bytes.length
    } else {
      const { offset, count } = copyOf(decoder, tag)
      if (offset === 0 || offset > at || at + count > length) throw new Error('a copy is of no bytes there')
      // Byte by byte: it may go on into what it writes.
      for (const end = at + count; at < end; at++) out[at] = out[at - offset] ?? 0
    }
  }
  if (at !== length) throw new Error(`${at} bytes are packed, and not ${length}`)
  return out
}

/** Up to 60 it is in the tag; 60 to 63 say in how many bytes behind it. */
function literalLength(decoder: decoding.Decoder, inTag: number): number {
  return (inTag < 60 ? inTag : littleEndian(decoder, inTag - 59)) + 1
}

function copyOf(decoder: decoding.Decoder, tag: number): { readonly offset: number; readonly count: number } {
  if ((tag & 3) === 1)
    return { offset: (tag >>> 5) * 256 + littleEndian(decoder, 1), count: ((tag >>> 2) & 7) + 4 }
  return { offset: littleEndian(decoder, (tag & 3) === 2 ? 2 : 4), count: (tag >>> 2) + 1 }
}

function littleEndian(decoder: decoding.Decoder, bytes: number): number {
  return taken(decoder, bytes).reduceRight((sum, byte) => sum * 256 + byte, 0)
}

/** lib0 would read behind the end, where the bytes are a part of more. */
function taken(decoder: decoding.Decoder, bytes: number): Uint8Array {
  if (decoder.pos + bytes > decoder.arr.length) throw new Error('it ends too early')
  return decoding.readUint8Array(decoder, bytes)
}
