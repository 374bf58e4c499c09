/**
 * What every subject is given: numbers by key, float32 as learning writes weights. The same on each run, and no key is written
 * twice with the same value: some libraries write nothing then.
 */
export interface Pair {
  /** Strings; peers get them joined. */
  readonly key: readonly string[]
  readonly value: number
}

/** What keys look like: a weight's is a token and an intent. */
export type KeyShape = 'weight' | 'token'

/** In which order keys are overwritten: as they were written first, or as chance has it. */
export type Order = 'as written' | 'at random'

export function keyAt(number: number, shape: KeyShape = 'weight'): readonly string[] {
  return shape === 'token' ? [`token-${number}`] : [`token-${number}`, `intent-${number % 150}`]
}

/** First writes, of the keys `from` up to but without `from + count`. */
export function firstWrites(from: number, count: number, shape: KeyShape = 'weight'): readonly Pair[] {
  return Array.from({ length: count }, (_, i) => ({ key: keyAt(from + i, shape), value: valueAt(from + i) }))
}

/**
 * The writes `from` up to but without `from + count` of an endless row over `keys` keys. As written, the first `keys` of them
 * are first writes; at random, a key may come twice, but not within one commit of `count`.
 */
export function overwrites(
  from: number,
  count: number,
  keys: number,
  order: Order = 'as written',
  shape: KeyShape = 'weight',
): readonly Pair[] {
  const { start, step } = order === 'as written' ? { start: from, step: 1 } : jump(from, keys)
  return Array.from({ length: count }, (_, i) => ({
    key: keyAt((start + i * step) % keys, shape),
    value: valueAt(from + i + FIRST_WRITES),
  }))
}

/** A start and a step by chance; the step shares no factor with `keys`, a power of ten, so it meets no key twice. */
function jump(from: number, keys: number): { start: number; step: number } {
  const step = 10 * (mixed(from + 1) % (keys / 10)) + (from % 2 === 0 ? 3 : 7)
  return { start: mixed(from), step }
}

/** Values of overwrites are others than those of first writes. */
const FIRST_WRITES = 10_000_000

/** Rows under one prefix. */
export const PREFIX_ROWS = 100

/** Rows for reading: each token has `PREFIX_ROWS` of them. */
export function rowAt(row: number): Pair {
  const key = [`token-${Math.floor(row / PREFIX_ROWS)}`, `intent-${row % PREFIX_ROWS}`]
  return { key, value: valueAt(row) }
}

export function rows(from: number, count: number): readonly Pair[] {
  return Array.from({ length: count }, (_, i) => rowAt(from + i))
}

/** A float32 of 0 to 1. */
function valueAt(n: number): number {
  return Math.fround(mixed(n) / 2 ** 32)
}

/** `n`'s bits well mixed (the finaliser of MurmurHash3), as 32 bits. */
function mixed(n: number): number {
  let bits = n + 1
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
