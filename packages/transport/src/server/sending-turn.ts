/**
 * The turns of one channel among those of its principal that may be sent much: it waits for one to be greeted, and once it is
 * behind, to catch up. It keeps each until what it was taken for has begun, and nothing that is sent meanwhile ends it, since
 * only from then on what was sent is counted by itself.
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
  readonly #greeting: (() => void)[] = []
  readonly #catchingUp: (() => void)[] = []
  #hasAsked = false
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

  /** It was greeted, and takes a turn before the next `ready` resolves. */
  ask(): void {
    this.#hasAsked = true
  }

  /** Resolves when it has one to be greeted, or when the channel is closed. */
  take(): Promise<void> {
    return this.#enter(this.#greeting)
  }

  /** Somebody asks whether it is behind: it is not read, too much waits for its principal already, and it has no turn. */
  tell(): boolean {
    this.#isTold = this.#isHeldBack
    return this.#isTold
  }

  /** Takes a turn where it asked, or was told that it is behind; who only waits until all has left would keep it. */
  async ready(): Promise<void> {
    if (this.#hasAsked) {
      this.#hasAsked = false
      await this.take()
    }
    if (this.#isTold && this.#isHeldBack) await this.#enter(this.#catchingUp)
  }

  /** Everything that its greeting asked for was sent: from now on it may be behind. */
  answered(): void {
    this.#isGreeted = true
    this.over()
  }

  /** What is sent or heard shows that it catches up; a greeting is not answered by it. */
  goesOn(): void {
    this.#isTold = false
    for (const leave of this.#catchingUp.splice(0)) leave()
  }

  /** What all were taken for has begun, or nothing is sent any more. */
  over(): void {
    this.goesOn()
    for (const leave of this.#greeting.splice(0)) leave()
  }

  async #enter(turns: (() => void)[]): Promise<void> {
    const { greetings, connectionBacklogBytes } = this.#bounds
    turns.push(await greetings.enter(this.#closed, () => connectionBacklogBytes() > 0))
    // It may have closed in the very turn in which it was let through.
    if (this.#isClosed) this.over()
  }

  get #isHeldBack(): boolean {
    const { greetings, connectionBacklogBytes } = this.#bounds
    const hasTurn = this.#greeting.length > 0 || this.#catchingUp.length > 0
    return this.#isGreeted && !hasTurn && greetings.isTooMuch && connectionBacklogBytes() > 0
  }
}
