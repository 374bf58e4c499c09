/** A backup of a hub's folder: asked of the hub that has it open, or made here where none has. */
import { realpath, rm } from 'node:fs/promises'
import {
  examineHubFolder,
  putInPlace,
  type FolderFinding,
  type HubBackup,
} from '@rejoin/persistence-level/node'
import { askForBackup } from './control-client.ts'
import { besideStore, type HubBackupOptions } from './backup-desk.ts'
import { systemClock } from './system-clock.ts'
import { verifyFolder, type FolderReport } from './verifying.ts'

export interface FolderBackup extends HubBackup {
  readonly by: 'running hub' | 'this process'
  /** How the folder was found; null where the running hub has it, which told it. */
  readonly found: FolderFinding | null
}

export interface VerifiedBackup {
  readonly backup: FolderBackup
  readonly verified: FolderReport
}

/**
 * It gets its name when it was verified: until then it is at `PLACE.partial`, whoever is killed. One that could not be verified
 * to its end is removed again. @throws SyncError as `backUpFolder`, and as `verifyFolder`
 */
export async function backUpAndVerify(
  data: string,
  place: string,
  options: HubBackupOptions = {},
  verify: (place: string) => Promise<FolderReport> = verifyFolder,
): Promise<VerifiedBackup> {
  const backup = await backUpFolder(data, place, { ...options, staysPartial: true })
  try {
    const verified = await orAborted(options.signal, verify(backup.path))
    // A hub of an older version has given it its name already.
    if (backup.path.endsWith('.partial')) await putInPlace(place)
    return { backup: { ...backup, path: await realpath(place) }, verified }
  } catch (error) {
    await rm(backup.path, { recursive: true, force: true, maxRetries: 5 })
    throw error
  }
}

/** Whatever comes of the work when it is given up, nobody hears. */
async function orAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return await work
  let stop = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error)
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** @throws SyncError INPUT_INVALID where the place is not free, STORE_LOCKED, STORE_FULL, and as for opening a folder */
export async function backUpFolder(
  data: string,
  place: string,
  options: HubBackupOptions = {},
): Promise<FolderBackup> {
  const asked = await askForBackup(data, place, options)
  if (asked !== null) return { ...asked, by: 'running hub', found: null }
  const folder = await examineHubFolder(data)
  try {
    if (folder.fault !== null) throw folder.fault
    const backup = await folder.backUp(place, {
      ...options,
      at: systemClock.now(),
      beside: besideStore,
    })
    return { ...backup, by: 'this process', found: folder.found }
  } finally {
    await folder.close()
  }
}
