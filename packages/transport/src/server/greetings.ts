/**
 * What waits to be sent to one principal, all its channels together, and who may fill it: an answer to a greeting may be a whole
 * snapshot, so they are let through a few at a time, and only while not too much waits already; else one each second, so that
 * slow devices keep nobody out who signs in alike. At twice that bound whoever is not read is behind, and comes back to the
 * log by the same way.
 */
import { limits, type Clock } from '@rejoin/core'
import { after } from '../socket.ts'

/** Milliseconds after which one is let through all the same. */
const PATIENCE_MS = 1_000

export class Greetings {
  readonly #bytesMax: number
  #bytes = 0
  #underWay = 0
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()
  /** Runs while somebody waits for what waits to be read. */
  #cancelPatience: (() => void) | null = null

  /** @param bytesMax what may wait, greetings let through at that moment not counted. */
  constructor(bytesMax: number, clock: Clock) {
    this.#bytesMax = bytesMax
    this.#clock = clock
  }

  /** Bytes that wait to be sent. */
  get bytes(): number {
    return this.#bytes
  }

  get isTooMuch(): boolean {
    return this.#bytes > 2 * this.#bytesMax
  }

  /** By how much the bytes that wait have changed. */
  changed(bytes: number): void {
    this.#bytes += bytes
    this.#pump()
  }

  /** Resolves when somebody may be sent much, with what is called once that has begun; or when `gone` does. */
  async enter(gone: Promise<unknown>): Promise<() => void> {
    let admit = (): void => {}
    const through = new Promise<void>((resolve) => (admit = resolve))
    this.#waiting.add(admit)
    this.#pump()
    await Promise.race([through, gone])
    // Whoever is still in the queue was never counted.
    if (this.#waiting.delete(admit)) return () => {}
    let isDone = false
    return () => {
      if (isDone) return
      isDone = true
      this.#underWay--
      this.#pump()
    }
  }

  #pump(): void {
    while (this.#bytes <= this.#bytesMax && this.#admitNext());
    if (this.#waiting.size === 0 || this.#bytes <= this.#bytesMax) {
      this.#cancelPatience?.()
      this.#cancelPatience = null
    } else {
      this.#cancelPatience ??= after(this.#clock, PATIENCE_MS, () => {
        this.#cancelPatience = null
        this.#admitNext()
        this.#pump()
      })
    }
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
