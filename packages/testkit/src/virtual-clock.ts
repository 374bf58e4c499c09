/**
 * A clock that stands still until it is moved, with chance from a seed: the same seed, the same run (invariant 15).
 */
import type { Clock } from '@rejoin/core'

interface Sleeper {
  readonly wakesAt: number
  readonly wake: () => void
}

export class VirtualClock implements Clock {
  #now: number
  #state: number
  readonly #sleepers = new Set<Sleeper>()

  /** @param seed any whole number; @param startMs milliseconds since 1970. */
  constructor(seed: number, startMs = Date.UTC(2026, 0, 1)) {
    this.#state = seed >>> 0
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    // No time at all has passed already: whoever only lets others go first needs nobody who moves the clock.
    if (ms <= 0 || signal?.aborted === true) return Promise.resolve()
    return new Promise((resolve) => {
      const sleeper = {
        wakesAt: this.#now + ms,
        wake: () => {
          this.#sleepers.delete(sleeper)
          signal?.removeEventListener('abort', sleeper.wake)
          resolve()
        },
      }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', sleeper.wake)
    })
  }

  random(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.#nextUint32() >>> 24)
  }

  /** Moves on by `ms` and wakes those whose time has come, earliest first. */
  advance(ms: number): void {
    const until = this.#now + ms
    for (let next = this.#earliest(); next !== null && next.wakesAt <= until; next = this.#earliest()) {
      this.#now = Math.max(this.#now, next.wakesAt)
      next.wake()
    }
    this.#now = until
  }

  /** Moves on to the next one that sleeps; false when nobody does. */
  advanceToNext(): boolean {
    const next = this.#earliest()
    if (next === null) return false
    this.advance(Math.max(0, next.wakesAt - this.#now))
    return true
  }

  #earliest(): Sleeper | null {
    let earliest: Sleeper | null = null
    for (const sleeper of this.#sleepers) {
      if (earliest === null || sleeper.wakesAt < earliest.wakesAt) earliest = sleeper
    }
    return earliest
  }

  /** SplitMix32: full period, no state but one number. */
  #nextUint32(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
}
