/**
 * How fast somebody may send: token buckets, filled by the clock. One that holds one may be overdrawn, and is paid back
 * before the next: so anything may pass once, however large, and nobody is faster than the rate for long.
 */
import { limits, type Clock } from '@rejoin/core'

export interface Rate {
  /** What comes in each second. */
  readonly perSecond: number
  /** What may be taken at once after a rest. */
  readonly burst: number
}

export interface Rates {
  readonly messages: Rate
  readonly bytes: Rate
  readonly commits: Rate
}

export const defaultRates: Rates = {
  messages: { perSecond: limits.messagesPerSecondMax, burst: limits.messagesBurstMax },
  bytes: { perSecond: limits.bytesUpPerSecondMax, burst: limits.bytesUpBurstMax },
  commits: { perSecond: limits.commitsPerSecondMax, burst: limits.commitsBurstMax },
}

/** For those who share one account. */
export function rateTimes({ perSecond, burst }: Rate, by: number): Rate {
  return { perSecond: perSecond * by, burst: burst * by }
}

export function ratesTimes({ messages, bytes, commits }: Rates, by: number): Rates {
  return { messages: rateTimes(messages, by), bytes: rateTimes(bytes, by), commits: rateTimes(commits, by) }
}

/** Of sums of fractions. */
const ROUNDING = 1e-6

export class TokenBucket {
  readonly #rate: Rate
  #tokens: number
  #filledAt: number

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate
    this.#tokens = rate.burst
    this.#filledAt = nowMs
  }

  /** Milliseconds until something may be taken; 0: now. */
  waitMs(nowMs: number): number {
    this.#fill(nowMs)
    const lacking = 1 - this.#tokens
    return lacking <= ROUNDING ? 0 : Math.ceil((lacking * 1_000) / this.#rate.perSecond)
  }

  take(count: number): void {
    this.#tokens -= count
  }

  /** As `take`, but leaves no more to pay back than comes in within so many milliseconds. */
  fine(count: number, debtMsMax: number): void {
    const least = -(debtMsMax * this.#rate.perSecond) / 1_000
    this.#tokens = Math.min(this.#tokens, Math.max(least, this.#tokens - count))
  }

  isFull(nowMs: number): boolean {
    this.#fill(nowMs)
    return this.#tokens >= this.#rate.burst
  }

  /** A clock that goes back fills nothing. */
  #fill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#filledAt)
    this.#filledAt = nowMs
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + (elapsedMs * this.#rate.perSecond) / 1_000)
  }
}

export interface Load {
  readonly messages: number
  readonly bytes: number
  readonly commits: number
}

/** What is too much, and when to come back. */
export interface Excess {
  readonly of: keyof Load
  readonly retryAfterMs: number
}

/** What refused loads alone leave to pay back: as long as one full push takes at the rate of commits. */
const FINE_MS_MAX = 50

const names = ['messages', 'bytes', 'commits'] as const

/** The buckets of one principal. */
export class Meter {
  readonly clock: Clock
  readonly #buckets: Readonly<Record<keyof Load, TokenBucket>>

  constructor(rates: Rates, clock: Clock) {
    const nowMs = clock.now()
    this.clock = clock
    this.#buckets = {
      messages: new TokenBucket(rates.messages, nowMs),
      bytes: new TokenBucket(rates.bytes, nowMs),
      commits: new TokenBucket(rates.commits, nowMs),
    }
  }

  /** Takes a load, or nothing of it. */
  take(load: Load): Excess | null {
    const excess = this.#excessOf(load)
    if (excess === null) for (const of of names) this.#buckets[of].take(load[of])
    return excess
  }

  /**
   * As `take`; but where it is too much, and each of it has to be answered, that costs as well. Whoever waits as told pays little;
   * whoever does not gets nothing.
   */
  takeAnswered(load: Load): Excess | null {
    const excess = this.take(load)
    if (excess === null) return null
    for (const of of names) this.#buckets[of].fine(load[of], FINE_MS_MAX)
    return this.#excessOf(load)
  }

  #excessOf(load: Load): Excess | null {
    const nowMs = this.clock.now()
    let excess: Excess | null = null
    for (const of of names) {
      const retryAfterMs = load[of] === 0 ? 0 : this.#buckets[of].waitMs(nowMs)
      if (retryAfterMs > (excess?.retryAfterMs ?? 0)) excess = { of, retryAfterMs }
    }
    return excess
  }

  /** Nothing is remembered in it. */
  get isFull(): boolean {
    const nowMs = this.clock.now()
    return names.every((of) => this.#buckets[of].isFull(nowMs))
  }
}
