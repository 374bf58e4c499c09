/**
 * What can be read of a database of which LevelDB cannot read some block or table, as a database of its own. It is read from a copy
 * of the files, since LevelDB tidies the ones that it opens: those of the folder stay as they are.
 */
import { copyFile, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { SyncError } from '@rejoin/core'
import { Level } from 'level'
import { DatabaseMoment } from '../database-moment.ts'
import { hubKeys } from '../hub/hub-keys.ts'
import { readableEntries } from '../hub/readable-entries.ts'
import { storeError } from '../level-error.ts'
import type { LevelDatabase } from '../level-database.ts'
import { readableValues } from '../replica/readable-values.ts'
import { replicaKeys } from '../replica/replica-keys.ts'
import type { SealedDatabase } from '../sealed-database.ts'
import { isCorrupt } from '../sealed-value.ts'
import { linkOrCopy } from './damaged-shelf.ts'
import { writeDatabase } from './database-copy.ts'
import type { FolderKind } from './marker.ts'

/** Why LevelDB cannot read all of its own files; null where it can. What the values say is not looked at. */
export async function unreadableIn(database: SealedDatabase, kind: FolderKind): Promise<SyncError | null> {
  const { all } = kind === 'hub' ? hubKeys : replicaKeys
  try {
    for await (const entry of database.sealedEntries(all)) void entry
    return null
  } catch (error) {
    if (!isCorrupt(error)) throw error
    // Where in the range it met that LevelDB does not say: it goes on, and tells in the end.
    return storeError(
      error instanceof Error ? error.cause : error,
      `LevelDB cannot read all of ${database.name}`,
    )
  }
}

/**
 * Nobody may have the database open. What lacks something is told by whoever opens what is made: a hub's namespace is closed, or
 * the store is damaged as a whole; a replica misses what it counts.
 * @throws SyncError STORE_CORRUPT where LevelDB does not open it, STORE_FULL, STORE_UNAVAILABLE
 */
export async function copyReadable(from: string, to: string, kind: FolderKind): Promise<void> {
  const source = `${to}.source`
  await mkdir(source)
  for (const name of await readdir(from))
    if (/^\d+\.(?:log|ldb|sst)$/.test(name)) await linkOrCopy(join(from, name), join(source, name))
    else if (/^(?:CURRENT|MANIFEST-\d+)$/.test(name)) await copyFile(join(from, name), join(source, name))
  const database: LevelDatabase = new Level<string, string>(source, { createIfMissing: false })
  await database.open()
  try {
    const parts = { database, name: `what can be read of ${from}`, check: () => {}, leave: () => {} }
    const begin = (): Promise<DatabaseMoment> => Promise.resolve(new DatabaseMoment(parts))
    await writeDatabase(
      to,
      kind === 'hub' ? readableEntries(begin, 'the store record') : readableValues(begin),
    )
  } finally {
    await database.close()
  }
  await rm(source, { recursive: true })
}
