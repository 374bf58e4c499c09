/** A hub's data folder: one hub store on LevelDB, by default synced to disk before anything is acknowledged. */
import { randomUUID } from 'node:crypto'
import { SyncError, type HubStore, type Namespace } from '@rejoin/core'
import { openHubStoreBehind } from '../hub/store-opening.ts'
import { openDataFolder, type DataFolderOptions, type FolderFinding } from './data-folder.ts'
import { backUpHub, isBackup, type BackupOptions, type HubBackup } from './hub-backup.ts'

export interface HubFolderOptions extends DataFolderOptions {
  /** Draws the incarnation of a new folder, a text never used twice; a random UUID where it is left out. */
  readonly newIncarnation?: () => string
}

export interface HubFolder {
  /** The folder's real path. */
  readonly path: string
  readonly store: HubStore
  readonly found: FolderFinding
  /** Why a namespace is closed for writing, or null: something in it is damaged. */
  closedBy(namespace: Namespace): Promise<SyncError | null>
  /**
   * Namespaces whose logs must be told, before anybody is served, that they may have lost something: the folder was restored,
   * or batches went with the power, whoever noticed. Also those that are damaged: they are told when they are repaired.
   */
  untold(): Promise<readonly Namespace[]>
  /** Makes every namespace untold. */
  noteLoss(): Promise<void>
  /** Call it when the log of the namespace was told (`markRestored`). */
  told(namespace: Namespace): Promise<void>
  /** Copies what the store holds now into a new folder, while it goes on. Errors: see `backUpHub`. */
  backUp(place: string, options: BackupOptions): Promise<HubBackup>
  /** Closes the store and gives up the folder. Idempotent. */
  close(): Promise<void>
}

/** A backup is restored, and not served or changed. @throws SyncError FOLDER_FOREIGN */
export function refuseBackup(path: string): void {
  if (!isBackup(path)) return
  throw new SyncError(
    'FOLDER_FOREIGN',
    `${path} is a backup of a hub: restore it into a folder of its own (rejoin restore)`,
  )
}

/**
 * Opens the hub folder at `path`, or makes one where there is nothing or an empty folder. One process at a time has it.
 * A backup is not served: FOLDER_FOREIGN.
 * @throws SyncError FOLDER_FOREIGN, FORMAT_TOO_NEW, STORE_LOCKED, STORE_CORRUPT, STORE_FULL, STORE_UNAVAILABLE.
 */
export async function openHubFolder(path: string, options: HubFolderOptions = {}): Promise<HubFolder> {
  refuseBackup(path)
  const newIncarnation = options.newIncarnation ?? randomUUID
  const folder = await openDataFolder(path, 'hub', options, async (gate, createIfMissing, witness) => {
    const name = `the hub store in ${path}`
    const incarnation = newIncarnation()
    const store = await openHubStoreBehind(gate, { incarnation, createIfMissing, name, witness })
    return { contents: store, incarnation: store.incarnation }
  })
  return {
    path: folder.path,
    store: folder.contents,
    found: folder.found,
    closedBy: (namespace) => folder.contents.closedBy(namespace),
    noteLoss: () => folder.contents.noteLoss(),
    untold: () => folder.contents.untold(),
    told: (namespace) => folder.contents.told(namespace),
    backUp: (place, how) => backUpHub(folder.contents, folder.path, place, how),
    close: async () => {
      await folder.contents.close()
      await folder.close()
    },
  }
}
