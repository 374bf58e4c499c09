/** Watches a batch from inside: how long each input takes, what it was, and where the process is, for whoever outlives it. */
import { openSync, writeSync } from 'node:fs'
import type { Progress } from './target.ts'

/** No input takes longer. */
const HANG_MS = 100

/** Milliseconds by the clock, which is cheap; or of the processor, so that others at work on this machine do not count. */
export type Measure = 'clock' | 'processor'

export class Watch implements Progress {
  readonly #place: Place
  readonly #seed: number
  readonly #ended: Map<string, number>
  /** Milliseconds by input. */
  readonly slow = new Map<number, number>()
  slowestMs = 0
  input = 0
  #show: () => string = () => ''
  readonly #measure: Measure
  #startedAt: number | null = null
  /** What slow inputs were. */
  readonly #shown = new Map<number, string>()

  constructor(place: Place, seed: number, ended: Map<string, number>, measure: Measure) {
    this.#measure = measure
    this.#place = place
    this.#seed = seed
    this.#ended = ended
  }

  begin(show: () => string): void {
    this.input++
    this.#show = show
    this.#place.note(this.#seed, this.input)
    this.#startedAt = this.#now()
  }

  ended(how: string): void {
    this.#ended.set(how, (this.#ended.get(how) ?? 0) + 1)
  }

  over(): void {
    if (this.#startedAt === null) return
    const ms = this.#now() - this.#startedAt
    this.slowestMs = Math.max(this.slowestMs, ms)
    if (ms > HANG_MS) {
      this.slow.set(this.input, ms)
      this.#shown.set(this.input, this.shown(this.input))
    }
    this.#startedAt = null
  }

  #now(): number {
    if (this.#measure === 'clock') return performance.now()
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000
  }

  shown(input: number): string {
    return (this.#shown.get(input) ?? (input === this.input ? this.#show() : '')).slice(0, 4_000)
  }
}

/** Written at once, not when the process finds the time. */
export class Place {
  readonly #file: number
  readonly #bytes = Buffer.alloc(16)

  constructor(file: string) {
    this.#file = openSync(file, 'w')
  }

  note(seed: number, input: number): void {
    this.#bytes.writeDoubleBE(seed, 0)
    this.#bytes.writeDoubleBE(input, 8)
    writeSync(this.#file, this.#bytes, 0, 16, 0)
  }
}
