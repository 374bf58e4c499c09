/**
 * A namespace's document as the store keeps it: the newest checkpoint and the commits after it. Here bytes are collected
 * and marks are folded; no document is decoded.
 */
import { type CrdtUpdates, type HubStore, type ItemRange, type Namespace, type Seq } from '@rejoin/core'
import { DocumentParts } from './document-parts.ts'
import { walkLog, type LogEntry } from './log.ts'
import { Marks } from './marks.ts'
import {
  corrupt,
  NO_OPS,
  type CommitsRecord,
  type HealRecord,
  type LoggedCommit,
  type LogRecord,
} from './record.ts'
import { type RetainedRecord } from './retention.ts'
import { checkSnapshot, decodeMarks, type StoredMarks } from './stored-marks.ts'
import { retainedOf, type WalkedLog } from './trimming.ts'

/** The marks that a checkpoint keeps, or null where there is none. */
export async function readCheckpoint(
  store: HubStore,
  namespace: Namespace,
): Promise<{
  stored: StoredMarks
  /** Of the marks. */
  marksBytes: number
  seq: Seq
  where: string
  snapshot: () => Promise<Uint8Array>
} | null> {
  const checkpoint = await store.checkpoint(namespace)
  if (checkpoint === null) return null
  const where = `${namespace}: checkpoint ${checkpoint.seq}`
  const stored = decodeMarks(checkpoint.marks, where)
  if (stored.marks.head.seq !== checkpoint.seq) throw corrupt(where, 'has the marks of another')
  const marksBytes = checkpoint.marks.length
  return { stored, marksBytes, seq: checkpoint.seq, where, snapshot: () => checkpoint.snapshot() }
}

/**
 * Folds one entry into marks; the first of a log makes them. A rebuild is not folded: its checkpoint replaces the marks.
 * @returns the same marks, or others where the document is another one from there on.
 */
export function foldEntry(marks: Marks | null, entry: LogEntry, updates: CrdtUpdates): Marks {
  const { record, seq, tag } = entry
  const known = marks ?? Marks.begin(record.epoch, record.domain)
  const folded = isAdoption(marks, record) ? known.adopting(record.epoch, seq) : known
  if (record.kind === 'rebuild' || record.epoch !== folded.epoch || record.domain !== folded.domain) {
    throw corrupt(`log record ${seq}`, `is of another epoch or domain than those before it`)
  }
  if (record.kind === 'heal') folded.heal(record, updates)
  else {
    for (const commit of record.commits) {
      folded.fold(commit, insertedBy(commit, updates))
    }
  }
  folded.moveTo(seq, tag)
  return folded
}

/** The items of a commit: of one client, unless a plain Yjs client brought what its document held. */
export function insertedBy({ opsJson, update }: LoggedCommit, updates: CrdtUpdates): readonly ItemRange[] {
  if (update.length === 0) return []
  if (opsJson === NO_OPS) return updates.inspectState(update).sections.map(({ inserted }) => inserted)
  const { inserted } = updates.inspect(update)
  return inserted === null ? [] : [inserted]
}

/** The snapshot of a checkpoint. */
export interface StoredSnapshot {
  readonly seq: Seq
  readonly snapshot: Uint8Array
}

export interface StoredDocument {
  /** In log order. */
  readonly parts: readonly Uint8Array[]
  /** The first part, where the document builds on a checkpoint. */
  readonly base: StoredSnapshot | null
  /** Null where the namespace does not exist. */
  readonly marks: Marks | null
  /** Before which it ends. */
  readonly rebuild: LogEntry | null
  /** What was read of the log for it. */
  readonly walked: WalkedLog
}

/**
 * The bytes of the document and the marks, from the checkpoint up to `head`, or up to the first rebuild after it.
 * Bytes of two epochs never mix.
 */
export async function documentBefore(
  store: HubStore,
  updates: CrdtUpdates,
  namespace: Namespace,
  head: Seq | null = null,
): Promise<StoredDocument> {
  const checkpoint = await readCheckpoint(store, namespace)
  const parts = new DocumentParts()
  let base: StoredSnapshot | null = null
  if (checkpoint !== null) {
    const { seq, stored, where } = checkpoint
    base = { seq, snapshot: checkSnapshot(await checkpoint.snapshot(), stored, where) }
    parts.add(base.snapshot)
  }
  let marks = checkpoint?.stored.marks ?? null
  const records: RetainedRecord[] = []
  const walked = { from: checkpoint?.seq ?? 0, records }
  for await (const entry of walkLog(store, namespace, marks?.head ?? { seq: 0, tag: null })) {
    if (head !== null && entry.seq > head) break
    if (entry.record.kind === 'rebuild') return { parts: parts.all, base, marks, rebuild: entry, walked }
    if (isAdoption(marks, entry.record)) {
      parts.clear()
      base = null
    }
    for (const update of updatesOf(entry.record)) parts.add(update)
    marks = foldEntry(marks, entry, updates)
    records.push(retainedOf(entry))
  }
  return { parts: parts.all, base, marks, rebuild: null, walked }
}

/** Whether a record brings back a whole document of a later epoch, which takes the place of the one before it. */
export function isAdoption(marks: Marks | null, record: LogRecord): boolean {
  return record.kind === 'heal' && record.healed !== null && marks !== null && record.epoch > marks.epoch
}

/** What a record adds to the document. */
export function updatesOf(record: CommitsRecord | HealRecord): readonly Uint8Array[] {
  const updates = record.kind === 'heal' ? [record.healed] : record.commits
  return updates.flatMap((of) => (of === null || of.update.length === 0 ? [] : [of.update]))
}
