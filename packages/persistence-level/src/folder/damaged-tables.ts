/**
 * Folders with a table of LevelDB that is not what was written. LevelDB looks at no checksum, and may end the process over what it
 * takes for content: so it opens none of these. What can be read of one is looked at in a folder of its own, made of its files and
 * removed again; the folder stays as it is.
 */
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, realpath, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError } from '@rejoin/core'
import { Level } from 'level'
import { storeError } from '../level-error.ts'
import { claimFolder, type FolderFinding } from './data-folder.ts'
import { leftLease } from './lease.ts'
import { examineLogs } from './log-faults.ts'
import type { FolderKind } from './marker.ts'
import type { Unreadable } from './readable-copy.ts'
import { readableFolder } from './rebuilding.ts'
import { damagedTables, damagedTablesError, isAllRead } from './table-damage.ts'

export interface ReadableFolder {
  /** Of the copy. */
  readonly path: string
  /** Of the folder that it is of. */
  readonly original: string
  readonly unreadable: Unreadable
  /** How the other one is found, so far as its files say. */
  readonly found: Pick<FolderFinding, 'isClosedInOrder' | 'logFaults'>
  discard(): Promise<void>
}

/**
 * Null where all tables are as they were written: all of them are read.
 * @throws SyncError STORE_LOCKED, STORE_CORRUPT where nothing can be made of it, STORE_FULL, STORE_UNAVAILABLE
 */
export async function readableInstead(path: string, kind: FolderKind): Promise<ReadableFolder | null> {
  try {
    const original = await realpath(path)
    const tables = await damagedTables(join(original, 'db'))
    if (tables.length === 0) return null
    const unreadable = { fault: damagedTablesError(path, tables), isAllShown: isAllRead(tables) }
    return await claimFolder(original, () =>
      withDatabaseLock(original, async () => {
        const left = await leftLease(original)
        const logs = await examineLogs(original, left)
        const logFaults = await logs.settle('unknown')
        const copy = await readableFolder(original, kind, unreadable.fault.message)
        const found = { isClosedInOrder: left === null, logFaults }
        return { path: copy.path, original, unreadable, found, discard: copy.discard }
      }),
    )
  } catch (error) {
    throw storeError(error, `${path} could not be read`)
  }
}

/**
 * While LevelDB's lock on the database is ours, which no other process has open then: by an empty database that shares the lock's
 * file, since LevelDB gives a lock to who opens a database alone, and opening this one is what it must not do.
 */
export async function withDatabaseLock<R>(folder: string, work: () => Promise<R>): Promise<R> {
  const place = join(folder, `rejoin.lock-${randomUUID()}`)
  const lock = join(folder, 'db', 'LOCK')
  await mkdir(place)
  try {
    await (await open(lock, 'a')).close()
    await link(lock, join(place, 'LOCK')).catch(() => symlink(lock, join(place, 'LOCK')))
    const database = new Level(place)
    await database.open().catch((error: unknown) => {
      throw lockError(error, folder)
    })
    try {
      return await work()
    } finally {
      await database.close()
    }
  } finally {
    await rm(place, { recursive: true, force: true })
  }
}

function lockError(error: unknown, folder: string): SyncError {
  const known = storeError(error, `${folder} could not be locked`)
  if (known.code !== 'STORE_LOCKED') return known
  return new SyncError('STORE_LOCKED', `${folder} is in use by another process: stop that one first`, {
    cause: error,
  })
}
