/**
 * A database made anew, in a folder beside the one that is there. By LevelDB's own repair of all tables and logs, where LevelDB does
 * not open it, or has deleted tables that are kept: what was deleted may come back that way (LevelDB forgets that it was, once it
 * is rid of it). Or of all that can be read, where that is not all. So it stands for nothing until its values were looked at:
 * checksums, chains and inventories tell. Only then it takes the database's place, which is kept as it was.
 */
import { copyFile, mkdir, readdir, realpath, rename, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError } from '@rejoin/core'
import { Level } from 'level'
import { storeError } from '../level-error.ts'
import { nullWhereMissing } from '../log/live-files.ts'
import { tableDamage } from '../log/table-file.ts'
import { COUNT } from './count-file.ts'
import { DAMAGED, freeName, linkOrCopy } from './damaged-shelf.ts'
import { claimFolder } from './data-folder.ts'
import { syncFolder } from './durable-files.ts'
import { isBackup } from './hub-backup.ts'
import { isTable, TABLES } from './kept-tables.ts'
import { MARKER, type FolderKind } from './marker.ts'
import { copyReadable } from './readable-copy.ts'
import { damagedTablesError } from './table-damage.ts'

const REBUILT = join(DAMAGED, 'rebuilt')

export interface RebuiltFolder {
  /** A folder of the same kind as the one that it was made of, for whoever looks at it. */
  readonly path: string
  /** What is wrong with the database that is there, as a sentence. */
  readonly fault: string
  /** Puts its database in place of the one that is there. @returns where that one is kept, in the folder. */
  take(): Promise<string>
  /** Lets it go: all is as it was. */
  discard(): Promise<void>
}

/**
 * Null where LevelDB has lost no table, and opens the database. Nobody may have the folder open.
 * @param refusal why LevelDB did not open it just now; null where it did.
 * @throws SyncError STORE_LOCKED, STORE_FULL, STORE_UNAVAILABLE, STORE_CORRUPT where LevelDB makes nothing of it
 */
export async function rebuildFolder(path: string, refusal: string | null): Promise<RebuiltFolder | null> {
  try {
    const folder = await realpath(path)
    return await claimFolder(folder, () => rebuild(folder, refusal))
  } catch (error) {
    throw storeError(error, `${path} could not be made anew`)
  }
}

/**
 * The same of all that can be read, where LevelDB opens the database and cannot read a block or a table of it. Null where it has
 * lost tables besides, which could still bring that back, and for a backup, which is restored.
 * @param fault what is wrong with the database, as a sentence
 * @throws SyncError as `rebuildFolder`
 */
export async function rebuildReadable(
  path: string,
  kind: FolderKind,
  fault: string,
): Promise<RebuiltFolder | null> {
  try {
    const folder = await realpath(path)
    return await claimFolder(folder, async () => {
      if (isBackup(folder) || (await filesIn(join(folder, TABLES), isTable)).length > 0) return null
      return await rebuiltBy(folder, fault, (database) => copyReadable(join(folder, 'db'), database, kind))
    })
  } catch (error) {
    throw storeError(error, `${path} could not be made anew`)
  }
}

/** The same, whatever else is in the folder, to look at: its database is not put in place. The folder is claimed. */
export async function readableFolder(
  folder: string,
  kind: FolderKind,
  fault: string,
): Promise<Pick<RebuiltFolder, 'path' | 'discard'>> {
  return await rebuiltBy(folder, fault, (database) => copyReadable(join(folder, 'db'), database, kind))
}

/** Of a crash amid an earlier repair. */
export async function endRebuilding(path: string): Promise<void> {
  const folder = await realpath(path)
  await claimFolder(folder, () => endTaking(folder))
}

async function rebuild(folder: string, refusal: string | null): Promise<RebuiltFolder | null> {
  const kept = await filesIn(join(folder, TABLES), isTable)
  if (refusal === null && kept.length === 0) return null
  const count = kept.length === 1 ? 'a table' : `${kept.length} tables`
  const fault = refusal ?? `LevelDB deleted ${count} that its list of files did not name, kept in ${TABLES}`
  return await rebuiltBy(folder, fault, async (database) => {
    await gather(folder, kept, database)
    await refuseDamaged(folder, database)
    await repairDatabase(database)
  })
}

async function rebuiltBy(
  folder: string,
  fault: string,
  make: (database: string) => Promise<void>,
): Promise<RebuiltFolder> {
  const rebuilt = join(folder, REBUILT)
  const discard = async (): Promise<void> => {
    await rm(rebuilt, { recursive: true, force: true })
    // Where nothing else is in it.
    await rmdir(join(folder, DAMAGED)).catch(() => {})
  }
  let seen: string
  try {
    seen = await traceOf(join(folder, 'db'))
    await rm(rebuilt, { recursive: true, force: true })
    await mkdir(rebuilt, { recursive: true })
    await make(join(rebuilt, 'db'))
    for (const name of [MARKER, COUNT])
      await copyFile(join(folder, name), join(rebuilt, name)).catch(nullWhereMissing)
  } catch (error) {
    await discard()
    throw error
  }
  return { path: rebuilt, fault, take: () => claimFolder(folder, () => take(folder, seen)), discard }
}

/** All tables and logs: those that are kept under numbers that nobody has. */
async function gather(folder: string, kept: readonly string[], database: string): Promise<void> {
  await mkdir(database)
  const own = await filesIn(join(folder, 'db'), (name) => /^\d+\.(?:log|ldb|sst)$/.test(name))
  for (const name of own) await linkOrCopy(join(folder, 'db', name), join(database, name))
  let number = Math.max(0, ...own.map((name) => Number.parseInt(name, 10)))
  for (const name of kept)
    await linkOrCopy(join(folder, TABLES, name), join(database, `${String(++number).padStart(6, '0')}.ldb`))
}

/** LevelDB's repair looks at no checksum either. @throws SyncError STORE_CORRUPT */
async function refuseDamaged(folder: string, database: string): Promise<void> {
  for (const name of (await filesIn(database, isTable)).toSorted()) {
    const blocks = await tableDamage(join(database, name))
    if (blocks.length > 0) throw damagedTablesError(folder, [{ file: name, blocks }])
  }
}

/**
 * LevelDB's repair puts every table on the level where the one with the larger number is taken for the newer one, which it need
 * not be: so all are merged, by the numbers of the writes.
 */
async function repairDatabase(path: string): Promise<void> {
  await InNode.repair(path)
  const database = new InNode(path, { createIfMissing: false })
  await database.open()
  try {
    await database.compactRange('!', '~')
  } finally {
    await database.close()
  }
}

/** What `level` leaves out of its types, since browsers have none of it. */
const InNode = Level as unknown as {
  new (
    path: string,
    options: { createIfMissing: boolean },
  ): Level & {
    compactRange(from: string, to: string): Promise<void>
  }
  repair(path: string): Promise<void>
}

/** Another process may have opened the database since it was copied, and have written: then it stays. */
async function take(folder: string, seen: string): Promise<string> {
  const name = freeName('before-repair', await readdir(join(folder, DAMAGED)))
  const before = join(folder, DAMAGED, name)
  await mkdir(before)
  await syncFolder(join(folder, REBUILT, 'db'))
  await rename(join(folder, 'db'), join(before, 'db'))
  // From here on nobody finds it; whoever did before has begun new files in it.
  if ((await traceOf(join(before, 'db'))) !== seen) {
    await rename(join(before, 'db'), join(folder, 'db'))
    await rmdir(before)
    throw new SyncError(
      'STORE_LOCKED',
      `${folder} was opened by another process while it was repaired; stop that one and run it again`,
    )
  }
  await syncFolder(before)
  await endTaking(folder)
  // Last: a crash before leaves them to the next repair.
  await rename(join(folder, TABLES), join(before, 'tables')).catch(nullWhereMissing)
  await syncFolder(before)
  return join(DAMAGED, name)
}

/** What LevelDB changes as soon as it opens a database: its files, their sizes, and when they were written. */
async function traceOf(database: string): Promise<string> {
  const names = (await filesIn(database, (name) => /^(?:\d+\.|CURRENT$|MANIFEST-)/.test(name))).toSorted()
  const each = names.map(async (name) => {
    const { size, mtimeMs, ino } = await stat(join(database, name))
    return `${name} ${ino} ${size} ${mtimeMs}`
  })
  return (await Promise.all(each)).join('\n')
}

/** Also after a crash amid it. */
async function endTaking(folder: string): Promise<void> {
  const rebuilt = join(folder, REBUILT)
  if ((await readdir(join(folder, 'db')).catch(nullWhereMissing)) !== null) return
  const files = await readdir(rebuilt).catch(nullWhereMissing)
  if (files === null || !files.includes('db')) return
  // It counted batches of what is gone.
  if (!files.includes(COUNT)) await rm(join(folder, COUNT), { force: true })
  await rename(join(rebuilt, 'db'), join(folder, 'db'))
  await syncFolder(folder)
  await rm(rebuilt, { recursive: true, force: true })
}

async function filesIn(folder: string, isWanted: (name: string) => boolean): Promise<readonly string[]> {
  return ((await readdir(folder).catch(nullWhereMissing)) ?? []).filter(isWanted)
}
