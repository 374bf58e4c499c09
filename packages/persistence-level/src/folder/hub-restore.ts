/**
 * Restoring a hub's folder from a backup: a new folder with an incarnation of its own, put in its place when everything in
 * it is done, so that a crash leaves no half restored hub that could be started.
 */
import { realpath } from 'node:fs/promises'
import type { FolderFinding } from './data-folder.ts'
import { copyFolder } from './folder-copy.ts'
import { backedUpAt, type CopyOptions } from './hub-backup.ts'
import { examineHubFolder } from './hub-examination.ts'
import { openHubFolder, type HubFolder } from './hub-folder.ts'

export interface RestoreOptions extends CopyOptions {
  /** A text never used twice. */
  readonly newIncarnation: () => string
  /** The last work in the new folder, all of whose logs are `untold`, before it is put in its place. */
  readonly finish: (folder: HubFolder) => Promise<void>
}

export interface RestoredHub {
  readonly path: string
  /** When the backup was made, milliseconds since 1970; null for a folder that is no backup. */
  readonly at: number | null
  readonly values: number
  readonly bytes: number
  /** How the folder was found that it is made of. */
  readonly found: FolderFinding
}

/**
 * Makes a new hub folder of a backup, or of any hub folder that nobody has open; that one stays as it is.
 * @throws SyncError INPUT_INVALID where `place` is not free, STORE_CORRUPT where the backup is damaged as a whole, and as for
 * opening a folder.
 */
export async function restoreHub(
  backup: string,
  place: string,
  { newIncarnation, finish, beside = [], ...options }: RestoreOptions,
): Promise<RestoredHub> {
  const source = await examineHubFolder(backup)
  try {
    if (source.fault !== null) throw source.fault
    const at = await backedUpAt(backup)
    const { values, bytes } = await copyFolder({
      ...options,
      place,
      beside: { folder: source.path, names: beside },
      incarnationOf: newIncarnation,
      store: source.store,
      finish: async (partial) => {
        const folder = await openHubFolder(partial)
        try {
          await folder.noteLoss()
          await finish(folder)
        } finally {
          await folder.close()
        }
      },
    })
    return { path: await realpath(place), at, values, bytes, found: source.found }
  } finally {
    await source.close()
  }
}
