/**
 * What waits to be sent to one principal, all its channels together, and who may fill it: an answer to a greeting may be a whole
 * snapshot, so they are let through a few at a time, and only while not too much waits already; else one each second, so that
 * slow devices keep nobody out who signs in alike. At twice that bound, or where what waits for all principals together is too
 * much, whoever is not read is behind, and comes back to the log by the same way.
 */
import { limits, type Clock } from '@rejoin/core'
import { after } from '../socket.ts'
import type { OutgoingBudget, WaitingGreetings } from './outgoing-budget.ts'

/** Milliseconds after which one is let through all the same. */
const PATIENCE_MS = 1_000

export class Greetings implements WaitingGreetings {
  readonly #bytesMax: number
  #bytes = 0
  #underWay = 0
  readonly #clock: Clock
  readonly #budget: OutgoingBudget
  readonly #waiting = new Set<() => void>()
  /** Runs while somebody waits for what waits to be read. */
  #cancelPatience: (() => void) | null = null

  /**
   * @param bytesMax what may wait, greetings let through at that moment not counted.
   * @param budget of all principals.
   */
  constructor(bytesMax: number, clock: Clock, budget: OutgoingBudget) {
    this.#bytesMax = bytesMax
    this.#clock = clock
    this.#budget = budget
  }

  /** Bytes that wait to be sent. */
  get bytes(): number {
    return this.#bytes
  }

  get isTooMuch(): boolean {
    return this.#bytes > 2 * this.#bytesMax || this.#budget.isSpent
  }

  /** By how much the bytes that wait have changed. */
  changed(bytes: number): void {
    this.#bytes += bytes
    this.#budget.changed(bytes)
    this.look()
  }

  look(): void {
    while (this.#isOpen && this.#admitNext());
    this.#waitWhileClosed()
  }

  letOne(): void {
    this.#admitNext()
    this.look()
  }

  /** Resolves when somebody may be sent much, with what is called once that has begun; or when `gone` does. */
  async enter(gone: Promise<unknown>): Promise<() => void> {
    let admit = (): void => {}
    const through = new Promise<void>((resolve) => (admit = resolve))
    this.#waiting.add(admit)
    this.look()
    await Promise.race([through, gone])
    // Whoever is still in the queue was never counted.
    if (this.#waiting.delete(admit)) return () => {}
    let isDone = false
    return () => {
      if (isDone) return
      isDone = true
      this.#underWay--
      this.look()
    }
  }

  /** Whoever has nothing waiting is let through even where the budget of all is spent: others do not read. */
  get #isOpen(): boolean {
    return this.#bytes <= this.#bytesMax && (this.#bytes === 0 || !this.#budget.isSpent)
  }

  #waitWhileClosed(): void {
    const waitsFor =
      this.#waiting.size === 0 || this.#isOpen ? 'nothing' : this.#budget.isSpent ? 'all' : 'its own'
    if (waitsFor === 'all') this.#budget.wait(this)
    else this.#budget.leave(this)
    if (waitsFor === 'its own')
      this.#cancelPatience ??= after(this.#clock, PATIENCE_MS, () => this.#patienceEnds())
    else {
      this.#cancelPatience?.()
      this.#cancelPatience = null
    }
  }

  #patienceEnds(): void {
    this.#cancelPatience = null
    if (this.#budget.isSpent) this.look()
    else this.letOne()
  }

  /** Whether there was one, and a place for it. */
  #admitNext(): boolean {
    const [admit] = this.#waiting
    if (admit === undefined || this.#underWay >= limits.greetingsAtOnceMax) return false
    this.#waiting.delete(admit)
    this.#underWay++
    admit()
    return true
  }
}
