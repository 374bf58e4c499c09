/**
 * Positions in a hub's log. A seq is compared, never counted: it rises, and gaps are allowed. A tag is the running hash
 * of the log at a seq, so that two different histories with equal numbers are told apart (DESIGN section 2).
 */
import { z } from 'zod'

/** Position of a record in a namespace's log; 0 stands before the first. */
export type Seq = number
/** Generation of a document. */
export type Epoch = number
/** 16 hexadecimal digits: the first 8 bytes of SHA-256 over the previous tag and the record's body. */
export type Tag = string

/** The tag before the first record. */
export const ZERO_TAG: Tag = '0000000000000000'

export const cursorSchema = z.object({
  epoch: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
  seq: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  tag: z.string().regex(/^[0-9a-f]{16}$/),
})
/** Up to here a replica has everything. */
export type Cursor = z.output<typeof cursorSchema>

/** Where a log lost records: none of its seqs lies above `after` and below `before`. */
export interface LostRange {
  readonly after: Seq
  readonly before: Seq
}

export function sameCursor(a: Cursor, b: Cursor): boolean {
  return a.epoch === b.epoch && a.seq === b.seq && a.tag === b.tag
}
