/** Snapshots in the zlib format (RFC 1950), as browsers read it. In Node `zlib-node.ts` stands in its place. */

/** Whether this platform can read them. */
export const canInflate: boolean = 'DecompressionStream' in globalThis

/** At most `bytesMax` bytes are kept, and one piece more is made. Rejects where there are more, or it is none of that format. */
export async function inflated(bytes: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new DecompressionStream('deflate'))
  const reader = stream.getReader()
  const pieces: Uint8Array[] = []
  let length = 0
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    pieces.push(read.value)
    length += read.value.length
    if (length <= bytesMax) continue
    await reader.cancel()
    throw new RangeError(`it inflates to more than ${bytesMax} bytes`)
  }
  const result = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    result.set(piece, at)
    at += piece.length
  }
  return result
}
