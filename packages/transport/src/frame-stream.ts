/** Frames back to back in a body of HTTP, each with its length before it (a number as in messages). */
import { limits, SyncError } from '@rejoin/core'
import { Reader } from './codec/reader.ts'
import { Writer } from './codec/writer.ts'

export const FRAMES_TYPE = 'application/vnd.rejoin.frames'

/** Bytes of one request: what may be pushed without an answer, for a few namespaces. A hub answers more with 413. */
export const BODY_BYTES_MAX = 4 * limits.pushUnansweredBytesMax

/** Bytes copied into one piece of memory. */
const BLOCK_BYTES = 64 * 1024

/** A length of at most `limits.frameBytesMax` takes no more. */
const LENGTH_BYTES_MAX = 3

export function prefixed(frame: Uint8Array): Uint8Array {
  const out = new Writer()
  out.bytes(frame)
  return out.finish()
}

/** Cuts chunks of a body into frames, whatever the chunks' sizes. */
export class FrameStream {
  #chunks: Uint8Array[] = []
  #bytes = 0
  /** Where the next chunk is copied to, behind the last one. */
  #block: Uint8Array = new Uint8Array()
  #blockBytes = 0

  /** Copies: kept as it is, a chunk of one byte would cost an object, and keep what the network has read along with it. */
  push(chunk: Uint8Array): void {
    if (this.#block.length - this.#blockBytes < chunk.length) {
      this.#block = new Uint8Array(Math.max(BLOCK_BYTES, chunk.length))
      this.#blockBytes = 0
    }
    this.#block.set(chunk, this.#blockBytes)
    this.#blockBytes += chunk.length
    this.#bytes += chunk.length
    this.#append(this.#block.subarray(this.#blockBytes - chunk.length, this.#blockBytes))
  }

  /** The next whole frame, or null until more is pushed. @throws SyncError MESSAGE_MALFORMED or MESSAGE_TOO_LARGE */
  next(): Uint8Array | null {
    const head = this.#peek(LENGTH_BYTES_MAX)
    const lengthBytes = head.findIndex((byte) => byte < 0x80) + 1
    if (lengthBytes === 0) {
      if (head.length < LENGTH_BYTES_MAX) return null
      throw new SyncError('MESSAGE_TOO_LARGE', `a frame has at most ${limits.frameBytesMax} bytes`)
    }
    const length = new Reader(head.subarray(0, lengthBytes), 'a frame').uint('length')
    if (length > limits.frameBytesMax) {
      throw new SyncError(
        'MESSAGE_TOO_LARGE',
        `a frame has at most ${limits.frameBytesMax} bytes, not ${length}`,
      )
    }
    if (this.#bytes < lengthBytes + length) return null
    this.#take(lengthBytes)
    return this.#take(length)
  }

  /** @throws SyncError MESSAGE_MALFORMED where a body ends amid a frame. */
  end(): void {
    if (this.#bytes > 0) throw new SyncError('MESSAGE_MALFORMED', 'a body ends amid a frame')
  }

  /** Pieces of one block that stand next to each other become one. */
  #append(piece: Uint8Array): void {
    const last = this.#chunks.at(-1)
    if (last?.buffer !== piece.buffer) this.#chunks.push(piece)
    else
      this.#chunks[this.#chunks.length - 1] = new Uint8Array(
        last.buffer,
        last.byteOffset,
        last.length + piece.length,
      )
  }

  #peek(length: number): Uint8Array {
    const head: number[] = []
    for (const chunk of this.#chunks) {
      for (const byte of chunk.subarray(0, length - head.length)) head.push(byte)
      if (head.length === length) break
    }
    return Uint8Array.from(head)
  }

  #take(length: number): Uint8Array {
    const taken = new Uint8Array(length)
    let at = 0
    while (at < length) {
      const chunk = this.#chunks[0] ?? new Uint8Array()
      const piece = chunk.subarray(0, length - at)
      taken.set(piece, at)
      at += piece.length
      if (piece.length === chunk.length) this.#chunks.shift()
      else this.#chunks[0] = chunk.subarray(piece.length)
    }
    this.#bytes -= length
    return taken
  }
}
