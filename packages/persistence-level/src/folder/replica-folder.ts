/** A replica's data folder: many namespaces on one LevelDB database, each with a store of its own. */
import { randomUUID } from 'node:crypto'
import { checkNamespace, type Namespace, type ReplicaStore } from '@rejoin/core'
import type { BatchWitness } from '../batch-witness.ts'
import { replicaKeys } from '../replica/replica-keys.ts'
import { decodeMeta } from '../replica/replica-meta.ts'
import { LevelReplicaStore } from '../replica/replica-store.ts'
import type { DatabaseGate } from '../gate/database-gate.ts'
import { SealedDatabase } from '../sealed-database.ts'
import { corrupt, isCorrupt, seal, tooShort, unseal } from '../sealed-value.ts'
import { openDataFolder, type DataFolderOptions, type FolderFinding } from './data-folder.ts'
import { renewPlace, takePlace, type PlaceParts } from './place-file.ts'

export interface ReplicaFolderOptions extends DataFolderOptions {
  /** Draws the incarnation of a new folder, a text never used twice; a random UUID where it is left out. */
  readonly newIncarnation?: () => string
  /** Draws the name of a folder that is found to be a copy, a text never used twice; a random UUID where it is left out. */
  readonly newPlace?: () => string
}

export interface ReplicaFolderFinding extends FolderFinding {
  /**
   * The folder is a copy of another one, was put back from a backup, or has lost batches with the power, and this is its first
   * opening since: its replicas get identities of their own, each when it is opened.
   */
  readonly isCopy: boolean
}

export interface ReplicaFolder {
  /** The folder's real path. */
  readonly path: string
  readonly found: ReplicaFolderFinding
  /** Names of the namespaces that were ever recorded here, sorted. */
  namespaces(): Promise<readonly Namespace[]>
  /**
   * The store of a namespace; its own `close` leaves the folder open.
   * @throws SyncError STORE_LOCKED while it is open already, NAMESPACE_INVALID.
   */
  replica(namespace: Namespace): ReplicaStore
  /** Closes every store that is open and gives up the folder. Idempotent. */
  close(): Promise<void>
}

/** Opens the replica folder at `path`, or makes one; rules and errors as for `openHubFolder`. */
export async function openReplicaFolder(
  path: string,
  options: ReplicaFolderOptions = {},
): Promise<ReplicaFolder> {
  const newIncarnation = options.newIncarnation ?? randomUUID
  const name = `the replica store in ${path}`
  const folder = await openDataFolder(path, 'replica', options, async (gate, createIfMissing, witness) => {
    const incarnation = await bindIncarnation(gate, name, createIfMissing ? newIncarnation() : null)
    const database = new SealedDatabase(gate, name)
    const counted = await countBatches(database, witness)
    const parts: PlaceParts = { folder: path, database, newMark: randomUUID }
    const hasLost = counted.isWhole && counted.batches < witness.batches
    // Before the loss is forgotten, and before anything is written under counters that were given already.
    const place = await takePlace(parts, (options.newPlace ?? randomUUID)(), hasLost)
    if (counted.isWhole) witness.opened(counted.batches)
    const contents = { gate, batches: counted.batches, witness, place, parts }
    return { contents, incarnation, isShort: !counted.isWhole || hasLost }
  })
  const { gate, witness, place, parts } = folder.contents
  let { batches } = folder.contents
  const index = new SealedDatabase(gate, name)
  const stores = new Set<LevelReplicaStore>()
  let closing: Promise<void> | null = null
  const close = async (): Promise<void> => {
    index.detach()
    await Promise.all([...stores].map((store) => store.close()))
    // What cannot be written anew stays as it was: only a copy that was made meanwhile is not noticed then.
    await renewPlace(parts, place.name).catch(() => {})
    await folder.close()
  }
  return {
    path: folder.path,
    found: { ...folder.found, isCopy: place.isCopy },
    namespaces: async () => (await index.keys(replicaKeys.metas)).map(replicaKeys.namespaceOfMeta).sort(),
    replica: (namespace) => {
      index.checkOpen()
      const store: LevelReplicaStore = new LevelReplicaStore(gate, checkNamespace(namespace), name, {
        place: place.name,
        written: () => witness.written((batches += 1)),
        closed: () => stores.delete(store),
      })
      stores.add(store)
      return store
    },
    close: () => (closing ??= close()),
  }
}

/**
 * How many batches all namespaces have had. One whose own record is damaged fails when it is opened, and then there is
 * nothing to compare here.
 * @throws SyncError STORE_CORRUPT when there were more.
 */
async function countBatches(
  database: SealedDatabase,
  witness: BatchWitness,
): Promise<{ readonly batches: number; readonly isWhole: boolean }> {
  let batches = 0
  let damaged = false
  for await (const [key, sealed] of database.sealedEntries(replicaKeys.metas)) {
    try {
      batches += decodeMeta(key, unseal(key, sealed)).meta.batches
    } catch (error) {
      if (!isCorrupt(error)) throw error
      damaged = true
    }
  }
  if (batches < witness.batchesMin && !damaged) {
    throw tooShort(replicaKeys.folder, database.name, batches, witness.batchesMin)
  }
  return { batches, isWhole: !damaged }
}

/** The incarnation that is in the database, or `created` written to a new one; null: it must be there. */
async function bindIncarnation(gate: DatabaseGate, name: string, created: string | null): Promise<string> {
  const sealed = new SealedDatabase(gate, name)
  const found = await sealed.get(replicaKeys.folder)
  if (found !== null) return new TextDecoder().decode(found.body)
  if (created === null) throw corrupt(replicaKeys.folder, `is missing from ${name}`)
  const value = seal(replicaKeys.folder, new TextEncoder().encode(created))
  await sealed.write([{ key: replicaKeys.folder, value }])
  return created
}
