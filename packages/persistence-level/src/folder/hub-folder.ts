/** A hub's data folder: one hub store on LevelDB, synced to disk before anything is acknowledged. */
import { randomUUID } from 'node:crypto'
import type { HubStore } from '@rejoin/core'
import { openHubStore } from '../hub/hub-store.ts'
import { openDataFolder } from './data-folder.ts'

export interface HubFolderOptions {
  /** Draws the incarnation of a new folder, a text never used twice; a random UUID where it is left out. */
  readonly newIncarnation?: () => string
}

export interface HubFolder {
  /** The folder's real path. */
  readonly path: string
  readonly store: HubStore
  /** Closes the store and gives up the folder. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens the hub folder at `path`, or makes one where there is nothing or an empty folder. One process at a time has it.
 * @throws SyncError FOLDER_FOREIGN, FORMAT_TOO_NEW, STORE_LOCKED, STORE_CORRUPT, STORE_FULL, STORE_UNAVAILABLE.
 */
export async function openHubFolder(path: string, options: HubFolderOptions = {}): Promise<HubFolder> {
  const newIncarnation = options.newIncarnation ?? randomUUID
  const folder = await openDataFolder(path, 'hub', async (database, createIfMissing, witness) => {
    const name = `the hub store in ${path}`
    const incarnation = newIncarnation()
    const store = await openHubStore(database, { incarnation, createIfMissing, name, witness })
    return { contents: store, incarnation: store.incarnation }
  })
  return {
    path: folder.path,
    store: folder.contents,
    close: async () => {
      await folder.contents.close()
      await folder.close()
    },
  }
}
