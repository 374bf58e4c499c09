/**
 * Small files without which a folder does not open, though all of its content is there: written anew, where something else in
 * the folder says the same for certain. `db/CURRENT` names the one manifest that is there; `rejoin.json` says what the
 * database says of itself.
 */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, realpath, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError } from '@rejoin/core'
import { Level } from 'level'
import { hubKeys } from '../hub/hub-keys.ts'
import { decodeStoreRecord } from '../hub/store-record.ts'
import type { KeyRange } from '../level-database.ts'
import { storeError } from '../level-error.ts'
import { replicaKeys } from '../replica/replica-keys.ts'
import { isCorrupt, unseal } from '../sealed-value.ts'
import { claimFolder } from './data-folder.ts'
import { syncFolder } from './durable-files.ts'
import { hasLostMarker } from './folder-kind.ts'
import { FileMoment } from './file-moment.ts'
import { leftLease } from './lease.ts'
import { examineLogs } from './log-faults.ts'
import { FOLDER_FORMAT, MARKER, readMarker, writeMarker, type FolderKind } from './marker.ts'
import { damagedTables } from './table-damage.ts'

export interface MendedFile {
  /** As it is in the folder, e.g. `db/CURRENT`. */
  readonly name: string
  readonly fault: string
  readonly step: string
}

/**
 * Drops nothing: a file that does not read is kept beside the new one, as `NAME.damaged`. What cannot be said for certain
 * is left as it is.
 * @throws SyncError STORE_LOCKED, FORMAT_TOO_NEW, STORE_UNAVAILABLE
 */
export async function mendFiles(path: string): Promise<readonly MendedFile[]> {
  try {
    const folder = await realpath(path)
    if (!existsSync(join(folder, MARKER)) && !hasLostMarker(folder)) return []
    return await claimFolder(folder, async () => {
      const mended = [await mendCurrent(folder), await mendMarker(folder)]
      return mended.filter((file) => file !== null)
    })
  } catch (error) {
    // Told by whoever opens it.
    if (isCorrupt(error)) return []
    throw storeError(error, `${path} could not be repaired`)
  }
}

async function mendCurrent(folder: string): Promise<MendedFile | null> {
  const files: readonly string[] = await readdir(join(folder, 'db')).catch(() => [])
  const manifests = files.filter((name) => /^MANIFEST-\d+$/.test(name))
  const [manifest, ...others] = manifests
  // Opened with an older manifest LevelDB would delete what only the newer one knows.
  if (manifest === undefined || others.length > 0) return null
  const isThere = files.includes('CURRENT')
  const path = join(folder, 'db', 'CURRENT')
  if (isThere && (await readFile(path, 'latin1')) === `${manifest}\n`) return null
  await putAside(path, isThere)
  await writeFile(path, `${manifest}\n`, { flush: true })
  await syncFolder(join(folder, 'db'))
  return {
    name: 'db/CURRENT',
    fault: isThere ? 'db/CURRENT names no file of the database' : 'db/CURRENT is missing',
    step: `write db/CURRENT anew, of the one manifest that is there, ${manifest}`,
  }
}

async function mendMarker(folder: string): Promise<MendedFile | null> {
  const isThere = existsSync(join(folder, MARKER))
  if ((isThere && (await isReadable(folder))) || !existsSync(join(folder, 'db', 'CURRENT'))) return null
  // LevelDB opens it as it would for a hub; whether it lost anything is seen when that opens it.
  const logs = await examineLogs(folder, await leftLease(folder))
  const found = await identityIn(join(folder, 'db'))
  await logs.settle('unknown')
  if (found === null) return null
  await putAside(join(folder, MARKER), isThere)
  await writeMarker(folder, { format: FOLDER_FORMAT, ...found })
  return {
    name: MARKER,
    fault: isThere ? `${MARKER} does not read` : `${MARKER} is missing`,
    step: `write ${MARKER} anew: the database says that it is a ${found.kind}'s`,
  }
}

async function isReadable(folder: string): Promise<boolean> {
  try {
    await readMarker(folder)
    return true
  } catch (error) {
    if (error instanceof SyncError && (error.code === 'STORE_CORRUPT' || error.code === 'FOLDER_FOREIGN'))
      return false
    throw error
  }
}

/** Whose database it is; null where it says neither. Made by nobody: one that is not there stays so. */
async function identityIn(path: string): Promise<{ kind: FolderKind; incarnation: string } | null> {
  if ((await damagedTables(path)).length > 0) return await identityInFiles(path)
  const database = new Level<string, Uint8Array>(path, { createIfMissing: false, valueEncoding: 'view' })
  await database.open()
  try {
    const isHub = (await database.keys({ ...hubKeys.all, limit: 1 }).all()).length > 0
    const isReplica = (await database.keys({ ...replicaKeys.all, limit: 1 }).all()).length > 0
    if (isHub === isReplica) return null
    const key = isHub ? hubKeys.store : replicaKeys.folder
    const sealed = await database.get(key)
    return { kind: isHub ? 'hub' : 'replica', incarnation: incarnationOf(key, sealed) }
  } finally {
    await database.close()
  }
}

/** Past LevelDB, which is not to open it. */
async function identityInFiles(path: string): Promise<{ kind: FolderKind; incarnation: string } | null> {
  const moment = await FileMoment.open(path)
  const isIn = async (range: KeyRange): Promise<boolean> => {
    for await (const entry of moment.entries(range)) return entry.length > 0
    return false
  }
  const isHub = await isIn(hubKeys.all)
  if (isHub === (await isIn(replicaKeys.all))) return null
  const key = isHub ? hubKeys.store : replicaKeys.folder
  const sealed = await moment.sealed(key).catch(undefinedWhereCorrupt)
  return { kind: isHub ? 'hub' : 'replica', incarnation: incarnationOf(key, sealed ?? undefined) }
}

function undefinedWhereCorrupt(error: unknown): undefined {
  if (!isCorrupt(error)) throw error
}

/** Where the database cannot say it, that is a fault of its own, and any name will do. */
function incarnationOf(key: string, sealed: Uint8Array | undefined): string {
  if (sealed === undefined) return randomUUID()
  try {
    const body = unseal(key, sealed)
    return key === hubKeys.store ? decodeStoreRecord(body).incarnation : new TextDecoder().decode(body)
  } catch (error) {
    if (isCorrupt(error)) return randomUUID()
    throw error
  }
}

async function putAside(path: string, isThere: boolean): Promise<void> {
  if (isThere) await rename(path, `${path}.damaged`)
}
