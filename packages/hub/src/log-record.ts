/** What a record of the log says: the commits that a room logged together, a rebuild, or what was lost and came back. */
import {
  type CommitId,
  type Counter,
  type Epoch,
  type Hlc,
  type LostRange,
  type ReplicaId,
} from '@rejoin/core'

/** A commit as it is logged. */
export interface LoggedCommit {
  readonly id: CommitId
  readonly prev: Counter
  readonly hlc: Hlc
  readonly domainVersion: number
  /** Id of whoever was signed in when it was pushed. */
  readonly principal: string
  /** The ops in canonical form, as a JSON array; `NO_OPS` of a plain Yjs client, whose update may be a state update. */
  readonly opsJson: string
  readonly update: Uint8Array
}

/** What a commit has in place of ops that was made of a plain Yjs client's update. A replica's has at least one. */
export const NO_OPS = '[]'

export interface Placed {
  /** Of a rebuild: the epoch that it begins. */
  readonly epoch: Epoch
  readonly domain: string
}
export interface CommitsRecord extends Placed {
  readonly kind: 'commits'
  readonly commits: readonly LoggedCommit[]
}
/** From here on the document is its live entries alone, in canonical form; `digest` is their hash. */
export interface RebuildRecord extends Placed {
  readonly kind: 'rebuild'
  /** The epoch that it ends. */
  readonly from: Epoch
  readonly digest: string
  /** Null where nobody is forgotten with it. */
  readonly forgot: ForgottenReplicas | null
}
/** Whose marks go with a rebuild. They are named, since by what they are chosen is soon in no log any more. */
export interface ForgottenReplicas {
  /** Milliseconds since 1970: none of them has written since. */
  readonly before: number
  readonly replicas: readonly ReplicaId[]
}
/**
 * The log lost what once followed here, since the hub was restored from an older backup: told by whoever restored it, or
 * brought back by a replica that still had it.
 */
export interface HealRecord extends Placed {
  readonly kind: 'heal'
  /** The seqs that may name lost records, so that no cursor of theirs is ever taken for one of this log; null where told before. */
  readonly lost: LostRange | null
  /**
   * Whose history it brings back, and up to which of its own commits. Null where an operator says that what follows `after`
   * is lost; where a replica showed it, something may have been logged between the loss and this record.
   */
  readonly healed: HealedHistory | null
}
export interface HealedHistory {
  readonly id: CommitId
  readonly domainVersion: number
  readonly principal: string
  /** A state update: what the document lacks of the replica's acknowledged one. */
  readonly update: Uint8Array
}
export type LogRecord = CommitsRecord | RebuildRecord | HealRecord
