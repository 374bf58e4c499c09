/** What a room knows of a session in it. */
import { type Ack, type Cursor, type Refused, type Seq, type SyncError, type TailCommit } from '@rejoin/core'

/** One record of the log as it reaches the room's sessions. */
export interface Landing {
  /** The seq of the record before it. */
  readonly prev: Seq
  readonly cursor: Cursor
  /** Shared by all who hear of them: nobody changes it. */
  readonly commits: TailCommit[]
  /** Places among `commits` of those that a session pushed in these very bytes: it need not get them back. */
  readonly own: ReadonlyMap<Member, readonly number[]>
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

/** Of those at `places` their author has the bytes: most sessions have none, and share the commits. */
export function withoutUpdates(commits: TailCommit[], places: readonly number[] | undefined): TailCommit[] {
  if (places === undefined) return commits
  const told = commits.slice()
  for (const place of places) {
    const commit = commits[place]
    if (commit !== undefined) told[place] = { replica: commit.replica, counter: commit.counter, update: null }
  }
  return told
}
