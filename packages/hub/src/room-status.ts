/** What a room tells of itself. */
import { type Cursor, type ErrorCode, type Namespace, type Seq } from '@rejoin/core'

export interface RoomStatus {
  readonly namespace: Namespace
  readonly sessions: number
  /** Null while the namespace does not exist. */
  readonly head: Cursor | null
  readonly domain: string | null
  readonly checkpointSeq: Seq | null
  readonly bytesAfterCheckpoint: number
  readonly checkpointing: 'ok' | CheckpointTrouble
}

/** Folding the log fails: the room is served on, its log grows, and it is tried again by itself. */
export interface CheckpointTrouble {
  readonly cause: { readonly code: ErrorCode; readonly message: string }
  /** In a row. */
  readonly failures: number
  /** When the next try is due, milliseconds since 1970. */
  readonly retryAt: number
}
