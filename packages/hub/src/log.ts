/**
 * Reading a namespace's log, record by record, with the chain checked at every step: each record names the seq before it
 * (St2) and carries the tag before it, so a record that was lost, changed or put elsewhere is STORE_CORRUPT, never skipped
 * (invariant 13).
 */
import {
  limits,
  type Epoch,
  type HubStore,
  type LoggedRebuild,
  type Namespace,
  type Seq,
  type Tag,
} from '@rejoin/core'
import { corrupt, decodeRecord, type LogRecord } from './record.ts'

/** A place in the log. The tag is null where it is not known yet: the first record read then tells it. */
export interface Place {
  readonly seq: Seq
  readonly tag: Tag | null
}

export interface LogEntry {
  readonly seq: Seq
  readonly prev: Place & { readonly tag: Tag }
  readonly tag: Tag
  readonly record: LogRecord
  /** When it was logged, milliseconds since 1970; null where its format did not say. */
  readonly at: number | null
  /** Bytes of the record in the store. */
  readonly bytes: number
}

export type LogPage =
  | { readonly kind: 'entries'; readonly entries: readonly LogEntry[]; readonly more: boolean }
  | { readonly kind: 'gap'; readonly floor: Seq; readonly head: Seq }

const pageLimit = { records: 1_000, bytes: limits.tailBytesMax }
/** A page is checked and folded in one turn, in which no ack is sent: about a millisecond. */
const walkLimit = { records: 250, bytes: 256 * 1024 }

/** One page of the log after a place. @throws SyncError STORE_CORRUPT or what the store throws. */
export async function readPage(
  store: HubStore,
  namespace: Namespace,
  after: Place,
  limit = pageLimit,
): Promise<LogPage> {
  const result = await store.readTail(namespace, after.seq, limit)
  if (result.kind === 'gap') return result
  const entries: LogEntry[] = []
  let at = after
  for (const stored of result.records) {
    const where = `${namespace}: log record ${stored.seq}`
    const { record, prevTag, tag, at: loggedAt } = decodeRecord(stored.body, where)
    if (stored.prev !== at.seq || stored.seq <= at.seq) throw corrupt(where, `does not follow ${at.seq}`)
    if (at.tag !== null && at.tag !== prevTag) throw corrupt(where, 'follows another history')
    entries.push({
      seq: stored.seq,
      prev: { seq: stored.prev, tag: prevTag },
      tag,
      record,
      at: loggedAt,
      bytes: stored.body.length,
    })
    at = { seq: stored.seq, tag }
  }
  return { kind: 'entries', entries, more: result.more }
}

/** Every entry after a place, to the head. A log that was trimmed meanwhile ends the walk with `LogGap`. */
export async function* walkLog(
  store: HubStore,
  namespace: Namespace,
  after: Place,
  limit = walkLimit,
): AsyncGenerator<LogEntry> {
  let at = after
  for (;;) {
    const page = await readPage(store, namespace, at, limit)
    if (page.kind === 'gap') throw new LogGap(page.floor)
    yield* page.entries
    const last = page.entries.at(-1)
    if (last === undefined || !page.more) return
    at = { seq: last.seq, tag: last.tag }
  }
}

export type TagAt =
  /** Null: no record ends there. */
  | { readonly kind: 'tag'; readonly tag: Tag | null }
  /** It is below the floor: nobody can tell any more. */
  | { readonly kind: 'gap'; readonly floor: Seq }
  /** Nothing is found after it. */
  | { readonly kind: 'end' }

/** The tag of the log at `seq`, as the record after it tells. */
export async function tagAt(store: HubStore, namespace: Namespace, seq: Seq): Promise<TagAt> {
  const result = await store.readTail(namespace, seq, { records: 1, bytes: 1 })
  if (result.kind === 'gap') return result
  const next = result.records[0]
  if (next === undefined) return { kind: 'end' }
  if (next.prev !== seq) return { kind: 'tag', tag: null }
  return { kind: 'tag', tag: decodeRecord(next.body, `${namespace}: log record ${next.seq}`).prevTag }
}

/** The rebuild that began `epoch` with the record at `seq`; null where no rebuild did, or its record is gone. */
export async function rebuildAt(
  store: HubStore,
  namespace: Namespace,
  epoch: Epoch,
  seq: Seq,
): Promise<LoggedRebuild | null> {
  if (seq === 0) return null
  // Whatever lies right before it, nothing lies between.
  const result = await store.readTail(namespace, seq - 1, { records: 1, bytes: 1 })
  const stored = result.kind === 'gap' ? undefined : result.records[0]
  if (stored?.seq !== seq) return null
  const { record, prevTag, tag } = decodeRecord(stored.body, `${namespace}: log record ${seq}`)
  if (record.kind !== 'rebuild') return null
  return {
    from: { epoch: record.from, seq: stored.prev, tag: prevTag },
    to: { epoch, seq, tag },
    digest: record.digest,
  }
}

/** The log no longer reaches back to where it was read from: somebody trimmed it behind a newer checkpoint. */
export class LogGap extends Error {
  readonly floor: Seq

  constructor(floor: Seq) {
    super(`the log was trimmed up to ${floor}`)
    this.floor = floor
  }
}
