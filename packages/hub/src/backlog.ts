/** What waits for a peer to take it, and how long anybody waits for that (invariant 14). */
import { limits, SyncError, type Clock, type HubChannel } from '@rejoin/core'
import { tooSlow } from './answers.ts'
import { within } from './waiting.ts'

export class Backlog {
  readonly #channel: Pick<HubChannel, 'backlogBytes' | 'drained'>
  readonly #clock: Clock
  readonly #isGone: () => boolean

  constructor(channel: Pick<HubChannel, 'backlogBytes' | 'drained'>, clock: Clock, isGone: () => boolean) {
    this.#channel = channel
    this.#clock = clock
    this.#isGone = isGone
  }

  /** So large that the peer is left to catch up later. */
  get isTooLarge(): boolean {
    return this.#channel.backlogBytes > limits.backlogBytesMax
  }

  /**
   * Resolves when less than that waits. A peer that takes nothing at all for too long is given up; one that is merely slow is
   * not.
   * @throws SyncError PEER_TOO_SLOW, CHANNEL_CLOSED
   */
  async below(bytesMax: number): Promise<void> {
    for (;;) {
      const backlog = this.#channel.backlogBytes
      if (this.#isGone()) throw new SyncError('CHANNEL_CLOSED', 'the peer has gone')
      if (backlog < bytesMax) return
      const result = await within(this.#clock, limits.backlogMsMax, this.#channel.drained())
      if (result === 'late' && this.#channel.backlogBytes >= backlog) throw tooSlow()
    }
  }

  /** @throws SyncError PEER_TOO_SLOW where it takes too long. */
  async drained(): Promise<void> {
    const drained = await within(this.#clock, limits.backlogMsMax, this.#channel.drained())
    if (drained === 'late') throw tooSlow()
  }
}
