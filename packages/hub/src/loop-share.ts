/**
 * How much one session does before everybody else in this process has had a turn: what waits for it is there at once, so by
 * itself it would go on until nothing is left. Counted and not timed, so that the same messages take the same turns.
 */
import { limits, type Clock } from '@rejoin/core'

export class LoopShare {
  readonly #clock: Clock
  #steps = 0
  #bytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @param steps what was looked at one by one: commits, or a message. */
  did(steps: number, bytes: number): void {
    this.#steps += steps
    this.#bytes += bytes
  }

  /** As much as one full push. */
  get isSpent(): boolean {
    return this.#steps >= limits.pushCommitsMax || this.#bytes >= limits.pushBytesMax
  }

  /** Resolves in a later turn of the loop. */
  async renewed(): Promise<void> {
    this.#steps = 0
    this.#bytes = 0
    await this.#clock.sleep(0)
  }
}
