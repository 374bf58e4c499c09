/**
 * The one way from the stores to an `abstract-level` database: text keys, sealed values, atomic batches through the
 * database's gate. After `close` every call fails with STORE_CLOSED; whatever the database throws comes out as a
 * `SyncError`.
 */
import { SyncError, type Durability } from '@rejoin/core'
import { DatabaseMoment } from './database-moment.ts'
import type { DatabaseGate } from './gate/database-gate.ts'
import type { KeyRange, LevelDatabase } from './level-database.ts'
import { storeError } from './level-error.ts'
import { checksumOf, unseal } from './sealed-value.ts'

export interface SealedEntry {
  readonly key: string
  readonly body: Uint8Array
  readonly checksum: number
}

/** `value` is sealed, or null to delete. */
export interface Change {
  readonly key: string
  readonly value: Uint8Array | null
}

const READ = { keyEncoding: 'utf8', valueEncoding: 'view' } as const

export class SealedDatabase {
  /** For messages, e.g. `the hub store in /var/lib/rejoin`. */
  readonly name: string
  readonly #gate: DatabaseGate
  readonly #database: LevelDatabase
  #closed = false

  constructor(gate: DatabaseGate, name: string) {
    this.#gate = gate
    this.#database = gate.database
    this.name = name
  }

  async open(): Promise<void> {
    await this.#call('could not be opened', () => this.#gate.open())
  }

  /** After a failed write: what was touched may be read anew once this resolves (St8). */
  async ready(): Promise<void> {
    await this.#call('could not be written', () => this.#gate.ready())
  }

  async get(key: string): Promise<SealedEntry | null> {
    const sealed = await this.sealed(key)
    return sealed === null ? null : { key, body: unseal(key, sealed), checksum: checksumOf(sealed) }
  }

  /** The value as it is there, unchecked. */
  async sealed(key: string): Promise<Uint8Array | null> {
    return (await this.#read(() => this.#database.get<string, Uint8Array>(key, READ), key)) ?? null
  }

  /** Entries of a range in key order, each checked as it is read. */
  async *entries(range: KeyRange): AsyncGenerator<SealedEntry, void, undefined> {
    for await (const [key, sealed] of this.sealedEntries(range)) {
      yield { key, body: unseal(key, sealed), checksum: checksumOf(sealed) }
    }
  }

  /**
   * Entries of a range in key order, unchecked: for one who goes on after a damaged value. A reader that takes long gives
   * way to whoever must open the database anew: STORE_UNAVAILABLE.
   */
  async *sealedEntries(
    range: KeyRange,
    manner: 'stays' | 'gives way' = 'stays',
  ): AsyncGenerator<[key: string, sealed: Uint8Array], void, undefined> {
    const leave = await this.#call('could not be read', () => this.#gate.enter())
    let last = range.gt ?? range.gte ?? 'the beginning'
    try {
      for await (const entry of this.#database.iterator<string, Uint8Array>({ ...range, ...READ })) {
        last = entry[0]
        yield entry
        if (manner === 'gives way' && this.#gate.isWanted) throw this.#wanted()
      }
    } catch (error) {
      throw storeError(error, `${this.name} could not be read after ${last}`)
    } finally {
      leave()
    }
  }

  /** For reading past what LevelDB cannot read; to be closed. It gives way as `sealedEntries` does: STORE_UNAVAILABLE. */
  async moment(): Promise<DatabaseMoment> {
    const leave = await this.#call('could not be read', () => this.#gate.enter())
    const check = (): void => {
      if (this.#gate.isWanted) throw this.#wanted()
    }
    try {
      return new DatabaseMoment({ database: this.#database, name: this.name, check, leave })
    } catch (error) {
      leave()
      throw storeError(error, `${this.name} could not be read`)
    }
  }

  /** Keys of a range in order, the first `limit` of them; no value is read. */
  async keys(range: KeyRange, limit = Infinity): Promise<string[]> {
    return await this.#read(() => this.#database.keys<string>({ ...range, keyEncoding: 'utf8', limit }).all())
  }

  async firstKey(range: KeyRange): Promise<string | null> {
    return await this.#oneKey(range, false)
  }

  async lastKey(range: KeyRange): Promise<string | null> {
    return await this.#oneKey(range, true)
  }

  /** All changes or none, as durable as the gate says once it resolves, or as is `enough`. */
  async write(changes: readonly Change[], enough: Durability = 'durable'): Promise<void> {
    if (changes.length === 0) return
    const operations = changes.map(({ key, value }) =>
      value === null ? ({ type: 'del', key } as const) : ({ type: 'put', key, value } as const),
    )
    await this.#call('could not be written', () => this.#gate.write(operations, enough))
  }

  /** Deletes a range that nothing refers to any more; neither atomic nor synced. */
  async clear(range: KeyRange): Promise<void> {
    await this.#call('could not be written', () => this.#gate.clear(range))
  }

  #wanted(): SyncError {
    return new SyncError(
      'STORE_UNAVAILABLE',
      `${this.name} is being opened anew after a failed write, and reading it was ended for that: try again`,
    )
  }

  checkOpen(): void {
    if (this.#closed) throw new SyncError('STORE_CLOSED', `${this.name} is closed: open it again`)
  }

  /** Ends this way to the database and leaves the database open for others. Idempotent. */
  detach(): void {
    this.#closed = true
  }

  /** Closes the database too. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    try {
      await this.#gate.close()
    } catch (error) {
      throw storeError(error, `${this.name} could not be closed`)
    }
  }

  async #oneKey(range: KeyRange, reverse: boolean): Promise<string | null> {
    const options = { ...range, keyEncoding: 'utf8', reverse, limit: 1 } as const
    const keys = await this.#read(() => this.#database.keys<string>(options).all())
    return keys[0] ?? null
  }

  async #read<T>(call: () => Promise<T>, key?: string): Promise<T> {
    const doing = key === undefined ? 'could not be read' : `could not be read at ${key}`
    return await this.#call(
      doing,
      async () => {
        const leave = await this.#gate.enter()
        try {
          return await call()
        } finally {
          leave()
        }
      },
      key,
    )
  }

  async #call<T>(doing: string, call: () => Promise<T>, key?: string): Promise<T> {
    this.checkOpen()
    try {
      return await call()
    } catch (error) {
      throw storeError(error, `${this.name} ${doing}`, key)
    }
  }
}
