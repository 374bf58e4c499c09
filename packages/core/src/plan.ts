/**
 * `planCatchUp` decides how a replica gets what it lacks, as a value that can be printed and tested without a disk.
 * Rules: DESIGN section 7, "Catch-up plan"; boundaries as `REFERENCES.md` S0-9 and S4-3 ask for.
 */
import { sameCursor, type Cursor, type Epoch, type Seq, type Tag } from './cursor.ts'
import type { Capability } from './protocol/version.ts'

/** What a room knows of its log when it plans. */
export interface LogView {
  readonly epoch: Epoch
  readonly head: Cursor
  /** Seq of the last dropped record, 0 where none was. */
  readonly floor: Seq
  readonly checkpointSeq: Seq | null
  /**
   * The tag of the log at the replica's cursor, or null where no record or checkpoint ends there: a history that is not
   * this one's, unless the cursor is below the floor, where nobody can tell any more.
   */
  readonly tagAtCursor: Tag | null
  /** The rebuild that began this epoch, while the log still holds its record; null before the first one and after that. */
  readonly rebuild: LoggedRebuild | null
}

/** A rebuild as the log records it. */
export interface LoggedRebuild {
  /** The end of the epoch before: where the document was that it was made of. */
  readonly from: Cursor
  /** The record itself: the beginning of the new epoch. */
  readonly to: Cursor
  /** Of the live entries. */
  readonly digest: string
}

/** What a replica takes, of core's `capabilities`. */
export type Offers = Readonly<Record<Extract<Capability, 'delta' | 'rebuild'>, boolean>>

export type CatchUpPlan =
  | { readonly path: 'unknown'; readonly why: string }
  | { readonly path: 'live'; readonly why: string }
  | { readonly path: 'tail'; readonly after: Seq; readonly why: string }
  /** `gap`: the replica is told of it before the snapshot. */
  | {
      readonly path: 'snapshot'
      readonly gap: { cursor: Seq; floor: Seq; head: Seq } | null
      readonly why: string
    }
  | { readonly path: 'reset'; readonly why: string }
  /** The replica makes the rebuilt document itself, of what it has; the log goes on after it. */
  | { readonly path: 'rebuild'; readonly rebuild: LoggedRebuild; readonly why: string }
  /** The replica holds history that this log does not: it must not be overwritten, here or there. */
  | { readonly path: 'heal'; readonly why: string }

/** `log` is null while the namespace does not exist. Without `delta` the replica takes no tail at all. */
export function planCatchUp(cursor: Cursor | null, log: LogView | null, offers: Offers): CatchUpPlan {
  if (log === null) {
    if (cursor === null) return { path: 'unknown', why: 'the namespace does not exist yet' }
    return { path: 'heal', why: `the hub has no such namespace, the replica has it up to ${cursor.seq}` }
  }
  const { head, floor, epoch } = log
  if (cursor === null) {
    if (!offers.delta) return { path: 'snapshot', gap: null, why: 'the replica takes snapshots only' }
    if (log.checkpointSeq !== null) return { path: 'snapshot', gap: null, why: 'the replica is new' }
    return { path: 'tail', after: 0, why: `the replica is new and the log is whole, up to ${head.seq}` }
  }
  if (cursor.epoch !== epoch) {
    const { rebuild } = log
    if (offers.delta && offers.rebuild && rebuild !== null && sameCursor(rebuild.from, cursor)) {
      return {
        path: 'rebuild',
        rebuild,
        why: `the document was rebuilt at ${rebuild.to.seq}, right after ${cursor.seq}`,
      }
    }
    return {
      path: 'reset',
      why: `the document was rebuilt: epoch ${epoch}, the replica's is ${cursor.epoch}`,
    }
  }
  if (cursor.seq > head.seq)
    return { path: 'heal', why: `cursor ${cursor.seq} is ahead of the log (head ${head.seq})` }
  if (cursor.seq >= floor && cursor.seq > 0 && log.tagAtCursor !== cursor.tag) {
    return { path: 'heal', why: `the log at ${cursor.seq} is not the one the replica has seen` }
  }
  if (cursor.seq === head.seq) return { path: 'live', why: `nothing was missed since ${head.seq}` }
  if (cursor.seq < floor) {
    const why = `cursor ${cursor.seq} is older than the log (floor ${floor}, head ${head.seq})`
    return { path: 'snapshot', gap: { cursor: cursor.seq, floor, head: head.seq }, why }
  }
  if (!offers.delta) return { path: 'snapshot', gap: null, why: 'the replica takes snapshots only' }
  return {
    path: 'tail',
    after: cursor.seq,
    why: `the log reaches back from ${head.seq} to cursor ${cursor.seq}`,
  }
}
