/** What a room tells of itself. */
import { type Cursor, type Namespace, type Seq } from '@rejoin/core'

export interface RoomStatus {
  readonly namespace: Namespace
  readonly sessions: number
  /** Null while the namespace does not exist. */
  readonly head: Cursor | null
  readonly domain: string | null
  readonly checkpointSeq: Seq | null
  readonly bytesAfterCheckpoint: number
}
