/**
 * Dropping from a log what retention lets go, oldest first. It costs what is dropped and what was logged since the last
 * time, never what stays: what is retained is known in sums, and measured whole only where nobody has them.
 */
import { type HubStore, type LogRange, type Namespace, type Seq } from '@rejoin/core'
import { LogGap, walkLog, type LogEntry } from './log.ts'
import { type LogReaders } from './log-readers.ts'
import { keptBy, type KeptBy, type Newer, type RetainedRecord, type Retention } from './retention.ts'

/** The records after `floor` up to `upTo`, in sums. */
export interface RetainedLog extends Newer {
  readonly floor: Seq
  readonly upTo: Seq
}

/** What somebody has just read of a log, for a trim that need not read it again. */
export interface WalkedLog {
  /** After which it begins. */
  readonly from: Seq
  /** Each follows the one before it. */
  readonly records: readonly RetainedRecord[]
}

export interface TrimRules {
  readonly retention: Retention
  /** Milliseconds since 1970. */
  readonly now: number
  readonly checkpointSeq: Seq
  /** Null where this process has none. */
  readonly readers: LogReaders | null
}

export interface Trimmed {
  readonly floor: Seq
  /** Bytes of the records after the checkpoint. */
  readonly bytesAfter: number
  /** What keeps the oldest record that is left; null where none is, or it could not be told. */
  readonly keptBy: KeptBy | null
  /** For the next time; null where another process trims too. */
  readonly retained: RetainedLog | null
}

/**
 * @param known as the last call returned it, if nothing else is known of the log.
 * @param walked what was read of it since.
 * @throws SyncError STORE_CORRUPT, or what the store throws.
 */
export async function trimLog(
  store: HubStore,
  namespace: Namespace,
  rules: TrimRules,
  known: RetainedLog | null,
  walked: WalkedLog = nowhere,
): Promise<Trimmed> {
  try {
    return await measureAndTrim(store, namespace, rules, known, walked)
  } catch (error) {
    // Another hub of this store trims as well, and has gone further.
    if (!(error instanceof LogGap)) throw error
    const { floor } = await rangeOf(store, namespace)
    return { floor, bytesAfter: 0, keptBy: null, retained: null }
  }
}

async function measureAndTrim(
  store: HubStore,
  namespace: Namespace,
  rules: TrimRules,
  known: RetainedLog | null,
  walked: WalkedLog,
): Promise<Trimmed> {
  const { floor } = await rangeOf(store, namespace)
  const read: ReadRecords = (from, limit) => recordsAfter(store, namespace, from, walked, limit)
  const { covered, after } = await measure(read, rules.checkpointSeq, floor, known)
  const { drop, keptBy: by } = await droppable(read, rules, covered, after)
  // From here to the store's call is one turn: whoever begins to read meanwhile is seen.
  const upTo = Math.max(drop.always.upTo, Math.min(drop.now.upTo, rules.readers?.lowest ?? Infinity))
  if (upTo <= floor) return { floor, bytesAfter: after.bytes, keptBy: by, retained: covered }
  const trim = (): Promise<LogRange> => store.trim(namespace, upTo)
  const range = await (rules.readers?.drop(upTo, trim) ?? trim())
  const isAsMeasured = upTo === drop.now.upTo && range.floor === upTo
  const retained = isAsMeasured
    ? {
        ...covered,
        floor: upTo,
        commits: covered.commits - drop.now.commits,
        bytes: covered.bytes - drop.now.bytes,
      }
    : null
  const isHeld = upTo < drop.now.upTo
  return { floor: range.floor, bytesAfter: after.bytes, keptBy: isHeld ? 'reader' : by, retained }
}

/** What is retained up to the checkpoint, and what comes after that. */
async function measure(
  read: ReadRecords,
  checkpointSeq: Seq,
  floor: Seq,
  known: RetainedLog | null,
): Promise<{ covered: RetainedLog; after: Newer }> {
  const isKnown = known !== null && known.floor === floor && known.upTo <= checkpointSeq
  let covered: RetainedLog = isKnown ? known : { floor, upTo: floor, ...nothing }
  let after: Newer = nothing
  for await (const records of read(covered.upTo)) {
    for (const record of records) {
      if (record.seq > checkpointSeq) after = sum(after, record)
      else covered = { floor, upTo: record.seq, ...sum(covered, record) }
    }
  }
  return { covered, after }
}

/** The oldest records that may go: `now`, and `always` those that go even where somebody reads them. */
async function droppable(
  read: ReadRecords,
  rules: TrimRules,
  covered: RetainedLog,
  after: Newer,
): Promise<{ drop: { now: RetainedLog; always: RetainedLog }; keptBy: KeptBy | null }> {
  const { floor } = covered
  let now: RetainedLog = { floor, upTo: floor, ...nothing }
  let always = now
  const total = sum(covered, after)
  for await (const records of read(floor, fewAtOnce)) {
    const held = { ...rules, readFrom: rules.readers?.lowest ?? Infinity }
    const heldByAll = { ...rules, readFrom: floor }
    for (const record of records) {
      const older = sum(now, record)
      const newer = { commits: total.commits - older.commits, bytes: total.bytes - older.bytes }
      const by = keptBy(record, newer, held)
      if (by !== null) return { drop: { now, always }, keptBy: by }
      now = { floor, upTo: record.seq, ...older }
      if (keptBy(record, newer, heldByAll) === null) always = now
    }
  }
  return { drop: { now, always }, keptBy: null }
}

/** Records after a place to the head, in order, as they come. */
type ReadRecords = (from: Seq, limit?: typeof fewAtOnce) => AsyncGenerator<readonly RetainedRecord[]>

/** Of what was walked nothing is read again, only what lies before and behind it. */
async function* recordsAfter(
  store: HubStore,
  namespace: Namespace,
  from: Seq,
  walked: WalkedLog,
  limit?: typeof fewAtOnce,
): AsyncGenerator<readonly RetainedRecord[]> {
  const known = walked.records.filter(({ seq }) => seq > from)
  if (known.length > 0) {
    if (from < walked.from) {
      for await (const entry of walkLog(store, namespace, { seq: from, tag: null }, limit)) {
        if (entry.seq > walked.from) break
        yield [retainedOf(entry)]
      }
    }
    yield known
  }
  const after = { seq: known.at(-1)?.seq ?? from, tag: null }
  for await (const entry of walkLog(store, namespace, after, limit)) yield [retainedOf(entry)]
}

/** Mostly the first one stays. */
const fewAtOnce = { records: 32, bytes: 64 * 1024 }

const nothing: Newer = { commits: 0, bytes: 0 }

const nowhere: WalkedLog = { from: 0, records: [] }

function sum(a: Newer, b: Newer): Newer {
  return { commits: a.commits + b.commits, bytes: a.bytes + b.bytes }
}

export function retainedOf({ seq, record, bytes, at }: LogEntry): RetainedRecord {
  return { seq, bytes, at, commits: record.kind === 'commits' ? record.commits.length : 0 }
}

async function rangeOf(store: HubStore, namespace: Namespace): Promise<LogRange> {
  return (await store.heads([namespace])).get(namespace) ?? { floor: 0, head: 0 }
}
