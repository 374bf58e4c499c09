/**
 * A channel carries messages of one room both ways, in order, until one side closes it. Many channels may share one
 * connection; which transport carries them, neither side can tell.
 */
import type { ErrorCode } from '../errors.ts'
import type { DownMessage } from '../protocol/down.ts'
import type { UpMessage } from '../protocol/up.ts'

export interface CloseReason {
  /** Null: closed in the ordinary way. */
  readonly code: ErrorCode | null
  readonly message: string
  /** Milliseconds after which to come back, where the peer said so. */
  readonly retryAfterMs?: number
}

/** Bytes that passed since the channel opened, frames included. */
export interface Bill {
  readonly bytesUp: number
  readonly bytesDown: number
}

export interface Channel<Send, Receive> {
  /** Queues a message. After closing, or after `end`, it is dropped. */
  send(message: Send): void
  /** Bytes queued here and not yet taken by the network. */
  readonly backlogBytes: number
  /** Resolves when the backlog is empty or the channel is closed. */
  drained(): Promise<void>
  /** The next message, or null when the peer has ended or the channel is closed. One call at a time. */
  receive(): Promise<Receive | null>
  /** Says that nothing more will be sent; receiving goes on. */
  end(): void
  /** Sends what is queued where it can, then closes both ways. Idempotent. */
  close(reason?: CloseReason): void
  /** Resolves once, with why; never rejects. */
  readonly closed: Promise<CloseReason>
  readonly bill: Bill
  /**
   * True where everything up is sent before anything comes down (HTTP): a replica then sends what it has along with its
   * greeting, since it will not hear the answer first.
   */
  readonly oneShot: boolean
}

/** A replica's end. */
export type ReplicaChannel = Channel<UpMessage, DownMessage>
/** A hub's end. */
export type HubChannel = Channel<DownMessage, UpMessage>

/**
 * Opens a channel to a hub.
 * @throws SyncError HUB_UNREACHABLE, UNAUTHENTICATED or FORBIDDEN; within `limits.answerMsMax`.
 */
export type Dial = (signal: AbortSignal) => Promise<ReplicaChannel>
