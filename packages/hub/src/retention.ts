/**
 * How much of the log stays available as a tail: a pure decision. Retention never decides what is safe to drop, the
 * checkpoint does (St5); it only keeps more.
 */
import { limits, type Seq } from '@rejoin/core'

/** A tail keeps at least so many commits, or so many bytes of records, whichever is reached first. */
export interface Retention {
  readonly commits: number
  readonly bytes: number
}

export const defaultRetention: Retention = { commits: limits.retentionCommitsMin, bytes: Infinity }

export interface RecordSize {
  readonly seq: Seq
  readonly commits: number
  readonly bytes: number
}

/** The seq up to which records may be dropped, given the retained ones in order; 0 where none may. */
export function trimmableUpTo(records: readonly RecordSize[], retention: Retention, checkpointSeq: Seq): Seq {
  let commits = 0
  let bytes = 0
  for (const record of records.toReversed()) {
    if (commits >= retention.commits || bytes >= retention.bytes) return Math.min(record.seq, checkpointSeq)
    commits += record.commits
    bytes += record.bytes
  }
  return 0
}
