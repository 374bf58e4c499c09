/**
 * How things are measured: CPU time of this process, user and system together (other work on the machine costs wall time, not
 * this), warmed up, in rounds of which the median, the least and the most are told; memory after a full collection.
 */
import { setImmediate } from 'node:timers/promises'

export interface Sample {
  readonly median: number
  readonly min: number
  readonly max: number
}

const ROUNDS = 7
/** Fewer would make a median of chance. */
const ROUNDS_MIN = 5
const SLOW_MS = 1_000
const FIRST_LEFT_OUT = 3
/** CPU milliseconds that a round of small pieces of work should take: what is counted comes in steps of up to 4. */
const ROUND_MS = 60

/** CPU microseconds that `act` takes, on this and all other threads of the process. */
export function cpuMicros(act: () => unknown): number {
  const before = process.cpuUsage()
  act()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

/** CPU milliseconds of one call of `act`; the first calls are left out, and slow ones are made as seldom as may be. */
export function sampleMs(act: () => unknown): Sample {
  const measure = (): number => cpuMicros(act) / 1_000
  return measure() > SLOW_MS ? sampled(measure, ROUNDS_MIN, 0) : sampled(measure, ROUNDS, 1)
}

/** CPU microseconds of each of many small pieces of work: `act` is given how many were done before. */
export function sampleEachMicros(act: (done: number) => unknown): Sample {
  let done = 0
  const times = (count: number): number =>
    cpuMicros(() => {
      for (const end = done + count; done < end; done++) act(done)
    })
  // The first ones build what the others use.
  times(FIRST_LEFT_OUT)
  let count = 1
  // Warms up on the way: each try is longer than the one before.
  for (let micros = times(1); micros < ROUND_MS * 1_000; micros = times(count)) {
    const wanted = Math.ceil((count * ROUND_MS * 1_100) / Math.max(micros, 100))
    count = Math.min(wanted, count * 16)
  }
  return sampled(() => times(count) / count, ROUNDS, 1)
}

/** A figure that does not vary: a size, a count. */
export function exactly(figure: number): Sample {
  return { median: figure, min: figure, max: figure }
}

export function scaled(sample: Sample, by: (figure: number) => number): Sample {
  const [min, max] = [by(sample.min), by(sample.max)].sort((a, b) => a - b)
  return { median: by(sample.median), min: min ?? 0, max: max ?? 0 }
}

/** Median, least and most of figures that were measured elsewhere. */
export function sampleOf(figures: readonly number[]): Sample {
  const sorted = figures.toSorted((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? NaN
  return { median: at(sorted.length >> 1), min: at(0), max: at(sorted.length - 1) }
}

/** Of figures in rising order. */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN
}

function sampled(measure: () => number, rounds: number, warmUps: number): Sample {
  for (let i = 0; i < warmUps; i++) measure()
  const figures = Array.from({ length: rounds }, measure).sort((a, b) => a - b)
  const at = (index: number): number => figures[index] ?? NaN
  return { median: at(figures.length >> 1), min: at(0), max: at(figures.length - 1) }
}

/**
 * Megabytes in use, WebAssembly's included: heap and what hangs outside of it. After a turn of the event loop, so that no
 * frame holds what is no longer used.
 */
export async function memoryMB(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    await setImmediate()
    if (globalThis.gc === undefined)
      throw new Error('memory is measured with --expose-gc: npm run bench does that')
    globalThis.gc()
  }
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1e6
}
