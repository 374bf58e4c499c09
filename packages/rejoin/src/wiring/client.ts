/**
 * A client on this machine: one data folder with LevelDB, Yjs documents, and one connection to a hub that all of its
 * namespaces share. Decides nothing; the parts do.
 */
import { openReplicaFolder, type FolderFinding } from '@rejoin/persistence-level/node'
import type { TokenSource } from '@rejoin/transport'
import { connectedReplicas, dialersOf, type ConnectedReplicas } from './connected-replicas.ts'
import { foldThread } from './fold-thread.ts'
import { syncPolicyOf, type SyncChoice } from './sync-choice.ts'

export interface ClientOptions {
  /** The data folder; made where there is none. */
  readonly data: string
  /** A hub's URL, `http://127.0.0.1:4400`; without it the client works offline. */
  readonly hub?: string
  /** Gives the token that the hub asks for: an API key or a JWT. Asked at each connection, so a fresh one is used. */
  readonly token?: TokenSource
  /**
   * When what is written is synced to the disk; default `each batch`, before it counts as saved. Otherwise `receipt.saved` and
   * `status.saved` say `applied`.
   */
  readonly sync?: SyncChoice
}

export interface Client extends ConnectedReplicas {
  /** How the data folder was found. */
  readonly found: FolderFinding
  /** Names of the namespaces that this folder holds. */
  namespaces(): Promise<readonly string[]>
}

/**
 * @throws SyncError INPUT_INVALID for its options; STORE_LOCKED, FOLDER_FOREIGN, FORMAT_TOO_NEW, STORE_CORRUPT or STORE_UNAVAILABLE when the folder
 * cannot be opened.
 */
export async function openClient(options: ClientOptions): Promise<Client> {
  const dialers = dialersOf(options)
  const folder = await openReplicaFolder(options.data, { sync: syncPolicyOf(options.sync) })
  return {
    ...connectedReplicas(folder, dialers, null, foldThread()),
    found: folder.found,
    namespaces: () => folder.namespaces(),
  }
}
