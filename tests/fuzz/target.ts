/** What a fuzz strikes at: batches of inputs, each drawn from a seed, each checked as it is run. */
import { isErrorCode, SyncError, type ErrorCode } from '@rejoin/core'
import type { Seeded } from '../support/seeded.ts'

export interface Target {
  readonly name: string
  /** Of one batch: so many, drawn from one seed. */
  readonly inputs: number
  /** Heap that a batch may leave behind for good once the first one has run, as a whole run of batches. */
  readonly growthBytesMax: number
  /** @throws where something is wrong. */
  run(random: Seeded, progress: Progress): Promise<void> | void
}

export interface Progress {
  /** An input begins, which is made by now. `show` says what it is. */
  begin(show: () => string): void
  /** It is over: what follows is not its time. */
  over(): void
  /** How it ended, by a word: counted, so that one can see what was reached. */
  ended(how: string): void
}

/** A code that may be told to a peer; an input never makes anything else of us. */
export function codeOf(error: unknown): ErrorCode {
  if (!(error instanceof SyncError)) throw error
  if (!isErrorCode(error.code) || error.code === 'HUB_INTERNAL') throw error
  return error.code
}

/** Runs what may refuse its input: null then, and the refusal is counted. */
export function attempt<T>(progress: Progress, act: () => T): T | null {
  try {
    return act()
  } catch (error) {
    progress.ended(codeOf(error))
    return null
  }
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
