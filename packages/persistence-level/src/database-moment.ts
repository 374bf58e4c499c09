/**
 * One moment of a database of which something cannot be read: LevelDB passes over a block or a table that it cannot read and
 * says so when the range ends, and may then show what stood there before. So here keys are taken from ranges, and values one by
 * one: a value that comes out is the newest one of its key, and any other is STORE_CORRUPT.
 */
import type { AbstractSnapshot } from 'abstract-level'
import type { KeyRange, LevelDatabase } from './level-database.ts'
import { storeError } from './level-error.ts'
import { isCorrupt } from './sealed-value.ts'

export interface MomentParts {
  readonly database: LevelDatabase
  /** For messages. */
  readonly name: string
  /** Asked between reads; throws where they have to end. */
  readonly check: () => void
  /** Ends the reading. */
  readonly leave: () => void
}

export class DatabaseMoment {
  readonly #parts: MomentParts
  readonly #snapshot: AbstractSnapshot

  constructor(parts: MomentParts) {
    this.#parts = parts
    this.#snapshot = parts.database.snapshot()
  }

  /** In order, all that can be read; also such as are gone, where what says so cannot be read. */
  async *keys(range: KeyRange): AsyncGenerator<string, void, undefined> {
    const { database, name, check } = this.#parts
    const keys = database.keys<string>({ ...range, keyEncoding: 'utf8', snapshot: this.#snapshot })
    try {
      for (;;) {
        // One at a time: what is read together with the end is lost where the end is an error.
        const [key] = await keys.nextv(1)
        if (key === undefined) return
        yield key
        check()
      }
    } catch (error) {
      const known = storeError(error, `${name} could not be read`)
      if (!isCorrupt(known)) throw known
    } finally {
      await keys.close()
    }
  }

  /** Unchecked; null where there is none. @throws SyncError STORE_CORRUPT where LevelDB cannot read it */
  async sealed(key: string): Promise<Uint8Array | null> {
    const { database, name } = this.#parts
    const options = { keyEncoding: 'utf8', valueEncoding: 'view', snapshot: this.#snapshot } as const
    try {
      return (await database.get<string, Uint8Array>(key, options)) ?? null
    } catch (error) {
      throw storeError(error, `${name} could not be read at ${key}`, key)
    }
  }

  async close(): Promise<void> {
    try {
      await this.#snapshot.close()
    } finally {
      this.#parts.leave()
    }
  }
}
