/**
 * A disk under a store: each call is one batch that has not begun, is carried out, or is lost. Calls can be slow, stand
 * still, fail before or after they were carried out, and find the disk full. A process that is killed hears no answer any
 * more: of the calls under way some first ones may have been carried out. With the power go, where the store syncs later
 * (`applied`), the batches after the last sync, from the end on: a log on a disk loses its end, never its middle.
 */
import { SyncError } from '@rejoin/core'
import type { Chance } from './chance.ts'

/**
 * `slow`: each call waits until the world goes on. `stalls`: nothing is answered. `fails`: refused before anything happened.
 * `unsure`: carried out, and then said to have failed. `full`: reads go on.
 */
export type SimulatedDiskState = 'works' | 'slow' | 'stalls' | 'fails' | 'unsure' | 'full'

interface Waiting {
  readonly kind: 'read' | 'write'
  /** Carries it out. */
  readonly act: () => void
  readonly answer: () => void
}

export class SimulatedDisk {
  #state: SimulatedDiskState = 'works'
  readonly #waiting: Waiting[] = []
  #ended = false

  get state(): SimulatedDiskState {
    return this.#state
  }

  /** Calls that begun and are not answered. */
  get underWay(): number {
    return this.#waiting.length
  }

  /** Whether a call can be answered now. */
  get moves(): boolean {
    return this.#waiting.length > 0 && this.#state !== 'stalls' && !this.#ended
  }

  set(state: SimulatedDiskState): void {
    this.#state = state
    while (this.moves && state !== 'slow') this.step()
  }

  /** Answers the oldest call. */
  step(): void {
    const call = this.#waiting.shift()
    call?.act()
    call?.answer()
  }

  /** @param act carries it out, at once; what it gives is the answer. */
  async call<T>(kind: 'read' | 'write', act: () => T | Promise<T>): Promise<T> {
    if (this.#ended) return new Promise<never>(() => {})
    const state = this.#state
    if (state === 'fails') throw new SyncError('STORE_UNAVAILABLE', 'the simulated disk fails')
    if (state === 'full' && kind === 'write') throw new SyncError('STORE_FULL', 'the simulated disk is full')
    const waits = state === 'slow' || state === 'stalls' || this.#waiting.length > 0
    const result = waits ? await this.#later(kind, act) : await act()
    if (this.#ended) return new Promise<never>(() => {})
    if (state === 'unsure' && kind === 'write')
      throw new SyncError('STORE_UNAVAILABLE', 'the simulated disk does not say whether it did')
    return result
  }

  /** The process is killed. */
  end(chance: Chance): void {
    const writes = this.#waiting.splice(0).filter(({ kind }) => kind === 'write')
    const carriedOut = chance.below(writes.length + 1)
    this.#ended = true
    for (const { act } of writes.slice(0, carriedOut)) act()
  }

  #later<T>(kind: 'read' | 'write', act: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: T | Promise<T>
      let failure: { readonly error: unknown } | null = null
      this.#waiting.push({
        kind,
        act: () => {
          try {
            result = act()
            // Of a process that has ended nobody is left to hear it.
            if (result instanceof Promise) result.catch(() => {})
          } catch (error) {
            failure = { error }
          }
        },
        answer: () => (failure === null ? resolve(result) : reject(failure.error as Error)),
      })
    })
  }
}
