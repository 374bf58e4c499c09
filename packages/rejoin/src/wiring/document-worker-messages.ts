/**
 * What passes between a hub or a client and its document worker. Parts travel packed into buffers of their own that change hands: they
 * are views into larger buffers (the records of a store), which a transfer would take away and a clone copy whole. Each
 * buffer is small, so that whoever sends it does other things between two: a document of a million commits is copied for long.
 */
import type { ErrorCode } from '@rejoin/core'
import type { SnapshotContent } from '@rejoin/hub'
import type { BaseContent } from '@rejoin/replica'

export type JobKind = 'compact' | 'rebuild' | 'digest' | 'read' | 'diff' | 'fold'

/** The next bytes of a job's parts, before the job itself. */
export interface JobPiece {
  readonly id: number
  readonly kind: 'piece'
  readonly bytes: ArrayBuffer
}

export interface JobRequest {
  readonly id: number
  readonly kind: JobKind
  /** Bytes of each part, in the order in which they stand in the pieces; of a diff the state vector comes first. */
  readonly lengths: readonly number[]
}

export interface JobResult {
  /** Empty unless a document was made, or a part of one. */
  readonly snapshot: ArrayBuffer
  /** Empty for a compaction. */
  readonly digest: string
  /** Of what was read, else null. */
  readonly content: SnapshotContent | null
  /** What the parts hold that were folded, else null. */
  readonly held: BaseContent | null
}

export type JobAnswer =
  | { readonly id: number; readonly kind: 'done'; readonly result: JobResult }
  | { readonly id: number; readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }

/** Copied in well under a millisecond. */
const PIECE_BYTES = 256 * 1024

export function lengthsOf(parts: readonly Uint8Array[]): readonly number[] {
  return parts.map(({ length }) => length)
}

/** The parts one after the other, cut anywhere; each piece is copied when it is asked for. */
export function* piecesOf(parts: readonly Uint8Array[]): Generator<ArrayBuffer, void> {
  let left = parts.reduce((sum, { length }) => sum + length, 0)
  let piece = new Uint8Array(Math.min(left, PIECE_BYTES))
  let used = 0
  for (const part of parts) {
    for (let from = 0; from < part.length;) {
      const bytes = part.subarray(from, from + piece.length - used)
      piece.set(bytes, used)
      from += bytes.length
      used += bytes.length
      if (used < piece.length) continue
      left -= used
      yield piece.buffer
      piece = new Uint8Array(Math.min(left, PIECE_BYTES))
      used = 0
    }
  }
}

export function unpack(lengths: readonly number[], pieces: readonly ArrayBuffer[]): readonly Uint8Array[] {
  const packed = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let filled = 0
  for (const piece of pieces) {
    packed.set(new Uint8Array(piece), filled)
    filled += piece.byteLength
  }
  let at = 0
  return lengths.map((length) => packed.subarray(at, (at += length)))
}

/** The bytes in a buffer of their own, which can be given away. */
export function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  const { buffer } = bytes
  const isWhole = buffer instanceof ArrayBuffer && bytes.length === buffer.byteLength
  return isWhole ? buffer : new Uint8Array(bytes).buffer
}
