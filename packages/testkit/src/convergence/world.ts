/**
 * The world that `checkConvergence` drives: several replicas of one namespace and their hub. `rejoin/testing` builds one
 * from the real engines; a test of the checkers builds broken ones.
 */
import type { AnyOp, ErrorCode } from '@rejoin/core'

export interface World {
  readonly replicas: number
  /** The author's own replica applies the op at once; a refusal is an outcome, not a failure. */
  apply(replica: number, op: AnyOp): Promise<ApplyOutcome>
  /**
   * One exchange with the hub. `cutAfter`: the connection breaks after that many messages down, so that acknowledgements
   * are lost and commits are sent again; null: it lasts.
   */
  exchange(replica: number, cutAfter: number | null): Promise<void>
  /** Loses what was not recorded, and starts again from the store. */
  restart(replica: number): Promise<void>
  /** The hub folds its log, and keeps only the newest commits as a tail. */
  checkpoint(): Promise<void>
  /** The hub starts a new epoch from the live entries: whoever comes back is reset and recommits what it has not sent. */
  rebuild(): Promise<void>
  observe(): Promise<Observation>
  close(): Promise<void>
}

export type ApplyOutcome =
  | { readonly kind: 'commit'; readonly id: string }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly code: ErrorCode }

export interface ReplicaObservation {
  /** Every live entry, one line each, sorted. */
  readonly content: readonly string[]
  readonly conflicts: string
  /** State vector and delete set in one canonical text. */
  readonly encoding: string
  /** Updates that wait for others. */
  readonly waiting: number
  readonly outbox: readonly string[]
  readonly rejected: readonly string[]
}

export interface Observation {
  readonly replicas: readonly ReplicaObservation[]
  /** Every commit that `apply` accepted, by id. */
  readonly accepted: readonly string[]
  /** Those of them that the hub acknowledged. */
  readonly acknowledged: readonly string[]
  /** Commit ids in the order the hub logged them, from the very first. */
  readonly logged: readonly string[]
}
