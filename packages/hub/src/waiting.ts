/** Bounded waiting: for an answer, and for a store that is away. */
import { limits, SyncError, type Clock } from '@rejoin/core'

/** `work`, or 'late' when it took longer than `ms`; then it goes on unobserved. */
export async function within<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T | 'late'> {
  const answered = new AbortController()
  const late = clock.sleep(ms, answered.signal).then(() => 'late' as const)
  try {
    return await Promise.race([work, late])
  } finally {
    answered.abort('answered')
  }
}

/** Repeats `work` while the store is unavailable, up to `limits.storeAttemptsMax` times; then throws what it threw. */
export async function retrying<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const away = error instanceof SyncError && error.code === 'STORE_UNAVAILABLE'
      if (!away || attempt === limits.storeAttemptsMax) throw error
      await clock.sleep(storeRetryMs(attempt))
    }
  }
}

/** Milliseconds to wait after the `attempt`th failure, counted from 1. */
export function storeRetryMs(attempt: number): number {
  return Math.min(limits.storeRetryMsMin * 2 ** (attempt - 1), limits.storeRetryMsMax)
}

/** Waiting for something that others in this process bring about. */
export class Turns {
  #waiting: (() => void)[] = []

  /** Resolves when `condition` holds; it is looked at again whenever somebody calls `wake`. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  wake(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
