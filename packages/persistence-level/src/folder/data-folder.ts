/**
 * A folder on disk with one LevelDB database in `db/`, opened so that nothing of anybody else is touched and nothing of
 * ours is lost (`HAZARDS.md` F7 and F8).
 *
 * A new folder is made in steps that a crash may separate: (1) `rejoin.json.new`, (2) the database with its incarnation
 * in it, (3) `rejoin.json` by rename, (4) `rejoin.json.new` removed. Before (3) the store has been handed to nobody, so
 * whatever is there may be taken as new and the steps are done again. From (3) on the database must be there: it is never
 * created over a damaged one. After a crash between (3) and (4) the marker alone counts.
 */
import { randomUUID } from 'node:crypto'
import { access, mkdir, readdir, realpath, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError } from '@rejoin/core'
import { Level } from 'level'
import type { BatchWitness } from '../batch-witness.ts'
import type { DatabaseGate } from '../gate/database-gate.ts'
import { durabilityOf, type SyncPolicy } from '../gate/sync-policy.ts'
import { storeError } from '../level-error.ts'
import type { LevelDatabase } from '../level-database.ts'
import { Ballast, ballastBytesDefault } from './ballast.ts'
import { COUNT, CountFile } from './count-file.ts'
import { FolderGate, withBallast } from './folder-gate.ts'
import { Lease, leftLease } from './lease.ts'
import { examineLogs, withLogFaults, type LogExamination, type LogFault } from './log-faults.ts'
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
import { refuseDamagedTables } from './table-damage.ts'

/** What is in the folder's database, and its incarnation. */
export interface OpenContents<Contents> {
  readonly contents: Contents
  readonly incarnation: string
  /** False where it was opened though something is missing, to look at it. */
  readonly isWhole?: boolean
  /** Fewer batches than were written, or nobody can tell; where it is left out the witness was told. */
  readonly isShort?: boolean
}

/** Opens what is in a database; `createIfMissing` as for the database itself. */
export type OpenIn<Contents> = (
  gate: DatabaseGate,
  createIfMissing: boolean,
  witness: BatchWitness,
) => Promise<OpenContents<Contents>>

export interface DataFolderOptions {
  /** Default `each batch`. */
  readonly sync?: SyncPolicy
  /**
   * Whether every table of LevelDB is read before it opens any: `after a crash` (the default), of a folder that was not closed in
   * order, or not at all where somebody has done it.
   */
  readonly tables?: 'after a crash' | 'were checked'
  /** Room kept for opening the folder on a full disk, bytes; default 8 MiB, 0 for none. */
  readonly ballastBytes?: number
}

/** How the folder was found. */
export interface FolderFinding {
  /** False where the process before this one ended without closing it; a new folder has none. */
  readonly isClosedInOrder: boolean
  /** Batches that were answered under a weaker policy than `each batch`, not yet synced, and lost with the power. */
  readonly batchesLost: number
  /** Where LevelDB's own files did not end whole, or are damaged; none, where all is as it was written. */
  readonly logFaults: readonly LogFault[]
}

export interface DataFolder<Contents> {
  readonly path: string
  readonly incarnation: string
  readonly contents: Contents
  readonly found: FolderFinding
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
  options: DataFolderOptions,
  openIn: OpenIn<Contents>,
): Promise<DataFolder<Contents>> {
  try {
    const folder = await realFolder(path)
    return await openClaimed(folder, kind, options, openIn)
  } catch (error) {
    throw storeError(error, `${path} could not be opened`)
  }
}

// F8: a second open of the same database in one process fails, and in failing drops the lock that the first one holds.
const openFolders = new Set<string>()

async function openClaimed<Contents>(
  folder: string,
  kind: FolderKind,
  options: DataFolderOptions,
  openIn: OpenIn<Contents>,
): Promise<DataFolder<Contents>> {
  if (openFolders.has(folder)) throw locked(folder, 'is already open in this process')
  openFolders.add(folder)
  try {
    const marker = await examine(folder, kind)
    const opening = { folder, options, openIn }
    const opened = marker === null ? await make(opening, kind) : await openMade(opening, marker)
    const { gate, incarnation, contents, found } = opened
    return { path: folder, incarnation, contents, found, close: () => gate.close() }
  } catch (error) {
    openFolders.delete(folder)
    throw error
  }
}

/** Keeps the folder at a real path from being opened in this process meanwhile. @throws SyncError STORE_LOCKED */
export async function claimFolder<R>(folder: string, work: () => Promise<R>): Promise<R> {
  if (openFolders.has(folder)) throw locked(folder, 'is already open in this process')
  openFolders.add(folder)
  try {
    return await work()
  } finally {
    openFolders.delete(folder)
  }
}

interface Opening<Contents> {
  readonly folder: string
  readonly options: DataFolderOptions
  readonly openIn: OpenIn<Contents>
}

interface Opened<Contents> extends OpenContents<Contents> {
  readonly gate: DatabaseGate
  readonly found: FolderFinding
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
    if (names.includes(COUNT) && names.includes('db') && !names.includes(MAKING))
      throw damaged(folder, `it has lost its ${MARKER}`, mendable)
    throw foreign(folder, `it holds ${names.length} other files and no ${MARKER}`)
  }
  const marker = await readMarker(folder)
  if (marker.kind === kind) return marker
  throw new SyncError(
    'FOLDER_FOREIGN',
    `${folder} is the folder of a ${marker.kind}, not of a ${kind}: choose another folder`,
  )
}

async function make<Contents>(opening: Opening<Contents>, kind: FolderKind): Promise<Opened<Contents>> {
  const { folder } = opening
  await markMaking(folder)
  const opened = await openDatabase(opening, null)
  try {
    // Under LevelDB's lock, and after the database: its incarnation is the one that counts.
    await writeMarker(folder, { format: FOLDER_FORMAT, kind, incarnation: opened.incarnation })
  } catch (error) {
    await opened.gate.close().catch(() => {})
    throw error
  }
  return opened
}

async function openMade<Contents>(opening: Opening<Contents>, marker: Marker): Promise<Opened<Contents>> {
  const { folder } = opening
  // Asked before LevelDB is: it would rotate its own log file before it noticed.
  const current = join(folder, 'db', 'CURRENT')
  if ((await access(current).catch(nullWhereMissing)) === null) {
    throw damaged(folder, 'its database has lost the file CURRENT', mendable)
  }
  const opened = await openDatabase(opening, marker)
  await rm(join(folder, MAKING), { force: true })
  return opened
}

async function openDatabase<Contents>(
  { folder, options, openIn }: Opening<Contents>,
  marker: Marker | null,
): Promise<Opened<Contents>> {
  const path = join(folder, 'db')
  const createIfMissing = marker === null
  // Before there is a database, which opens by itself: LevelDB replays its logs then, and deletes them.
  const ballast = new Ballast(folder, options.ballastBytes ?? ballastBytesDefault)
  const logs = createIfMissing
    ? nothingToExamine
    : await withBallast(ballast, async () => {
        const left = await leftLease(folder)
        if (left !== null && options.tables !== 'were checked') await refuseDamagedTables(folder)
        return await examineLogs(folder, left)
      })
  const database: LevelDatabase = new Level<string, string>(path, { createIfMissing })
  const sync = options.sync ?? 'each batch'
  let lease: Lease | null = null
  let count: CountFile | null = null
  let gate: DatabaseGate | null = null
  try {
    await withBallast(ballast, () => database.open({ createIfMissing }))
    // Only now: LevelDB's lock keeps other processes from these files as well.
    lease = await withBallast(ballast, () => Lease.take(folder, randomUUID(), durabilityOf(sync)))
    count = await CountFile.open(folder, createIfMissing, sync === 'each batch')
    const closed = () => openFolders.delete(folder)
    gate = new FolderGate({ database, path, lease, ballast, count, sync, closed })
    const opened = await openIn(gate, createIfMissing, count)
    if (marker !== null && opened.incarnation !== marker.incarnation)
      throw damaged(folder, `its database is another one than ${MARKER} names`)
    const isShort = opened.isShort ?? count.batchesLost > 0
    const logFaults = await logs.settle(opened.isWhole === false ? 'damaged' : isShort ? 'short' : 'whole')
    await ballast.keep()
    const found = {
      isClosedInOrder: createIfMissing || !lease.isLeftOver,
      batchesLost: count.batchesLost,
      logFaults,
    }
    return { ...opened, gate, found }
  } catch (error) {
    if (gate === null) {
      await lease?.abandon()
      await database.close()
      await count?.close(false)
    } else await gate.close().catch(() => {})
    const told = openingError(error, folder, createIfMissing)
    // What is kept too much is no reason to hide why it could not be opened.
    if (told.code === 'STORE_LOCKED') await logs.undo().catch(() => {})
    else if (told.code !== 'STORE_CORRUPT') await logs.settle('unknown').catch(() => [])
    else {
      throw withLogFaults(told, await logs.settle('damaged').catch(() => logs.faults), folder)
    }
    throw told
  }
}

const nothingToExamine: LogExamination = {
  faults: [],
  settle: () => Promise.resolve([]),
  undo: () => Promise.resolve(),
}

function openingError(error: unknown, folder: string, createIfMissing: boolean): SyncError {
  const known = storeError(error, `${folder} could not be opened`)
  if (known.code === 'STORE_LOCKED') return locked(folder, 'is in use by another process')
  // LevelDB calls it an I/O error when CURRENT names a file that is not there.
  const isFileMissing = /no such file|does not exist/i.test(known.message)
  return isFileMissing && !createIfMissing
    ? damaged(folder, 'a file of its database is missing', mendable)
    : known
}

function locked(folder: string, why: string): SyncError {
  return new SyncError(
    'STORE_LOCKED',
    `${folder} ${why}, and one at a time may use it, also for reading: stop the other one first; of a hub that runs \`rejoin backup\` makes a copy, to be looked at in its place`,
  )
}

function foreign(folder: string, why: string): SyncError {
  return new SyncError(
    'FOLDER_FOREIGN',
    `${folder} is not a Rejoin folder: ${why}. Nothing was touched; choose an empty or a new folder`,
  )
}

const mendable = '`rejoin repair` writes it anew where that is possible; else '

function damaged(folder: string, why: string, first = ''): SyncError {
  return new SyncError(
    'STORE_CORRUPT',
    `${folder} is damaged: ${why}. Its files are as they were; ${first}restore a hub's folder from a backup, and let a replica fetch what it had into a new folder`,
  )
}

function nullWhereMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
  throw error
}
