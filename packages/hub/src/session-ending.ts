/**
 * How one session ends: by whom and with which words, once. A fault of the channel closes it; a fault of the room or of who
 * is signed in is told as a refusal first. Nothing is sent after the end.
 */
import { type Clock, type HubChannel, type SyncError } from '@rejoin/core'
import { closingOf, isAboutChannel, refusalOf } from './answers.ts'
import { type HubLog } from './log-event.ts'
import { type HubCounts } from './metrics.ts'
import { type Room } from './room.ts'

export interface SessionEndingParts {
  readonly log: HubLog
  readonly counts: HubCounts
  readonly clock: Clock
}

export class SessionEnding {
  readonly #channel: HubChannel
  readonly #parts: SessionEndingParts
  readonly #ended: () => void
  #isOver = false
  #isWarned = false

  /** @param ended called at every call that ends it. */
  constructor(channel: HubChannel, parts: SessionEndingParts, ended: () => void) {
    this.#channel = channel
    this.#parts = parts
    this.#ended = ended
    void channel.closed.then(() => this.over())
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** The peer was told that the hub is closing. */
  get isWarned(): boolean {
    return this.#isWarned
  }

  /** Says why, and closes. @param room where it got that far. */
  dismiss(error: SyncError, room: Room | null): void {
    if (this.#isOver) return
    const { log, counts, clock } = this.#parts
    const namespace = room?.namespace ?? null
    log({ level: 'info', namespace, message: `session closed: ${error.message}`, error })
    if (!isAboutChannel(error.code)) {
      counts.refused(error.code)
      this.#channel.send(refusalOf(error, null))
    }
    this.#channel.send(closingOf(error, clock))
    this.close(error)
  }

  /** The hub is closing: says so; what is under way may still be answered until the channel is closed. */
  warn(error: SyncError): void {
    if (this.#isOver) return
    this.#isWarned = true
    this.#channel.send(closingOf(error, this.#parts.clock))
  }

  close(error: SyncError): void {
    this.over()
    this.#channel.close({ code: error.code, message: error.message })
  }

  /** The channel is closed, or nothing is to be done on it any more. */
  over(): void {
    this.#isOver = true
    this.#ended()
  }
}
