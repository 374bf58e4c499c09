/**
 * A namespace's document as the store keeps it: the newest checkpoint and the commits after it. Here bytes are collected
 * and marks are folded; no document is decoded.
 */
import { type CrdtUpdates, type HubStore, type Namespace, type Seq } from '@rejoin/core'
import { walkLog, type LogEntry } from './log.ts'
import { Marks } from './marks.ts'
import { corrupt } from './record.ts'
import { checkSnapshot, decodeMarks, type StoredMarks } from './stored-marks.ts'

/** The marks that a checkpoint keeps, or null where there is none. */
export async function readCheckpoint(
  store: HubStore,
  namespace: Namespace,
): Promise<{ stored: StoredMarks; seq: Seq; where: string; snapshot: () => Promise<Uint8Array> } | null> {
  const checkpoint = await store.checkpoint(namespace)
  if (checkpoint === null) return null
  const where = `${namespace}: checkpoint ${checkpoint.seq}`
  const stored = decodeMarks(checkpoint.marks, where)
  if (stored.marks.head.seq !== checkpoint.seq) throw corrupt(where, 'has the marks of another')
  return { stored, seq: checkpoint.seq, where, snapshot: () => checkpoint.snapshot() }
}

/** Folds one entry into marks; the first of a log makes them. A rebuild is not folded: its checkpoint replaces the marks. */
export function foldEntry(marks: Marks | null, entry: LogEntry, updates: CrdtUpdates): Marks {
  const { record, seq, tag } = entry
  const folded = marks ?? Marks.begin(record.epoch, record.domain)
  if (record.kind === 'rebuild' || record.epoch !== folded.epoch || record.domain !== folded.domain) {
    throw corrupt(`log record ${seq}`, `is of another epoch or domain than those before it`)
  }
  for (const { id, hlc, domainVersion, update } of record.commits) {
    const inserted = update.length === 0 ? null : updates.inspect(update).inserted
    folded.fold(id.replica, { counter: id.counter, hlc, domainVersion }, inserted)
  }
  folded.moveTo(seq, tag)
  return folded
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
): Promise<{ parts: readonly Uint8Array[]; marks: Marks | null; rebuild: LogEntry | null }> {
  const checkpoint = await readCheckpoint(store, namespace)
  const parts: Uint8Array[] = []
  if (checkpoint !== null)
    parts.push(checkSnapshot(await checkpoint.snapshot(), checkpoint.stored, checkpoint.where))
  let marks = checkpoint?.stored.marks ?? null
  for await (const entry of walkLog(store, namespace, marks?.head ?? { seq: 0, tag: null })) {
    if (head !== null && entry.seq > head) break
    if (entry.record.kind === 'rebuild') return { parts, marks, rebuild: entry }
    for (const { update } of entry.record.commits) if (update.length > 0) parts.push(update)
    marks = foldEntry(marks, entry, updates)
  }
  return { parts, marks, rebuild: null }
}
