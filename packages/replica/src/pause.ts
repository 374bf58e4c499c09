/** The pause after a hub said "later": the hub's own word on when, and a wait that doubles; never a tight loop. */
import type { Clock, SyncError } from '@rejoin/core'
import { Backoff } from './backoff.ts'
import type { CommitRefusal } from './refusals.ts'
import { errorOf } from './session-end.ts'

export interface Later {
  readonly error: SyncError
  readonly waitMs: number
}

export class Pause {
  readonly #clock: Clock
  readonly #over: AbortSignal
  readonly #backoff: Backoff
  #last: Later | null = null
  #count = 0
  #isOn = false

  constructor(clock: Clock, over: AbortSignal) {
    this.#clock = clock
    this.#over = over
    this.#backoff = new Backoff(clock)
  }

  get isOn(): boolean {
    return this.#isOn
  }

  /** The last refusal that asked for a pause. */
  get last(): Later | null {
    return this.#last
  }

  /** How many there were. */
  get count(): number {
    return this.#count
  }

  note(refusal: CommitRefusal): Later {
    this.#count++
    this.#last = { error: errorOf(refusal), waitMs: this.#backoff.next(refusal.retryAfterMs) }
    return this.#last
  }

  /** Resolves when it is over. */
  async sit({ waitMs }: Later): Promise<void> {
    this.#isOn = true
    await this.#clock.sleep(waitMs, this.#over)
    this.#isOn = false
  }

  /** The hub took something: the next wait is short again. */
  reset(): void {
    this.#backoff.reset()
  }
}
