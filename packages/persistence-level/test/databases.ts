/** Databases for tests: in memory with failures on demand and counted batches, and on disk in a folder of their own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { MemoryLevel } from 'memory-level'
import type { LevelDatabase } from '../src/index.ts'

/** A new database in memory. Closing keeps what it holds, so that it can be opened again. */
export class TestDatabase {
  readonly database = new MemoryLevel<string, string>()
  batches = 0
  /** Whether each batch asked to be on the disk before it is acknowledged. */
  readonly synced: boolean[] = []
  #failure: { readonly error: Error; readonly written: boolean } | null = null

  constructor() {
    aroundBatches(this.database, async (write, synced) => {
      this.batches += 1
      this.synced.push(synced)
      const failure = this.#failure
      this.#failure = null
      if (failure === null || failure.written) await write()
      if (failure !== null) throw failure.error
    })
  }

  /** `written`: the batch that reports the error has happened all the same. */
  failNextBatch(error: Error, written: boolean): void {
    this.#failure = { error, written }
  }
}

/** Puts `around` in the way of every batch; `write` is what would have happened. */
export function aroundBatches(
  database: LevelDatabase,
  around: (write: () => Promise<void>, synced: boolean) => Promise<void>,
): void {
  // The private half of an abstract-level database, which its types leave out.
  const batch = Reflect.get(database, '_batch') as (...args: unknown[]) => Promise<void>
  Reflect.set(database, '_batch', (operations: unknown, options: { sync?: boolean }) =>
    around(() => batch.call(database, operations, options), options.sync === true),
  )
}

/** Bytes of a value in the database, past every check. */
export async function rawValue(database: LevelDatabase, key: string): Promise<Uint8Array> {
  const value = await database.get<string, Uint8Array>(key, { keyEncoding: 'utf8', valueEncoding: 'view' })
  if (value === undefined) throw new Error(`nothing is stored under ${key}`)
  return value
}

export async function putRaw(database: LevelDatabase, key: string, value: Uint8Array): Promise<void> {
  await database.put<string, Uint8Array>(key, value, { keyEncoding: 'utf8', valueEncoding: 'view' })
}

export async function deleteRaw(database: LevelDatabase, key: string): Promise<void> {
  await database.del<string>(key, { keyEncoding: 'utf8' })
}

export async function rawKeys(database: LevelDatabase): Promise<readonly string[]> {
  return await database.keys<string>({ keyEncoding: 'utf8' }).all()
}

export async function flipByte(database: LevelDatabase, key: string, at: number): Promise<void> {
  const value = (await rawValue(database, key)).slice()
  const i = at < 0 ? value.length + at : at
  value[i] = (value[i] ?? 0) ^ 0x10
  await putRaw(database, key, value)
}

export async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rejoin-store-'))
  try {
    await run(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A database on disk, in a new folder. */
export class DiskDatabase {
  readonly folder: string
  database: Level<string, string>

  private constructor(folder: string) {
    this.folder = folder
    this.database = new Level<string, string>(folder)
  }

  static async make(): Promise<DiskDatabase> {
    return new DiskDatabase(await mkdtemp(join(tmpdir(), 'rejoin-store-')))
  }

  async reopen(): Promise<Level<string, string>> {
    await this.database.close()
    this.database = new Level<string, string>(this.folder)
    return this.database
  }

  async remove(): Promise<void> {
    await this.database.close()
    await rm(this.folder, { recursive: true, force: true })
  }
}
