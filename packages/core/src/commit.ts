/** Commits: the unit that is logged, pushed and acknowledged. */
import type { Hlc } from './hlc.ts'
import type { CommitId, Counter } from './ids.ts'
import type { ErrorCode } from './errors.ts'
import type { AnyOp } from './domain/op.ts'

/**
 * The ops of one `apply()` with the one update that carries their effect. `prev` is the replica's counter before this one
 * that still stands (0: none), so that nothing is skipped or overtaken and a refused commit leaves no hole.
 */
export interface Commit {
  readonly id: CommitId
  readonly prev: Counter
  readonly hlc: Hlc
  readonly domainVersion: number
  readonly ops: readonly AnyOp[]
  /** V1 bytes in the grammar of DESIGN section 3, or no bytes at all where the ops changed nothing. */
  readonly update: Uint8Array
}

/** A commit that the hub refused: kept for its author, never dropped in silence. */
export interface RejectedCommit {
  readonly commit: Commit
  readonly code: ErrorCode
  readonly message: string
  readonly path: string | null
}

export function commitName(id: CommitId): string {
  return `${id.replica}:${id.counter}`
}
