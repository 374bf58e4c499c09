/**
 * What stands between stores and one database: it knows whether the database may be read and written now, and what a
 * write costs in syncing. Bare databases have `BareGate`; a folder has one that holds a lease and reopens the database.
 */
import type { Durability, SyncError } from '@rejoin/core'
import { storeError } from '../level-error.ts'
import type { KeyRange, LevelDatabase, Operation } from '../level-database.ts'

export interface DatabaseGate {
  readonly database: LevelDatabase
  /** What a write that resolved stands for. */
  readonly durability: Durability
  /** Resolves with why the database is lost to this process, where that is noticed at once; never rejects. */
  readonly lost?: Promise<SyncError>
  open(): Promise<void>
  /** Somebody waits for readers to leave. */
  readonly isWanted: boolean
  /** Resolves when the database may be read; what it returns ends that read. A reader never enters twice at once. */
  enter(): Promise<() => void>
  /** After a failed write: resolves once the database is sound again, and what was touched may be read anew. */
  ready(): Promise<void>
  /** All or nothing. Where `applied` is enough it may be that, also if `durability` is more: a later batch keeps it all the same. */
  write(operations: readonly Operation[], enough?: Durability): Promise<void>
  /** Neither atomic nor synced. */
  clear(range: KeyRange): Promise<void>
  /** Makes what was written durable, and closes the database. Idempotent. */
  close(): Promise<void>
}

/** Options of a batch. Databases that know no `sync` ignore it. */
export function batchOptions(sync: boolean): { keyEncoding: 'utf8'; valueEncoding: 'view'; sync: boolean } {
  return { keyEncoding: 'utf8', valueEncoding: 'view', sync }
}

/** For a database that somebody brings: in a browser, in memory, or LevelDB opened by hand. */
export class BareGate implements DatabaseGate {
  readonly isWanted = false
  readonly database: LevelDatabase
  readonly durability: Durability

  constructor(database: LevelDatabase, durability: Durability) {
    this.database = database
    this.durability = durability
  }

  async open(): Promise<void> {
    await this.database.open()
  }

  enter(): Promise<() => void> {
    return Promise.resolve(() => {})
  }

  ready(): Promise<void> {
    return Promise.resolve()
  }

  async write(operations: readonly Operation[]): Promise<void> {
    await this.database.batch<string, Uint8Array>(
      [...operations],
      batchOptions(this.durability === 'durable'),
    )
  }

  async clear(range: KeyRange): Promise<void> {
    await this.database.clear<string>({ ...range, keyEncoding: 'utf8' })
  }

  async close(): Promise<void> {
    try {
      await this.database.close()
    } catch (error) {
      throw storeError(error, 'the database could not be closed')
    }
  }
}
