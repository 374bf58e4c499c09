/**
 * What waits to be sent to one principal, all its channels together, and who may fill it: an answer to a greeting may be a whole
 * snapshot, so they are let through a few at a time, and only while not too much waits already; else one now and then, of those
 * for whom nothing waits, so that slow devices keep nobody out who signs in alike. At twice that bound, or where what waits for
 * all principals together is too much, whoever is not read is behind, and comes back to the log by the same way.
 */
import { limits, type Clock } from '@rejoin/core'
import { after } from '../socket.ts'
import { patienceMs, type OutgoingBudget, type WaitingGreetings } from './outgoing-budget.ts'

interface Waiting {
  readonly admit: () => void
  /** Whether something waits to be sent on its own connection. */
  readonly isUnread: () => boolean
}

export class Greetings implements WaitingGreetings {
  readonly #bytesMax: number
  #bytes = 0
  #underWay = 0
  /** When the last one was let through. */
  #letAtMs = -Infinity
  readonly #clock: Clock
  readonly #budget: OutgoingBudget
  /** In the order of their coming. */
  readonly #waiting = new Set<Waiting>()
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
    while (this.#isOpen && this.#admit(this.#firstRead() ?? this.#first()));
    this.#waitWhileClosed()
  }

  letOne(): boolean {
    // Its own patience holds as well where the budget of all is spent: nobody takes what others would have had.
    // A clock may be set back.
    const isTime = Math.abs(this.#clock.now() - this.#letAtMs) >= this.#patienceMs
    const isLet = isTime && this.#admit(this.#firstRead())
    this.look()
    return isLet
  }

  /**
   * Resolves when somebody may be sent much, with what is called once that has begun; or when `gone` does.
   * @param isUnread whether something waits to be sent on its own connection: then it comes after all others.
   */
  async enter(gone: Promise<unknown>, isUnread: () => boolean = () => false): Promise<() => void> {
    let admit = (): void => {}
    const through = new Promise<void>((resolve) => (admit = resolve))
    const waiting = { admit, isUnread }
    this.#waiting.add(waiting)
    this.look()
    await Promise.race([through, gone])
    // Whoever is still in the queue was never counted.
    if (this.#waiting.delete(waiting)) return () => {}
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

  get #patienceMs(): number {
    return patienceMs(this.#bytes, this.#bytesMax)
  }

  #waitWhileClosed(): void {
    const waitsFor =
      this.#waiting.size === 0 || this.#isOpen ? 'nothing' : this.#budget.isSpent ? 'all' : 'its own'
    if (waitsFor === 'all') this.#budget.wait(this)
    else this.#budget.leave(this)
    if (waitsFor === 'its own')
      this.#cancelPatience ??= after(this.#clock, this.#patienceMs, () => this.#patienceEnds())
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
  #admit(next: Waiting | null): boolean {
    if (next === null || this.#isFull) return false
    this.#waiting.delete(next)
    this.#underWay++
    this.#letAtMs = this.#clock.now()
    next.admit()
    return true
  }

  /** The first that has read all that was sent to it: nobody who does not read is given more, and keeps others waiting. */
  #firstRead(): Waiting | null {
    if (this.#isFull) return null
    for (const waiting of this.#waiting) if (!waiting.isUnread()) return waiting
    return null
  }

  #first(): Waiting | null {
    const [first] = this.#waiting
    return first ?? null
  }

  get #isFull(): boolean {
    return this.#underWay >= limits.greetingsAtOnceMax
  }
}
