/**
 * `planCatchUp` decides how a replica gets what it lacks, as a value that can be printed and tested without a disk.
 * Rules: DESIGN section 7, "Catch-up plan" and "Heal"; boundaries as `REFERENCES.md` S0-9 and S4-3 ask for.
 */
import { sameCursor, type Cursor, type Epoch, type LostRange, type Seq, type Tag } from './cursor.ts'
import type { Counter } from './ids.ts'
import { limits } from './limits.ts'
import type { Capability } from './protocol/version.ts'

/** Where a replica says it stands. */
export interface Standing {
  readonly cursor: Cursor | null
  /** Its highest counter that it knows to be acknowledged; 0 for none. */
  readonly ackedCounter: Counter
  /** A snapshot of this log lacked items of its base. */
  readonly holdsMore: boolean
}

/** What a room knows of its log when it plans. */
export interface LogView {
  readonly epoch: Epoch
  readonly head: Cursor
  /** Seq of the record that began the epoch. */
  readonly began: Seq
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
  /** The last commit of the replica in the log; 0 for none. */
  readonly mark: Counter
  /** In rising order. */
  readonly lost: readonly LostRange[]
  /** Whether nothing was logged since the last of them but what an operator said of it. */
  readonly isBare: boolean
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

/** What a replica takes, of core's `capabilities`, and whether it may write. */
export type Offers = Readonly<Record<Extract<Capability, 'delta' | 'rebuild' | 'heal'> | 'writes', boolean>>

/** The replica holds history that this log has lost. */
export interface HealPlan {
  readonly path: 'heal'
  /**
   * What is wanted of its base: 'missing', what the log's own document lacks of it; 'all', since there is none here, or
   * an older one than the replica's in every respect.
   */
  readonly wanted: 'missing' | 'all'
  readonly cursor: Cursor
  /** Of the log when it was planned; 0 where there is none. */
  readonly head: Seq
  /** No record will ever be where a cursor of that loss may point. */
  readonly isKnown: boolean
  readonly why: string
}

export type CatchUpPlan =
  | { readonly path: 'unknown'; readonly why: string }
  | { readonly path: 'live'; readonly why: string }
  | { readonly path: 'tail'; readonly after: Seq; readonly why: string }
  /** `gap`: the replica is told of it before the snapshot. */
  | {
      readonly path: 'snapshot'
      readonly gap: { cursor: Seq; floor: Seq; head: Seq } | null
      /** Its seq at least; 0 where any will do. */
      readonly atLeast: Seq
      readonly why: string
    }
  | { readonly path: 'reset'; readonly why: string }
  /** The replica makes the rebuilt document itself, of what it has; the log goes on after it. */
  | { readonly path: 'rebuild'; readonly rebuild: LoggedRebuild; readonly why: string }
  | HealPlan
  /** It holds history that this log does not, and that cannot be brought back: nothing is overwritten, here or there. */
  | { readonly path: 'diverged'; readonly why: string }

/** `log` is null while the namespace does not exist. Without `delta` the replica always gets the document whole. */
export function planCatchUp(standing: Standing, log: LogView | null, offers: Offers): CatchUpPlan {
  const loss = log === null ? lossOfAll(standing) : lossIn(standing, log)
  if (loss !== null) return planLoss(loss, standing, log, offers)
  if (log === null) return { path: 'unknown', why: 'the namespace does not exist yet' }
  const { cursor } = standing
  const { head, floor, epoch } = log
  const whole = { path: 'snapshot', gap: null, atLeast: 0, why: 'the replica takes snapshots only' } as const
  if (cursor === null) {
    if (!offers.delta) return whole
    if (log.checkpointSeq !== null)
      return { path: 'snapshot', gap: null, atLeast: 0, why: 'the replica is new' }
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
  // It asks for the document as it is, whatever it says that it has.
  if (!offers.delta && cursor.seq >= floor) return whole
  if (cursor.seq === head.seq) return { path: 'live', why: `nothing was missed since ${head.seq}` }
  if (cursor.seq < floor) {
    const why = `cursor ${cursor.seq} is older than the log (floor ${floor}, head ${head.seq})`
    return { path: 'snapshot', gap: { cursor: cursor.seq, floor, head: head.seq }, atLeast: 0, why }
  }
  return {
    path: 'tail',
    after: cursor.seq,
    why: `the log reaches back from ${head.seq} to cursor ${cursor.seq}`,
  }
}

/** Whether a seq names what the log lost. */
export function isLostSeq(lost: readonly LostRange[], seq: Seq): boolean {
  return lost.some(({ after, before }) => after < seq && seq < before)
}

/** What shows that the log lost history. */
interface Loss {
  /**
   * 'acks': the replica's base is the log's own; what is lost are commits that it still has in its outbox, and pushes again
   * once it hears so. 'base': its base holds what the log lost. 'epoch': and it is of another epoch than the log's.
   */
  readonly of: 'acks' | 'base' | 'epoch'
  readonly why: string
}

function lossOfAll({ cursor, ackedCounter }: Standing): Loss | null {
  if (cursor !== null) {
    return { of: 'base', why: `the hub has no such namespace, the replica has it up to ${cursor.seq}` }
  }
  if (ackedCounter === 0) return null
  return {
    of: 'acks',
    why: `the hub has no such namespace, and has acknowledged commit ${ackedCounter} of it`,
  }
}

function lossIn({ cursor, ackedCounter, holdsMore }: Standing, log: LogView): Loss | null {
  const { epoch, head, began, floor, tagAtCursor, mark, lost } = log
  const acks = `commit ${ackedCounter} of the replica was acknowledged, the log knows it up to ${mark}`
  const areAcksLost = ackedCounter > mark
  if (cursor === null) return areAcksLost ? { of: 'acks', why: acks } : null
  if (cursor.epoch !== epoch) {
    // Every older epoch ended before this one began.
    if (cursor.seq >= began || isLostSeq(lost, cursor.seq)) {
      const has = `the replica has ${cursor.seq} of ${cursor.epoch}`
      return { of: 'epoch', why: `epoch ${epoch} began at ${began}, ${has}` }
    }
    return areAcksLost ? { of: 'epoch', why: acks } : null
  }
  if (cursor.seq > head.seq)
    return { of: 'base', why: `cursor ${cursor.seq} is ahead of the log (head ${head.seq})` }
  if (isLostSeq(lost, cursor.seq))
    return { of: 'base', why: `the hub was restored, and lost what was at cursor ${cursor.seq}` }
  const isTold = cursor.seq === 0 || cursor.seq >= floor
  if (isTold && cursor.seq > 0 && tagAtCursor !== cursor.tag)
    return { of: 'base', why: `the log at ${cursor.seq} is not the one the replica has seen` }
  if (holdsMore)
    return { of: 'base', why: `the replica, at ${cursor.seq}, holds what a snapshot of this hub lacked` }
  if (!areAcksLost) return null
  return { of: isTold ? 'acks' : 'base', why: acks }
}

function planLoss({ of, why }: Loss, standing: Standing, log: LogView | null, offers: Offers): CatchUpPlan {
  const { cursor } = standing
  if (!offers.heal)
    return { path: 'diverged', why: `${why}; and this replica cannot or may not give it back` }
  // It believes the lower mark, and the log has everything else: so it goes on as if there were nothing.
  if (of === 'acks' || cursor === null) {
    return planCatchUp({ cursor, ackedCounter: 0, holdsMore: false }, log, offers)
  }
  const lost = log?.lost ?? []
  const isKnown = cursor.seq < (lost.at(-1)?.before ?? 0)
  if (!offers.writes) {
    if (log === null || of !== 'base' || !isKnown || standing.holdsMore)
      return { path: 'diverged', why: `${why}; and this replica may not write, to give it back` }
    // Perhaps others have, all of it: it sees for itself whether the snapshot lacks anything.
    return {
      path: 'snapshot',
      gap: null,
      atLeast: log.head.seq,
      why: `${why}; others may have given it back`,
    }
  }
  const ahead = cursor.seq - (log?.head.seq ?? 0)
  if (ahead > limits.lostAheadMax) return { path: 'diverged', why: `${why}: too far ahead to be believed` }
  if (!isKnown && lost.length >= limits.lostRangesMax) {
    return { path: 'diverged', why: `${why}; but it has lost its history ${lost.length} times by now` }
  }
  const heal = { path: 'heal', cursor, head: log?.head.seq ?? 0, isKnown, why } as const
  if (log === null) return { ...heal, wanted: 'all' }
  if (of === 'base') return { ...heal, wanted: 'missing' }
  if (isNewer(cursor, log)) return { ...heal, wanted: 'all' }
  return { path: 'diverged', why: `${why}; documents of two epochs do not mix` }
}

/**
 * Whether the replica's document is what the log's became before it was lost: of a later epoch, which began in the very
 * stretch that the log lost, when it was restored for the first and only time; and nothing has come to the log's own since.
 * Of one that was restored more often the replica may have another past, which does not hold all that is here.
 */
function isNewer(cursor: Cursor, { epoch, lost, isBare }: LogView): boolean {
  return lost.length === 1 && isBare && cursor.epoch > epoch && isLostSeq(lost, cursor.seq)
}
