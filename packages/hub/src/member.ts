/** What a room knows of a session in it. */
import { type Ack, type Cursor, type Refused, type Seq, type SyncError, type TailCommit } from '@rejoin/core'

/** One record of the log as it reaches the room's sessions. */
export interface Landing {
  /** The seq of the record before it. */
  readonly prev: Seq
  readonly cursor: Cursor
  readonly commits: readonly TailCommit[]
  /** Names of the commits that a session pushed in these very bytes: it need not get them back. */
  readonly own: ReadonlyMap<Member, ReadonlySet<string>>
}

export interface Member {
  /** Answers one pushed commit. */
  answer(answer: Ack | Refused): void
  deliver(landing: Landing): void
  deliverAwareness(update: Uint8Array): void
  /** The room's log is not where it was: what this session lacks must be planned again. */
  look(): void
  /** The room cannot be served. */
  dismiss(error: SyncError): void
}
