/**
 * The turn of one channel among those of its principal that may be sent much: it waits for one to be greeted, and once it is
 * behind, to catch up. It keeps it until that has begun, since from then on what was sent is counted by itself.
 */
import { limits, type CloseReason } from '@rejoin/core'
import type { Greetings } from './greetings.ts'

export interface SendingBounds {
  /** Of the same principal. */
  readonly greetings: Greetings
  /** Bytes that wait to be sent on its connection, all channels together. */
  readonly connectionBacklogBytes: () => number
}

/** What a channel says that waits where it is behind by this: more than any session takes for keeping up. */
export const BEHIND_BYTES = limits.backlogBytesMax + 1

export class SendingTurn {
  readonly #bounds: SendingBounds
  readonly #closed: Promise<CloseReason>
  readonly #taken: (() => void)[] = []
  #isGreeted = false
  #isTold = false
  #isClosed = false

  constructor(closed: Promise<CloseReason>, bounds: SendingBounds) {
    this.#bounds = bounds
    this.#closed = closed
    void closed.then(() => {
      this.#isClosed = true
      this.over()
    })
  }

  /** Resolves when it has one, or when the channel is closed. */
  async take(): Promise<void> {
    this.#taken.push(await this.#bounds.greetings.enter(this.#closed))
    // It may have closed in the very turn in which it was let through.
    if (this.#isClosed) this.over()
  }

  /** Somebody asks whether it is behind: it is not read, too much waits for its principal already, and it has no turn. */
  tell(): boolean {
    this.#isTold = this.#isHeldBack
    return this.#isTold
  }

  /** Takes a turn where it was told that it is behind; who only waits until all has left needs none, and would keep it. */
  async catchUp(): Promise<void> {
    if (this.#isTold && this.#isHeldBack) await this.take()
  }

  /** Everything that its greeting asked for was sent: from now on it may be behind. */
  answered(): void {
    this.#isGreeted = true
  }

  /** What it was taken for has begun, or nothing is sent any more. */
  over(): void {
    this.#isTold = false
    for (const leave of this.#taken.splice(0)) leave()
  }

  get #isHeldBack(): boolean {
    const { greetings, connectionBacklogBytes } = this.#bounds
    return this.#isGreeted && this.#taken.length === 0 && greetings.isTooMuch && connectionBacklogBytes() > 0
  }
}
