/** Lets everybody work: what can run now runs, what is under way arrives, and time passes when nothing else can happen. */
import type { VirtualClock } from '@rejoin/testkit'
import type { Network } from './network.ts'
import type { Pick } from './order.ts'

/** Time that somebody may wait for something in one step; whoever waits longer goes on waiting behind the next steps. */
const PATIENCE_MS = 120_000
/** Turns of one wait: far more than any honest one takes, so that a world that runs in circles is told. */
const TURNS_MAX = 50_000

export class Rest {
  readonly #clock: VirtualClock
  readonly #network: Network

  constructor(clock: VirtualClock, network: Network) {
    this.#clock = clock
    this.#network = network
  }

  /** Everything that can run without a message or the clock has run. */
  async turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** At most so many messages arrive. */
  async deliver(messages: number, pick: Pick): Promise<number> {
    await this.turn()
    for (let delivered = 0; delivered < messages; delivered++) {
      if (!this.#network.deliver(pick)) return delivered
      await this.turn()
    }
    return messages
  }

  /** Messages arrive and time passes until the promise is settled; null where that takes too long. */
  async until<T>(promise: Promise<T>, pick: Pick): Promise<{ readonly value: T } | null> {
    let result: { readonly value: T } | { readonly error: unknown } | null = null
    promise.then(
      (value) => (result = { value }),
      (error: unknown) => (result = { error }),
    )
    const isDone = (): boolean => result !== null
    await this.#run(isDone, pick, this.#clock.now() + PATIENCE_MS)
    const settled = result as { readonly value: T } | { readonly error: unknown } | null
    if (settled !== null && 'error' in settled) throw settled.error
    return settled
  }

  /** Messages arrive and `ms` milliseconds pass. */
  async pass(ms: number, pick: Pick): Promise<void> {
    let isOver = false
    void this.#clock.sleep(ms).then(() => (isOver = true))
    await this.#run(() => isOver, pick, Infinity)
    await this.deliver(Infinity, pick)
  }

  async #run(isDone: () => boolean, pick: Pick, endMs: number): Promise<void> {
    for (let turns = 0; ; turns++) {
      await this.turn()
      if (isDone()) return
      if (turns === TURNS_MAX) throw new Error(`the world does not come to rest in ${TURNS_MAX} turns`)
      if (this.#network.deliver(pick)) continue
      if (this.#clock.now() >= endMs || !this.#clock.advanceToNext()) return
    }
  }
}
