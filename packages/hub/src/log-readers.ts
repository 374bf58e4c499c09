/**
 * Who reads a room's log to catch up, and from where: retention trims nothing that a running catch-up of this hub has yet to
 * read. Where another hub over the same store trims it, the page says so, and the catch-up goes on by snapshot.
 */
import { type Seq } from '@rejoin/core'

export interface LogReader {
  /** It has read everything up to there. */
  moveTo(seq: Seq): void
  /** Idempotent. */
  end(): void
}

export class LogReaders {
  readonly #places = new Map<LogReader, Seq>()
  readonly #ended: () => void
  #dropping: Seq = 0

  /** @param ended is told whenever one is done. */
  constructor(ended: () => void) {
    this.#ended = ended
  }

  begin(seq: Seq): LogReader {
    const reader: LogReader = {
      moveTo: (to) => {
        if (this.#places.has(reader)) this.#places.set(reader, to)
      },
      end: () => {
        if (this.#places.delete(reader)) this.#ended()
      },
    }
    this.#places.set(reader, seq)
    return reader
  }

  /** Records after it are still read; Infinity where nobody reads. */
  get lowest(): Seq {
    let lowest = Infinity
    for (const seq of this.#places.values()) lowest = Math.min(lowest, seq)
    return lowest
  }

  /** The seq up to which records are being dropped just now: for whoever begins to read they are gone. */
  get dropping(): Seq {
    return this.#dropping
  }

  /** Drops records up to `seq`, which was found in this very turn to be below whatever is read. */
  async drop<T>(seq: Seq, drop: () => Promise<T>): Promise<T> {
    this.#dropping = seq
    try {
      return await drop()
    } finally {
      this.#dropping = 0
    }
  }
}
