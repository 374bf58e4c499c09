/**
 * Opening a hub's folder that may be a backup, or damaged as a whole: to look at what is there, when nothing is written, or to
 * accept it as an older state of itself. What LevelDB itself cannot open stays shut.
 */
import { SyncError, type Namespace } from '@rejoin/core'
import { openHubStoreBehind } from '../hub/store-opening.ts'
import type { LevelHubStore } from '../hub/hub-store.ts'
import { hubKeys } from '../hub/hub-keys.ts'
import { acceptStore } from '../hub/store-record.ts'
import { readState } from '../hub/namespace-state.ts'
import type { KeyRange } from '../level-database.ts'
import { SealedDatabase } from '../sealed-database.ts'
import { isCorrupt } from '../sealed-value.ts'
import { readableInstead } from './damaged-tables.ts'
import { openDataFolder, type FolderFinding } from './data-folder.ts'
import { backUpHub, isBackup, type BackupOptions, type HubBackup } from './hub-backup.ts'
import { markerOf } from './folder-kind.ts'
import { withLogFaults } from './log-faults.ts'
import { unreadableIn, type Unreadable } from './readable-copy.ts'

export interface ExaminedHubFolder {
  readonly path: string
  readonly found: FolderFinding
  /** Takes no writes where it is a backup, or there is a fault that was not accepted. */
  readonly store: LevelHubStore
  /** What is wrong with the store as a whole. */
  readonly fault: SyncError | null
  /** Namespaces of which anything is there, sorted, and what kept more from being found. */
  namespaces(): Promise<{ readonly names: readonly Namespace[]; readonly fault: SyncError | null }>
  /** What keeps LevelDB from reading all of its own files; null where nothing does. All of them are read, in two ways. */
  unreadable(): Promise<Unreadable | null>
  /** As an open hub's folder makes one. Errors: see `backUpHub`. */
  backUp(place: string, options: BackupOptions): Promise<HubBackup>
  close(): Promise<void>
}

/**
 * @param manner `looks`: a store that is damaged as a whole is not written to, and of one with a damaged table what can be read is
 * shown, as a copy. `mends`: such a one is refused. `accepts`: such a store is from now on what it
 * holds, and every namespace must be told that it may have lost something. Any other is opened as a hub would.
 * @throws SyncError as for opening a hub's folder, but makes none.
 */
export async function examineHubFolder(
  path: string,
  manner: 'looks' | 'mends' | 'accepts' = 'looks',
): Promise<ExaminedHubFolder> {
  const { incarnation } = await markerOf(path, 'hub')
  const copy = await readableInstead(path, 'hub')
  if (copy === null) return await examineSound(path, manner, incarnation)
  try {
    if (manner !== 'looks') throw copy.unreadable.fault
    const examined = await examineSound(copy.path, manner, incarnation)
    await examined.store.refuseWrites()
    return {
      ...examined,
      path: copy.original,
      found: { ...examined.found, ...copy.found },
      unreadable: () => Promise.resolve(copy.unreadable),
      backUp: (place, options) => backUpHub(examined.store, copy.original, place, options),
      close: async () => {
        await examined.close()
        await copy.discard()
      },
    }
  } catch (error) {
    await copy.discard()
    throw error
  }
}

/** Its tables were looked at. */
async function examineSound(
  path: string,
  manner: 'looks' | 'mends' | 'accepts',
  incarnation: string,
): Promise<ExaminedHubFolder> {
  const name = `the hub store in ${path}`
  const folder = await openDataFolder(path, 'hub', checked, async (gate, _, witness) => {
    let fault: SyncError | null = null
    const options = { incarnation, createIfMissing: false, name, witness }
    const open = (): Promise<LevelHubStore> =>
      openHubStoreBehind(gate, { ...options, despite: (found) => (fault = found) })
    let store = await open()
    if (fault !== null && manner === 'accepts') {
      const first: SyncError = fault
      await acceptStore(new SealedDatabase(gate, name), incarnation, witness.batchesMin)
      store.giveUp()
      fault = null
      store = await open()
      fault ??= first
    }
    if (isBackup(path)) await store.refuseWrites()
    const contents = { store, fault, database: new SealedDatabase(gate, name) }
    return { contents, incarnation, isWhole: fault === null }
  })
  const { store, fault, database } = folder.contents
  return {
    path: folder.path,
    found: folder.found,
    store,
    fault: fault === null ? null : withLogFaults(fault, folder.found.logFaults, folder.path),
    unreadable: () => unreadableIn(database, 'hub'),
    namespaces: () => namespacesIn(database),
    backUp: (place, options) => backUpHub(store, folder.path, place, options),
    close: async () => {
      await store.close()
      await folder.close()
    },
  }
}

const checked = { ballastBytes: 0, tables: 'were checked' } as const

async function namespacesIn(
  database: SealedDatabase,
): Promise<{ readonly names: readonly Namespace[]; readonly fault: SyncError | null }> {
  const names = new Set<Namespace>()
  const removed = new Set<Namespace>()
  let fault: SyncError | null = null
  // LevelDB goes on behind a table that it cannot read, and says so in the end.
  const each = async (range: KeyRange, take: (key: string, sealed: Uint8Array) => void): Promise<void> => {
    try {
      for await (const [key, sealed] of database.sealedEntries(range)) take(key, sealed)
    } catch (error) {
      if (!(error instanceof SyncError) || !isCorrupt(error)) throw error
      fault ??= error
    }
  }
  await each(hubKeys.states, (key, sealed) => {
    const isRemoved = readState(key, sealed)?.state.kind === 'removed'
    ;(isRemoved ? removed : names).add(hubKeys.namespaceOfState(key))
  })
  // A namespace may have lost its state and hold records still, or a checkpoint alone.
  for (const range of hubKeys.contents)
    for (let after = range.gt; ;) {
      const next = await database.firstKey({ ...range, gt: after }).catch((error: unknown) => {
        if (!(error instanceof SyncError) || !isCorrupt(error)) throw error
        fault ??= error
        return null
      })
      if (next === null) break
      const namespace = hubKeys.namespaceIn(next)
      if (!removed.has(namespace)) names.add(namespace)
      after = `${range.gt}${namespace}!~`
    }
  return { names: [...names].sort(), fault }
}
