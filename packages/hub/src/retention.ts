/**
 * How much of the log stays available as a tail: a pure decision on one record and what is newer than it. Retention never
 * decides what is safe to drop, the checkpoint does (St5); it only keeps more. A record goes or stays whole, and every
 * commit is whole in one.
 */
import { limits, SyncError, type Seq } from '@rejoin/core'

/**
 * A record stays while fewer than `commits` commits and fewer than `bytes` bytes are logged after it, or while it is younger
 * than `hours`; and in any case while no checkpoint covers it or a running catch-up has yet to read it.
 *
 * So of the first two whichever is reached first lets go, which bounds the disk by default; hours only ever keep more, since
 * who promises a week means it, and then the disk is bounded by what is written in that time. `Infinity` is no bound.
 */
export interface Retention {
  /** Commits, not records: a record holds what was appended together. */
  readonly commits: number
  /** Of records as the store holds them. */
  readonly bytes: number
  /** Since the hub logged it, by the hub's clock; 0 keeps nothing for its age. Release 0.1 logged no times. */
  readonly hours: number
}

export const defaultRetention: Retention = {
  commits: limits.retentionCommitsMin,
  bytes: limits.retentionBytesMin,
  hours: 0,
}

/** The defaults with what is given instead. @throws SyncError INPUT_INVALID for what is no count. */
export function retentionOf(given: Partial<Retention> = {}): Retention {
  const retention = { ...defaultRetention, ...given }
  for (const [name, count] of Object.entries(retention)) {
    if (typeof count === 'number' && count >= 0) continue
    throw new SyncError('INPUT_INVALID', `retention: ${name} is a number from 0 on, not ${String(count)}`, {
      path: `retention.${name}`,
    })
  }
  return retention
}

export interface RetainedRecord {
  readonly seq: Seq
  readonly commits: number
  readonly bytes: number
  /** When it was logged, milliseconds since 1970, where its format said. */
  readonly at: number | null
}

/** What is logged after a record. */
export interface Newer {
  readonly commits: number
  readonly bytes: number
}

/** What a record is held against. */
export interface RetentionRules {
  readonly retention: Retention
  /** Milliseconds since 1970. */
  readonly now: number
  /** What follows it no checkpoint covers. */
  readonly checkpointSeq: Seq
  /** Records after it are still read by a catch-up; Infinity where there is none. */
  readonly readFrom: Seq
}

export type KeptBy = 'checkpoint' | 'size' | 'age' | 'reader'

/** Why a record stays, or null where nothing keeps it. */
export function keptBy(record: RetainedRecord, newer: Newer, rules: RetentionRules): KeptBy | null {
  const { retention, now, checkpointSeq, readFrom } = rules
  if (record.seq > checkpointSeq) return 'checkpoint'
  if (newer.commits < retention.commits && newer.bytes < retention.bytes) return 'size'
  // A time that far ahead was logged by a clock that has stepped back since: it says nothing.
  if (record.at !== null && Math.abs(now - record.at) < retention.hours * HOUR_MS) return 'age'
  if (record.seq > readFrom && newer.bytes < limits.readerHeldBytesMax) return 'reader'
  return null
}

const HOUR_MS = 60 * 60 * 1000
