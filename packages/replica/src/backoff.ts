/** Waiting that doubles from `limits.reconnectMsMin` to `limits.reconnectMsMax`, half of it left to chance. */
import { limits, randomUnit, type Clock } from '@rejoin/core'

export class Backoff {
  readonly #clock: Clock
  #attempts = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds to wait now; at least `atLeastMs` where a peer asked for that. */
  next(atLeastMs: number | null = null): number {
    const ceiling = Math.min(limits.reconnectMsMax, limits.reconnectMsMin * 2 ** Math.min(this.#attempts, 30))
    this.#attempts++
    const wait = ceiling / 2 + (randomUnit(this.#clock) * ceiling) / 2
    return Math.max(limits.reconnectMsMin, Math.min(atLeastMs ?? 0, limits.reconnectMsMax), Math.round(wait))
  }

  reset(): void {
    this.#attempts = 0
  }
}
