/**
 * What waits to be sent to all principals together: what each may have would add up with how many they are. While it is spent,
 * whoever has something waiting gets nothing more before that is read, but for a greeting now and then, in turn; whoever reads
 * does not notice.
 */
import { limits, type Clock } from '@rejoin/core'
import { after } from '../socket.ts'

/** A principal's greetings that wait, since something waits for it already. */
export interface WaitingGreetings {
  /** Whether any may be let through is to be looked at again. */
  look(): void
  /** Lets one through whose own connection has nothing waiting, whatever waits else. @returns whether there was one. */
  letOne(): boolean
}

/** Milliseconds between two that are let through all the same, where as much waits as may. */
const PATIENCE_MS = 1_000

/**
 * The same where more waits: with twice as much four times as long, or what comes in the time in which one that does not read is
 * found out would be a multiple of the bound.
 */
export function patienceMs(bytes: number, bytesMax: number): number {
  return PATIENCE_MS * Math.max(1, Math.floor(bytes / bytesMax)) ** 2
}

export class OutgoingBudget {
  readonly #clock: Clock
  readonly #bytesMax: number
  #bytes = 0
  /** The one that waits longest first. */
  readonly #waiting = new Set<WaitingGreetings>()
  #cancelPatience: (() => void) | null = null

  constructor(clock: Clock, bytesMax: number = limits.outgoingBytesOfAllMax) {
    this.#clock = clock
    this.#bytesMax = bytesMax
  }

  /** Bytes that wait to be sent. */
  get bytes(): number {
    return this.#bytes
  }

  get isSpent(): boolean {
    return this.#bytes > this.#bytesMax
  }

  /** By how much the bytes that wait have changed. */
  changed(bytes: number): void {
    this.#bytes += bytes
    // One at a time: what it lets through is not counted yet.
    if (!this.isSpent) this.#next()?.look()
  }

  /** Until it is told to look, or to let one through: then it has to ask anew. */
  wait(greetings: WaitingGreetings): void {
    this.#waiting.add(greetings)
    this.#cancelPatience ??= after(this.#clock, patienceMs(this.#bytes, this.#bytesMax), () => {
      this.#cancelPatience = null
      if (this.isSpent) this.#letOne()
      else this.#next()?.look()
      const [left] = this.#waiting
      if (left !== undefined) this.wait(left)
    })
  }

  leave(greetings: WaitingGreetings): void {
    this.#waiting.delete(greetings)
    if (this.#waiting.size > 0) return
    this.#cancelPatience?.()
    this.#cancelPatience = null
  }

  /** Each is asked once: one that has none comes back to the end. */
  #letOne(): void {
    for (let asked = this.#waiting.size; asked > 0; asked--) if (this.#next()?.letOne() === true) return
  }

  #next(): WaitingGreetings | null {
    const [next] = this.#waiting
    if (next === undefined) return null
    this.leave(next)
    return next
  }
}
