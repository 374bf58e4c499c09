/** A replica's database in a browser: many namespaces in one IndexedDB database, each with a store of its own. */
import { checkNamespace, SyncError, type Clock, type Namespace, type ReplicaStore } from '@rejoin/core'
import { BrowserLevel } from 'browser-level'
import { storeError } from '../level-error.ts'
import { replicaKeys } from '../replica/replica-keys.ts'
import { LevelReplicaStore } from '../replica/replica-store.ts'
import { SealedDatabase } from '../sealed-database.ts'
import { BrowserGate, type BrowserSync } from './browser-gate.ts'
import { takeTabLock } from './tab-lock.ts'

export interface ReplicaDatabaseOptions {
  readonly clock: Pick<Clock, 'sleep'>
  /** Default `each batch`: then the stores say `durable`, where the browser knows how; else `applied`. */
  readonly sync?: BrowserSync
}

export interface ReplicaDatabase {
  /** Of the IndexedDB database, and of the Web Lock by which it is held. */
  readonly name: string
  /** Names of the namespaces that were ever recorded here, sorted. */
  namespaces(): Promise<readonly Namespace[]>
  /**
   * The store of a namespace; its own `close` leaves the database open.
   * @throws SyncError STORE_LOCKED while it is open already, NAMESPACE_INVALID.
   */
  replica(namespace: Namespace): ReplicaStore
  /** Closes every store that is open and gives up the database. Idempotent. */
  close(): Promise<void>
}

/** Its databases are told from others of the page by this. */
const prefix = 'rejoin-'
const syncs: readonly BrowserSync[] = ['each batch', 'never']
/** Milliseconds: some browsers never answer. */
const openMsMax = 10_000

/**
 * Opens the replicas' database of this name, of this page's origin, or makes one.
 * @throws SyncError INPUT_INVALID; STORE_LOCKED while another tab has it open; STORE_UNAVAILABLE where there is no IndexedDB for this page, or
 * it does not answer; STORE_FULL.
 */
export async function openReplicaDatabase(
  name: string,
  options: ReplicaDatabaseOptions,
): Promise<ReplicaDatabase> {
  const { clock, sync = 'each batch' } = options
  // An app without types may have said anything.
  if (typeof name !== 'string' || name === '') throw new SyncError('INPUT_INVALID', 'a database needs a name')
  if (!syncs.includes(sync))
    throw new SyncError('INPUT_INVALID', `sync is '${syncs.join("' or '")}' in a browser`)
  const location = `${prefix}${name}`
  const text = `the database ${location}`
  const lock = await takeTabLock(location, clock)
  const gate = await openLevel(name, text, clock).then(
    (level) => new BrowserGate({ name: text, level, lock, sync }),
    (error: unknown) => {
      lock.release()
      throw storeError(error, `${text} could not be opened`)
    },
  )
  const index = new SealedDatabase(gate, text)
  const stores = new Set<LevelReplicaStore>()
  let closing: Promise<void> | null = null
  const close = async (): Promise<void> => {
    await Promise.all([...stores].map((store) => store.close()))
    await index.close()
  }
  return {
    name: location,
    namespaces: async () => (await index.keys(replicaKeys.metas)).map(replicaKeys.namespaceOfMeta).sort(),
    replica: (namespace) => {
      index.checkOpen()
      const store: LevelReplicaStore = new LevelReplicaStore(gate, checkNamespace(namespace), text, {
        // Nothing here is another one when it was copied.
        place: null,
        closed: () => stores.delete(store),
      })
      stores.add(store)
      return store
    },
    close: () => (closing ??= close()),
  }
}

async function openLevel(
  name: string,
  text: string,
  clock: Pick<Clock, 'sleep'>,
): Promise<BrowserLevel<string, string>> {
  const level = new BrowserLevel<string, string>(name, { prefix })
  const answered = new AbortController()
  const opened = level.open().then(() => true)
  try {
    if ((await Promise.race([opened, clock.sleep(openMsMax, answered.signal)])) === true) return level
  } finally {
    answered.abort()
  }
  opened
    .then(
      () => level.close(),
      () => {},
    )
    .catch(() => {})
  throw new SyncError('STORE_UNAVAILABLE', `${text} is not opened by the browser: reload the page`)
}
