/**
 * Time that stands still between the steps of a story, for worlds in one process: stamps follow the step, sleepers wake only
 * when somebody waits for work that needs them, and chance is drawn from the seed, by each clock for itself.
 */
import type { Clock, HubSignals, Namespace } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'

/** Everything that can run without time passing has run. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

export class SteppedTime {
  readonly #timers = new VirtualClock(1)
  readonly #seed: number
  #clocks = 0
  #step = 0

  constructor(seed: number) {
    this.#seed = seed
  }

  /** Later stamps from here on. */
  step(): void {
    this.#step++
  }

  /** One of those that share this time, with chance of its own. */
  clock(): Clock {
    const chance = new VirtualClock(this.#seed * 1_000 + this.#clocks++)
    return {
      now: () => Date.UTC(2026, 0, 1) + this.#step * 1_000,
      sleep: (ms, signal) => this.#timers.sleep(ms, signal),
      random: (count) => chance.random(count),
    }
  }

  /** Sleepers wake one after the other until the work is done. */
  async finish<T>(work: Promise<T>): Promise<T> {
    let done = false
    const mark = (): void => {
      done = true
    }
    work.then(mark, mark)
    for (let i = 0; !done && i < 600; i++) {
      await turn()
      if (!done) this.#timers.advanceToNext()
    }
    if (!done) throw new Error('it never ends')
    return work
  }

  /** Those who would have woken in these milliseconds do. */
  async pass(ms: number): Promise<void> {
    await turn()
    this.#timers.advance(ms)
    await turn()
  }
}

/** Between hubs over one store: heard a microtask later. */
export function signalsWithin(): HubSignals {
  const listeners = new Set<(namespace: Namespace) => void>()
  return {
    publish: (namespace) => {
      for (const listener of listeners) queueMicrotask(() => listener(namespace))
    },
    listen: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
