/**
 * The world that `checkConvergence` drives: several replicas of one namespace and their hub. `rejoin/testing` builds one
 * from the real engines; a test of the oracles builds broken ones. It takes steps and tells what it sees; what must be true
 * of that, `watch.ts` and `checkers.ts` decide.
 */
import type { AnyOp, Cursor, ErrorCode, ReplicaState, Seq } from '@rejoin/core'
import type { Step } from './step.ts'

export interface World {
  readonly replicas: number
  /** Takes one step to its end. A refusal or a broken connection is an outcome, never a failure. */
  take(step: Step): Promise<StepOutcome>
  /** What may be looked at after every step. */
  glance(): Promise<Glance>
  /** Everything works again and time passes, until nothing moves: late messages arrive, live replicas reconnect. */
  calm(): Promise<void>
  observe(): Promise<Observation>
  /** What is wrong with merge functions, each given the values that any register of the story ever held; a line each. */
  unruly(): readonly string[]
  /** A replica that was never there joins, from a log that was just folded; null while there is nothing to join. */
  newcomer(): Promise<ReplicaObservation | null>
  close(): Promise<void>
}

export type StepOutcome =
  | {
      readonly kind: 'done'
      /** What came of it, in a few words; empty where there is nothing worth telling. */
      readonly note: string
    }
  /** A replica that crashed cannot be opened again. */
  | { readonly kind: 'gone'; readonly replica: number; readonly error: string }
  | LocalOutcome
  /** Of a step that picks: what it picked, in a few words. */
  | { readonly kind: 'picked'; readonly what: string; readonly outcome: LocalOutcome }
  | Tried

/** Of an apply step: its ops, and where they made no commit those of all its candidates that fit. */
export interface Tried {
  readonly kind: 'tried'
  /** One or two; the last one counts. */
  readonly attempts: readonly [Attempt, ...Attempt[]]
  /** Candidates that fitted nowhere. */
  readonly misfits: readonly Misfit[]
}

export interface Attempt {
  readonly ops: readonly AnyOp[]
  readonly outcome: LocalOutcome
  /** What a writer sets that does not follow from its op's payload, or null: a hub would refuse it. */
  readonly unexplained: string | null
}

export interface Misfit {
  readonly type: AnyOp['type']
  /** Null: it would have changed nothing. */
  readonly refusal: Refusal | null
}

export interface Refusal {
  readonly code: ErrorCode
  /** Within the op; empty: the op as a whole. */
  readonly path: string
  readonly message: string
}

/** What came of a write to a replica's own document. */
export type LocalOutcome =
  | {
      readonly kind: 'commit'
      readonly name: CommitName
      /** Live entries beside the commit's own in a register that it set: there must be none. */
      readonly crowded: readonly EntryLine[]
      /** The same op once more, right away; null where it was not tried, since there were several. */
      readonly again: 'unchanged' | 'changed' | 'refused' | null
    }
  | { readonly kind: 'unchanged' }
  /** `leftTrace`: the document is not, byte by byte, what it was. */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly leftTrace: boolean }

/** `2:7` is the seventh commit of replica 2. */
export type CommitName = string
/** As `entryLine` of core writes it. */
export type EntryLine = string

export interface Glance {
  readonly replicas: readonly ReplicaGlance[]
  /** Up to where the hub's log goes; 0 while there is none. */
  readonly head: Seq
  /** Names of the commits in the log, in its order, from the very first. */
  readonly logged: readonly CommitName[]
  readonly acked: readonly CommitName[]
  /** Commits that the hub refused for good though no step said so: who, what and why, a line each. */
  readonly refused: readonly string[]
}

export interface ReplicaGlance {
  readonly cursor: Cursor | null
  /** Updates that the document could not place. */
  readonly unplaced: number
  readonly outbox: number
  /** Registers that hold values written side by side. */
  readonly contested: number
  /** Live entries that only refused commits have set. */
  readonly strays: readonly EntryLine[]
  /** Whether it was told to stay connected. */
  readonly live: boolean
  readonly state: ReplicaState
  readonly lastError: string | null
}

export interface ReplicaObservation {
  /** Every row that the typed tables show, one line each. */
  readonly reads: readonly string[]
  /** Every live entry, in order. */
  readonly entries: readonly EntryLine[]
  /** The same as its store would give it back. */
  readonly stored: readonly EntryLine[]
  readonly conflicts: string
  /** State vector and delete set in one canonical text. */
  readonly encoding: string
  /** Updates that wait for others. */
  readonly waiting: number
  readonly outbox: readonly CommitName[]
  readonly lastError: string | null
}

/** A commit that a replica accepted, and what it did to its author's document. */
export interface AcceptedCommit {
  readonly name: CommitName
  /** Index of the replica. */
  readonly author: number
  /** Live entries of its author's document before it. */
  readonly before: readonly EntryLine[]
  /** Entries that were live after it and not before, and the other way round. */
  readonly sets: readonly EntryLine[]
  readonly removes: readonly EntryLine[]
  readonly saved: boolean
  readonly acked: boolean
  readonly fate: 'open' | 'rejected' | 'withdrawn'
}

/** A commit in the hub's log. */
export interface LoggedCommit {
  readonly name: CommitName
  /** What its update sets: after a recommit not always what it set at first. */
  readonly sets: readonly EntryLine[]
}

export interface Observation {
  readonly replicas: readonly ReplicaObservation[]
  readonly accepted: readonly AcceptedCommit[]
  /** In the order of the log, from the very first. */
  readonly logged: readonly LoggedCommit[]
  /** Why the log cannot be read, or null. */
  readonly logFault: string | null
}
