/**
 * What passes between a hub and its document worker. Parts travel packed into one buffer of their own that changes hands:
 * they are views into larger buffers (the records of a store), which a transfer would take away and a clone copy whole.
 */
import type { ErrorCode } from '@rejoin/core'
import type { SnapshotContent } from '@rejoin/hub'

export type JobKind = 'compact' | 'rebuild' | 'digest' | 'read' | 'diff'

export interface JobRequest {
  readonly id: number
  readonly kind: JobKind
  /** Bytes of each part, in the order in which they stand in `packed`; of a diff the state vector comes first. */
  readonly lengths: readonly number[]
  readonly packed: ArrayBuffer
}

export interface JobResult {
  /** Empty unless a document was made, or a part of one. */
  readonly snapshot: ArrayBuffer
  /** Empty for a compaction. */
  readonly digest: string
  /** Of what was read, else null. */
  readonly content: SnapshotContent | null
}

export type JobAnswer =
  | { readonly id: number; readonly kind: 'done'; readonly result: JobResult }
  | { readonly id: number; readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }

export function pack(parts: readonly Uint8Array[]): Pick<JobRequest, 'lengths' | 'packed'> {
  const lengths = parts.map(({ length }) => length)
  const packed = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    packed.set(part, at)
    at += part.length
  }
  return { lengths, packed: packed.buffer }
}

export function unpack({ lengths, packed }: Pick<JobRequest, 'lengths' | 'packed'>): readonly Uint8Array[] {
  let at = 0
  return lengths.map((length) => {
    const part = new Uint8Array(packed, at, length)
    at += length
    return part
  })
}

/** The bytes in a buffer of their own, which can be given away. */
export function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  const { buffer } = bytes
  const isWhole = buffer instanceof ArrayBuffer && bytes.length === buffer.byteLength
  return isWhole ? buffer : new Uint8Array(bytes).buffer
}
