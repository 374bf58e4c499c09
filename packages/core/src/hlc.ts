/**
 * Hybrid logical clock stamps (Kulkarni et al., "Logical Physical Clocks", 2014): when a person meant it. A stamp is
 * 14 characters of an alphabet in ASCII order, so that comparing two as strings orders them by time, then counter,
 * then author: 7 for milliseconds since 1970 (42 bits, to the year 2109), 2 for a counter, 5 for the author.
 */
import { SyncError } from './errors.ts'
import type { ReplicaId } from './ids.ts'

declare const hlcBrand: unique symbol
export type Hlc = string & { readonly [hlcBrand]: true }

export interface HlcParts {
  /** Milliseconds since 1970-01-01T00:00Z. */
  readonly ms: number
  readonly counter: number
  /** Five characters that stand for the replica. */
  readonly author: string
}

const ALPHABET = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'
const MS_CHARS = 7
const COUNTER_CHARS = 2
const AUTHOR_CHARS = 5
const MS_MAX = 2 ** 42 - 1
const COUNTER_MAX = 2 ** 12 - 1
const HLC_PATTERN = /^[-0-9A-Z_a-z]{14}$/

export function isHlc(value: unknown): value is Hlc {
  return typeof value === 'string' && HLC_PATTERN.test(value)
}

/** @throws SyncError INPUT_INVALID when `text` is not 14 characters of the alphabet. */
export function parseHlc(text: string): HlcParts {
  if (!isHlc(text)) throw new SyncError('INPUT_INVALID', `not an HLC stamp: ${JSON.stringify(text)}`)
  return {
    ms: readDigits(text, 0, MS_CHARS),
    counter: readDigits(text, MS_CHARS, MS_CHARS + COUNTER_CHARS),
    author: text.slice(MS_CHARS + COUNTER_CHARS),
  }
}

export function formatHlc(parts: HlcParts): Hlc {
  // The brand is earned here: every character comes from the alphabet and the length is fixed.
  return (writeDigits(parts.ms, MS_CHARS) + writeDigits(parts.counter, COUNTER_CHARS) + parts.author) as Hlc
}

/** The author's tag in every stamp of a replica: 30 bits of FNV-1a over its id (collisions cost a tie, not data). */
export function authorOf(replica: ReplicaId): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < replica.length; i++) hash = Math.imul(hash ^ replica.charCodeAt(i), 0x01000193)
  return writeDigits((hash >>> 0) % 2 ** 30, AUTHOR_CHARS)
}

/** The stamps of one replica: strictly rising, also while the wall clock stands still or goes back. */
export class HlcClock {
  readonly #author: string
  #last: HlcParts

  /** `last` is the newest stamp this replica knew before, or null for a new one. */
  constructor(replica: ReplicaId, last: Hlc | null) {
    this.#author = authorOf(replica)
    this.#last = last === null ? { ms: 0, counter: 0, author: this.#author } : parseHlc(last)
  }

  get last(): Hlc {
    return formatHlc(this.#last)
  }

  /** A stamp above every one given or absorbed before; `nowMs` is the wall clock. */
  tick(nowMs: number): Hlc {
    const { ms, counter } = this.#last
    const now = Math.min(Math.floor(nowMs), MS_MAX)
    if (now > ms) this.#last = { ms: now, counter: 0, author: this.#author }
    else if (counter < COUNTER_MAX) this.#last = { ms, counter: counter + 1, author: this.#author }
    else this.#last = { ms: ms + 1, counter: 0, author: this.#author }
    return formatHlc(this.#last)
  }

  /** Takes note of a stamp from elsewhere, so that the next tick is above it. */
  absorb(seen: Hlc): void {
    if (seen > this.last) this.#last = parseHlc(seen)
  }
}

function writeDigits(value: number, chars: number): string {
  let text = ''
  let rest = value
  for (let i = 0; i < chars; i++) {
    text = ALPHABET.charAt(rest % 64) + text
    rest = Math.floor(rest / 64)
  }
  return text
}

function readDigits(text: string, from: number, to: number): number {
  let value = 0
  for (let i = from; i < to; i++) value = value * 64 + ALPHABET.indexOf(text.charAt(i))
  return value
}
