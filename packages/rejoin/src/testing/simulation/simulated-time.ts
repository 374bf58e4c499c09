/**
 * The time of a simulated world: it stands still until the world moves it. Each process has a clock of its own on it, which
 * may be wrong, stand still, and end with its process: what a process that was killed had been waiting for never comes.
 */
import type { Clock } from '@rejoin/core'
import type { Chance } from './chance.ts'

interface Sleeper {
  readonly wakesAt: number
  /** In the order of falling asleep. */
  readonly number: number
  readonly whose: ProcessClock
  readonly wake: () => void
}

export class SimulatedTime {
  #now: number
  #slept = 0
  readonly #sleepers = new Set<Sleeper>()

  /** @param startMs milliseconds since 1970. */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  get sleepers(): number {
    return this.#sleepers.size
  }

  sleep(whose: ProcessClock, ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve()
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        wakesAt: this.#now + Math.max(0, ms),
        number: this.#slept++,
        whose,
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

  /** Those of a process that has ended sleep for ever. */
  forget(whose: ProcessClock): void {
    for (const sleeper of this.#sleepers) if (sleeper.whose === whose) this.#sleepers.delete(sleeper)
  }

  /** Moves on to the next one that sleeps, no further than `untilMs`, and wakes it; false where nobody wakes until then. */
  advanceToNext(untilMs: number): boolean {
    const next = this.#earliest()
    if (next === null || next.wakesAt > untilMs) {
      if (untilMs < Infinity) this.#now = Math.max(this.#now, untilMs)
      return false
    }
    this.#now = Math.max(this.#now, next.wakesAt)
    next.wake()
    return true
  }

  #earliest(): Sleeper | null {
    let earliest: Sleeper | null = null
    for (const sleeper of this.#sleepers) {
      if (earliest === null || sleeper.wakesAt < earliest.wakesAt) earliest = sleeper
    }
    return earliest
  }
}

/** How wrong a machine's wall clock is; it outlives its processes. */
export interface WallClock {
  aheadMs: number
  /** Where it stands still, what it says; else null. */
  standsAt: number | null
}

export class ProcessClock implements Clock {
  readonly #time: SimulatedTime
  readonly #wall: WallClock
  readonly #chance: Chance
  #ended = false

  constructor(time: SimulatedTime, wall: WallClock, chance: Chance) {
    this.#time = time
    this.#wall = wall
    this.#chance = chance
  }

  now(): number {
    return this.#wall.standsAt ?? this.#time.now() + this.#wall.aheadMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#ended ? new Promise(() => {}) : this.#time.sleep(this, ms, signal)
  }

  random(count: number): Uint8Array {
    return this.#chance.bytes(count)
  }

  end(): void {
    this.#ended = true
    this.#time.forget(this)
  }
}
