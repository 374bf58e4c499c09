/**
 * A folder on disk with one LevelDB database in `db/`, opened so that nothing of anybody else is touched and nothing of
 * ours is lost (`HAZARDS.md` F7 and F8).
 *
 * A new folder is made in steps that a crash may separate: (1) `rejoin.json.new`, (2) the database with its incarnation
 * in it, (3) `rejoin.json` by rename, (4) `rejoin.json.new` removed. Before (3) the store has been handed to nobody, so
 * whatever is there may be taken as new and the steps are done again. From (3) on the database must be there: it is never
 * created over a damaged one. After a crash between (3) and (4) the marker alone counts.
 */
import { access, mkdir, readdir, realpath, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError } from '@rejoin/core'
import { Level } from 'level'
import type { BatchWitness } from '../batch-witness.ts'
import { storeError } from '../level-error.ts'
import type { LevelDatabase } from '../sealed-database.ts'
import { CountFile } from './count-file.ts'
import {
  FOLDER_FORMAT,
  MAKING,
  makingNames,
  markMaking,
  MARKER,
  readMarker,
  writeMarker,
  type FolderKind,
  type Marker,
} from './marker.ts'

/** What is in the folder's database, and its incarnation. */
export interface OpenContents<Contents> {
  readonly contents: Contents
  readonly incarnation: string
}

/** Opens what is in a database; `createIfMissing` as for the database itself. */
export type OpenIn<Contents> = (
  database: LevelDatabase,
  createIfMissing: boolean,
  witness: BatchWitness,
) => Promise<OpenContents<Contents>>

export interface DataFolder<Contents> {
  readonly path: string
  readonly incarnation: string
  readonly contents: Contents
  /** Closes the database and gives up the folder. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens the folder at `path`, or makes one where nothing is.
 * @throws SyncError FOLDER_FOREIGN, FORMAT_TOO_NEW, STORE_LOCKED, STORE_CORRUPT, STORE_FULL, STORE_UNAVAILABLE.
 */
export async function openDataFolder<Contents>(
  path: string,
  kind: FolderKind,
  openIn: OpenIn<Contents>,
): Promise<DataFolder<Contents>> {
  try {
    const folder = await realFolder(path)
    return await openClaimed(folder, kind, openIn)
  } catch (error) {
    throw storeError(error, `${path} could not be opened`)
  }
}

// F8: a second open of the same database in one process fails, and in failing drops the lock that the first one holds.
const openFolders = new Set<string>()

async function openClaimed<Contents>(
  folder: string,
  kind: FolderKind,
  openIn: OpenIn<Contents>,
): Promise<DataFolder<Contents>> {
  if (openFolders.has(folder)) throw locked(folder, 'is already open in this process')
  openFolders.add(folder)
  try {
    const marker = await examine(folder, kind)
    const opened = marker === null ? await make(folder, kind, openIn) : await openMade(folder, marker, openIn)
    return new OpenFolder(folder, opened)
  } catch (error) {
    openFolders.delete(folder)
    throw error
  }
}

interface Opened<Contents> extends OpenContents<Contents> {
  readonly database: LevelDatabase
  readonly count: CountFile
}

class OpenFolder<Contents> implements DataFolder<Contents> {
  readonly path: string
  readonly incarnation: string
  readonly contents: Contents
  readonly #database: LevelDatabase
  #countClosed: Promise<void> | null = null

  constructor(path: string, { database, count, incarnation, contents }: Opened<Contents>) {
    this.path = path
    this.incarnation = incarnation
    this.contents = contents
    this.#database = database
    // Also where the store inside is closed by its own method.
    database.once('closed', () => {
      openFolders.delete(path)
      this.#countClosed = count.close()
    })
  }

  async close(): Promise<void> {
    try {
      await this.#database.close()
      await this.#countClosed
    } catch (error) {
      throw storeError(error, `${this.path} could not be closed`)
    }
  }
}

/** The folder's real path, made where nothing is. */
async function realFolder(path: string): Promise<string> {
  const found = await stat(path).catch(nullWhereMissing)
  if (found !== null && !found.isDirectory()) throw foreign(path, 'it is a file')
  if (found === null) await mkdir(path, { recursive: true })
  return await realpath(path)
}

/** The marker, or null where the folder is empty or its making was interrupted. Touches nothing. */
async function examine(folder: string, kind: FolderKind): Promise<Marker | null> {
  const names = await readdir(folder)
  if (!names.includes(MARKER)) {
    if (names.length === 0 || (names.includes(MAKING) && names.every((name) => makingNames.has(name))))
      return null
    throw foreign(folder, `it holds ${names.length} other files and no ${MARKER}`)
  }
  const marker = await readMarker(folder)
  if (marker.kind === kind) return marker
  throw new SyncError(
    'FOLDER_FOREIGN',
    `${folder} is the folder of a ${marker.kind}, not of a ${kind}: choose another folder`,
  )
}

async function make<Contents>(
  folder: string,
  kind: FolderKind,
  openIn: OpenIn<Contents>,
): Promise<Opened<Contents>> {
  await markMaking(folder)
  const opened = await openDatabase(folder, true, openIn)
  try {
    // Under LevelDB's lock, and after the database: its incarnation is the one that counts.
    await writeMarker(folder, { format: FOLDER_FORMAT, kind, incarnation: opened.incarnation })
  } catch (error) {
    await abandon(opened)
    throw error
  }
  return opened
}

async function openMade<Contents>(
  folder: string,
  marker: Marker,
  openIn: OpenIn<Contents>,
): Promise<Opened<Contents>> {
  // Asked before LevelDB is: it would rotate its own log file before it noticed.
  const current = join(folder, 'db', 'CURRENT')
  if ((await access(current).catch(nullWhereMissing)) === null) {
    throw damaged(folder, 'its database has lost the file CURRENT')
  }
  const opened = await openDatabase(folder, false, openIn)
  if (opened.incarnation !== marker.incarnation) {
    await abandon(opened)
    throw damaged(folder, `its database is another one than ${MARKER} names`)
  }
  await rm(join(folder, MAKING), { force: true })
  return opened
}

async function openDatabase<Contents>(
  folder: string,
  createIfMissing: boolean,
  openIn: OpenIn<Contents>,
): Promise<Opened<Contents>> {
  const database = new Level<string, string>(join(folder, 'db'), { createIfMissing })
  let count: CountFile | null = null
  try {
    await database.open({ createIfMissing })
    // Only now: LevelDB's lock keeps other processes from this file as well.
    count = await CountFile.open(folder, createIfMissing)
    return { database, count, ...(await openIn(database, createIfMissing, count)) }
  } catch (error) {
    await abandon({ database, count })
    throw openingError(error, folder, createIfMissing)
  }
}

async function abandon({
  database,
  count,
}: {
  database: LevelDatabase
  count: CountFile | null
}): Promise<void> {
  await database.close()
  await count?.close()
}

function openingError(error: unknown, folder: string, createIfMissing: boolean): SyncError {
  const known = storeError(error, `${folder} could not be opened`)
  if (known.code === 'STORE_LOCKED') return locked(folder, 'is in use by another process')
  // LevelDB calls it an I/O error when CURRENT names a file that is not there.
  const isFileMissing = /no such file|does not exist/i.test(known.message)
  return isFileMissing && !createIfMissing ? damaged(folder, 'a file of its database is missing') : known
}

function locked(folder: string, why: string): SyncError {
  return new SyncError(
    'STORE_LOCKED',
    `${folder} ${why}, and one at a time may use it, also for reading: stop the other one, or ask it over the network`,
  )
}

function foreign(folder: string, why: string): SyncError {
  return new SyncError(
    'FOLDER_FOREIGN',
    `${folder} is not a Rejoin folder: ${why}. Nothing was touched; choose an empty or a new folder`,
  )
}

function damaged(folder: string, why: string): SyncError {
  return new SyncError(
    'STORE_CORRUPT',
    `${folder} is damaged: ${why}. Its files are as they were; restore the folder from a backup`,
  )
}

function nullWhereMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
  throw error
}
