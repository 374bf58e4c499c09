/**
 * A client in a browser: one IndexedDB database, Yjs documents, and one connection to a hub that all of its namespaces share.
 * Decides nothing; the parts do.
 */
import { openReplicaDatabase, type BrowserSync } from '@rejoin/persistence-level/browser'
import type { TokenSource } from '@rejoin/transport'
import { connectedReplicas, dialersOf, type ConnectedReplicas } from '../wiring/connected-replicas.ts'
import { systemClock } from '../wiring/system-clock.ts'
import { askForPersistence, type StoragePersistence } from './persistent-storage.ts'
import { localNotes, type NoteStorage } from './platform.ts'
import { witnessBook } from './witness-book.ts'

export interface BrowserClientOptions {
  /** Name of the database, of this page's origin; made where there is none. One tab, window or worker at a time has it open. */
  readonly name: string
  /** A hub's URL, `https://hub.example`; without it the client works offline. */
  readonly hub?: string
  /** Gives the token that the hub asks for: an API key or a JWT. Asked at each connection, so a fresh one is used. */
  readonly token?: TokenSource
  /**
   * `each batch`, the default: what was made here is on the disk before it counts as saved. `never`: when the browser likes;
   * `receipt.saved` and `status.saved` say `applied` then, as they do in browsers that know no durability.
   */
  readonly sync?: BrowserSync
  /** Whether to ask the browser not to evict what is stored; default true. Some ask their user. */
  readonly persist?: boolean
  /**
   * Where is noted, apart from the database, which replicas are in it, for `status.localStateLost`; default: `localStorage`
   * where there is one. Workers have none.
   */
  readonly notes?: NoteStorage | null
}

export interface BrowserClient extends ConnectedReplicas {
  /** Whether the browser keeps what is stored; `unknown` also where it was not to be asked. Never rejects. */
  readonly persistence: Promise<StoragePersistence>
  /** Names of the namespaces that this database holds. */
  namespaces(): Promise<readonly string[]>
}

/**
 * @throws SyncError INPUT_INVALID for its options; STORE_LOCKED while another tab has the database open; STORE_UNAVAILABLE
 * where the page has no IndexedDB or no Web Locks; STORE_FULL.
 */
export async function openBrowserClient(options: BrowserClientOptions): Promise<BrowserClient> {
  const { name, sync = 'each batch', persist = true, notes = localNotes() } = options
  const dialers = dialersOf(options)
  const database = await openReplicaDatabase(name, { clock: systemClock, sync })
  return {
    ...connectedReplicas(database, dialers, notes === null ? null : witnessBook(notes, name)),
    persistence: persist ? askForPersistence() : Promise.resolve('unknown'),
    namespaces: () => database.namespaces(),
  }
}
