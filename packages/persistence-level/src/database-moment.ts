/**
 * One moment of a database of which something cannot be read: LevelDB passes over a block or a table that it cannot read and
 * says so when the range ends, and may then show what stood there before. So what a range shows is asked for once more by its
 * key, which is STORE_CORRUPT where a newer one may be there. A range that ends without an error needs none of that: it shows
 * everything, also where LevelDB's index or filter (which no checksum guards as LevelDB reads them) hides a key from `get`.
 */
import type { SyncError } from '@rejoin/core'
import type { AbstractSnapshot } from 'abstract-level'
import type { KeyRange, LevelDatabase } from './level-database.ts'
import { storeError } from './level-error.ts'
import { isCorrupt } from './sealed-value.ts'

/** How ranges and single keys agree. */
export interface Comparison {
  /** Why ranges do not show everything; null where they do. */
  readonly unread: SyncError | null
  /** Keys that ranges show, and that are not found, or with other bytes: the first of them, in order. */
  readonly hidden: readonly string[]
  readonly hiddenCount: number
}

export interface MomentParts {
  readonly database: LevelDatabase
  /** For messages. */
  readonly name: string
  /** Asked between reads; throws where they have to end. */
  readonly check: () => void
  /** Ends the reading. */
  readonly leave: () => void
}

const READ = { keyEncoding: 'utf8', valueEncoding: 'view' } as const

export class DatabaseMoment {
  readonly #parts: MomentParts
  readonly #snapshot: AbstractSnapshot

  constructor(parts: MomentParts) {
    this.#parts = parts
    this.#snapshot = parts.database.snapshot()
  }

  /**
   * In order, all that a range shows, unchecked; where it does not show everything also older values, and such as are gone,
   * where what says so cannot be read.
   */
  async *entries(range: KeyRange): AsyncGenerator<[key: string, shown: Uint8Array], void, undefined> {
    const { database, name, check } = this.#parts
    const entries = database.iterator<string, Uint8Array>({ ...range, ...READ, snapshot: this.#snapshot })
    try {
      for (;;) {
        // One at a time: what is read together with the end is lost where the end is an error.
        const [entry] = await entries.nextv(1)
        if (entry === undefined) return
        yield entry
        check()
      }
    } catch (error) {
      const known = storeError(error, `${name} could not be read`)
      if (!isCorrupt(known)) throw known
    } finally {
      await entries.close()
    }
  }

  /** Reads everything in the range twice, as a range and key by key. */
  async compare(range: KeyRange): Promise<Comparison> {
    const { database, name, check } = this.#parts
    const entries = database.iterator<string, Uint8Array>({ ...range, ...READ, snapshot: this.#snapshot })
    const hidden: string[] = []
    let hiddenCount = 0
    try {
      for (;;) {
        const shown = await entries.nextv(256)
        if (shown.length === 0) return { unread: null, hidden, hiddenCount }
        const found = await this.#found(shown.map(([key]) => key))
        for (const [i, [key, sealed]] of shown.entries()) {
          if (isSame(found?.[i], sealed)) continue
          hiddenCount += 1
          if (hidden.length < 10) hidden.push(key)
        }
        check()
      }
    } catch (error) {
      const unread = storeError(error, `LevelDB cannot read all of ${name}`)
      if (!isCorrupt(unread)) throw unread
      return { unread, hidden, hiddenCount }
    } finally {
      await entries.close()
    }
  }

  /** Null where some of them cannot be read. */
  async #found(keys: string[]): Promise<readonly (Uint8Array | undefined)[] | null> {
    const { database, name } = this.#parts
    try {
      return await database.getMany<string, Uint8Array>(keys, { ...READ, snapshot: this.#snapshot })
    } catch (error) {
      const known = storeError(error, `${name} could not be read`)
      if (!isCorrupt(known)) throw known
      return null
    }
  }

  /** Unchecked; null where there is none. @throws SyncError STORE_CORRUPT where LevelDB cannot read it */
  async sealed(key: string): Promise<Uint8Array | null> {
    const { database, name } = this.#parts
    try {
      return (await database.get<string, Uint8Array>(key, { ...READ, snapshot: this.#snapshot })) ?? null
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

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, at) => byte === b[at])
}
