/**
 * The gate of a database in a browser. `browser-level` reads; batches are written here, since it can ask for no durability:
 * one transaction a batch, `strict` where the answer stands for the disk, and answered when it is complete, never before
 * (`HAZARDS.md` F11). A database that is deleted, cleared or taken over meanwhile is lost at once, and is not asked again.
 */
import { SyncError, type Durability } from '@rejoin/core'
import type { BrowserLevel } from 'browser-level'
import type { DatabaseGate } from '../gate/database-gate.ts'
import type { KeyRange, LevelDatabase, Operation } from '../level-database.ts'
import { knowsDurability, type IndexedDatabase, type Transaction } from './platform.ts'
import type { TabLock } from './tab-lock.ts'

/** `each batch` (the default): on the disk before it is answered. `never`: when the browser likes. */
export type BrowserSync = 'each batch' | 'never'

export interface BrowserGateParts {
  /** For messages. */
  readonly name: string
  /** Open. */
  readonly level: BrowserLevel<string, string>
  readonly lock: TabLock
  readonly sync: BrowserSync
}

const utf8 = new TextEncoder()

export class BrowserGate implements DatabaseGate {
  readonly isWanted = false
  readonly database: LevelDatabase
  readonly durability: Durability
  readonly lost: Promise<SyncError>
  readonly #name: string
  readonly #store: string
  readonly #connection: IndexedDatabase
  readonly #lock: TabLock
  #lose: (error: SyncError) => void = () => {}
  #error: SyncError | null = null

  constructor({ name, level, lock, sync }: BrowserGateParts) {
    this.#name = name
    // In which format it keeps keys and values is its own matter.
    this.database = level as unknown as LevelDatabase
    this.#store = level.location
    this.#connection = connectionOf(level)
    this.#lock = lock
    this.durability = sync === 'each batch' && knowsDurability() ? 'durable' : 'applied'
    this.lost = new Promise((resolve) => {
      this.#lose = (error) => resolve((this.#error ??= error))
    })
    this.#connection.onversionchange = ({ newVersion }) => this.#giveWay(newVersion)
    this.#connection.onclose = () =>
      this.#lose(this.#closed('was closed by the browser: its data was cleared, or cannot be read'))
    void lock.stolen.then((error) => this.#lose(error))
  }

  /** It is open before there is a gate. */
  open(): Promise<void> {
    return Promise.resolve()
  }

  enter(): Promise<() => void> {
    return this.#error === null ? Promise.resolve(() => {}) : Promise.reject(this.#error)
  }

  ready(): Promise<void> {
    return this.#error === null ? Promise.resolve() : Promise.reject(this.#error)
  }

  async write(operations: readonly Operation[], enough: Durability = 'durable'): Promise<void> {
    await this.ready()
    const isStrict = this.durability === 'durable' && enough === 'durable'
    const transaction = this.#begin(isStrict ? 'strict' : 'relaxed')
    const completed = completion(transaction)
    try {
      this.#ask(transaction, operations)
    } catch (error) {
      // One value is too large, and the others would be committed without it.
      completed.catch(() => {})
      transaction.abort()
      throw error
    }
    transaction.commit?.()
    await completed
  }

  async clear(range: KeyRange): Promise<void> {
    await this.ready()
    await this.database.clear<string>({ ...range, keyEncoding: 'utf8' })
  }

  async close(): Promise<void> {
    try {
      await this.database.close()
    } finally {
      this.#lock.release()
    }
  }

  #begin(durability: 'strict' | 'relaxed'): Transaction {
    try {
      return this.#connection.transaction([this.#store], 'readwrite', { durability })
    } catch (cause) {
      // Not every browser tells that it has closed a connection.
      const error = this.#closed('cannot be written any more', cause)
      this.#lose(error)
      throw error
    }
  }

  #ask(transaction: Transaction, operations: readonly Operation[]): void {
    const store = transaction.objectStore(this.#store)
    for (const operation of operations) {
      const key = utf8.encode(operation.key)
      if (operation.type === 'put') store.put(operation.value, key)
      else store.delete(key)
    }
  }

  /** Whoever deletes or upgrades the database waits for this; what is being written is still completed. */
  #giveWay(newVersion: number | null): void {
    const what = newVersion === null ? 'was deleted' : `was upgraded to version ${newVersion}`
    this.#lose(this.#closed(`${what} by another tab`))
    this.#connection.close()
  }

  #closed(what: string, cause?: unknown): SyncError {
    const message = `${this.#name} ${what}: what is in memory stays readable, and is not saved; open it again`
    return new SyncError('STORE_CLOSED', message, { cause })
  }
}

/** `browser-level` has it for its own tests and says nothing of it in its types. */
function connectionOf(level: BrowserLevel<string, string>): IndexedDatabase {
  return (level as unknown as { readonly db: IndexedDatabase }).db
}

/** A request that succeeded is no promise: the transaction may still be aborted, for want of room. */
function completion(transaction: Transaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error ?? new Error('the browser aborted the transaction'))
  })
}
