/** Commits that came up a channel and are not answered yet: what a hub may have to hold for one session. */
import { type HubChannel } from '@rejoin/core'

export class UnansweredCommits {
  readonly #channel: Pick<HubChannel, 'bill'>
  #count = 0
  /** Bytes that had come up when every commit was answered the last time. */
  #bytesAnswered = 0

  constructor(channel: Pick<HubChannel, 'bill'>) {
    this.#channel = channel
  }

  get isNone(): boolean {
    return this.#count === 0
  }

  /** An upper bound: it falls when everything is answered. */
  get bytes(): number {
    return this.isNone ? 0 : this.#channel.bill.bytesUp - this.#bytesAnswered
  }

  came(count: number): void {
    this.#count += count
  }

  answered(): void {
    this.#count--
    if (this.isNone) this.#bytesAnswered = this.#channel.bill.bytesUp
  }
}
