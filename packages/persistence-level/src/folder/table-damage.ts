/**
 * Tables of LevelDB that are not what was written. As it is opened here LevelDB looks at no checksum of a table: it may take what is
 * damaged for content, not find what is there, or end the process over it. So where damage is to be expected it is asked first.
 */
import { join } from 'node:path'
import { SyncError } from '@rejoin/core'
import { liveFiles, nullWhereMissing } from '../log/live-files.ts'
import { tableDamage, type DamagedBlock } from '../log/table-file.ts'

export interface DamagedTable {
  /** Of the database: `000012.ldb`. */
  readonly file: string
  readonly blocks: readonly DamagedBlock[]
}

/** All checksums of all tables that LevelDB reads. None where it opens nothing, and says so. Errors are the system's. */
export async function damagedTables(database: string): Promise<readonly DamagedTable[]> {
  const found: DamagedTable[] = []
  for (const { name, isListed } of (await liveFiles(database))?.tables ?? []) {
    if (!isListed) continue
    // Of a database that somebody has open one may be gone by now.
    const blocks = await tableDamage(join(database, name)).catch(nullWhereMissing)
    if (blocks !== null && blocks.length > 0) found.push({ file: name, blocks })
  }
  return found
}

/** @throws SyncError STORE_CORRUPT where a table that LevelDB reads is not what was written, naming it and the place */
export async function refuseDamagedTables(folder: string): Promise<void> {
  const tables = await damagedTables(join(folder, 'db'))
  if (tables.length > 0) throw damagedTablesError(folder, tables)
}

/** Damage by which nothing is lost: every entry of the table is read. */
export function isAllRead(tables: readonly DamagedTable[]): boolean {
  return tables.every(({ blocks }) => blocks.every(({ kind }) => kind !== 'data'))
}

/** Where in the files of a folder the first of it is. @param folder for people */
export function damagedTablesError(folder: string, tables: readonly DamagedTable[]): SyncError {
  const [first] = tables
  const block = first?.blocks[0]
  const count = tables.reduce((sum, { blocks }) => sum + blocks.length, 0)
  const where = `${block?.bytes ?? 0} bytes at ${block?.at ?? 0} of db/${first?.file ?? ''}`
  const more = count > 1 ? `, and ${count - 1} more blocks,` : ''
  const advice = isAllRead(tables)
    ? 'an index or a filter is in them, and no value: `rejoin repair` makes the database anew, and nothing is lost by that'
    : 'keep the files as they are; `rejoin repair` says what can be done'
  return new SyncError(
    'STORE_CORRUPT',
    `${where} in ${folder}${more} are not what was written, and LevelDB would take them for it: ${advice}`,
  )
}
