/**
 * Everything that can be said of a folder that nobody has open: of a hub's or a replica's, one report a namespace. Where the
 * folder is damaged as a whole, what can be read of it is read all the same. All of the database is read, also what nobody reads else.
 */
import { SyncError, type Namespace } from '@rejoin/core'
import { digestOf, yjsCrdt } from '@rejoin/crdt-adapter'
import { verifyNamespace, type VerifyReport } from '@rejoin/hub'
import {
  examineHubFolder,
  examineReplicaFolder,
  folderKind,
  type ExaminedHubFolder,
  type ExaminedReplicaFolder,
  type FolderFinding,
  type Unreadable,
} from '@rejoin/persistence-level/node'
import { verifyReplica, type FoundReplica, type ReplicaVerifyReport } from '@rejoin/replica'

export type FolderReport = {
  /** What is wrong with the folder as a whole. */
  readonly fault: string | null
  /** How it was found; null where it could not be opened. */
  readonly found: FolderFinding | null
} & (
  | { readonly kind: 'hub'; readonly namespaces: readonly VerifyReport[] }
  | { readonly kind: 'replica'; readonly namespaces: readonly ReplicaVerifyReport[] }
)

/**
 * @param namespace that one alone.
 * @throws SyncError FOLDER_FOREIGN where there is no folder of ours; NAMESPACE_UNKNOWN; STORE_LOCKED and other errors of
 * opening it. Damage is reported, not thrown.
 */
export async function verifyFolder(data: string, namespace?: Namespace): Promise<FolderReport> {
  const kind = await kindOf(data)
  try {
    return await (kind === 'hub' ? verifyHubFolder(data, namespace) : verifyReplicaFolder(data, namespace))
  } catch (error) {
    // LevelDB itself cannot open it.
    if (error instanceof SyncError && error.code === 'STORE_CORRUPT')
      return { kind, fault: error.message, found: null, namespaces: [] }
    throw error
  }
}

/** @throws SyncError FOLDER_FOREIGN */
export async function kindOf(data: string): Promise<'hub' | 'replica'> {
  const kind = await folderKind(data)
  if (kind !== null) return kind
  throw new SyncError('FOLDER_FOREIGN', `${data} is no folder of a hub or a replica: is the path right?`)
}

async function verifyHubFolder(data: string, only: Namespace | undefined): Promise<FolderReport> {
  const folder = await examineHubFolder(data)
  try {
    const { names, fault } = await namesOf(folder, only)
    const namespaces: VerifyReport[] = []
    for (const namespace of names) {
      const report = await verifyNamespace(folder.store, yjsCrdt.updates, namespace)
      const faults = [...report.faults]
      for (const { message } of await beside(folder, namespace))
        if (!faults.some((fault) => fault.message === message))
          faults.push({ seq: null, message, part: 'checkpoint', code: 'STORE_CORRUPT' })
      const closed = faults.length === 0 ? await folder.store.closedBy(namespace) : null
      // Met before, and gone since: nothing but a repair opens it again.
      if (closed !== null) {
        const message = `it is closed for writing, since ${closed.message}`
        faults.push({ seq: null, message, part: 'log', code: 'STORE_CORRUPT' })
      }
      namespaces.push({ ...report, faults })
    }
    const { found } = folder
    const whole = wholeFault(folder.fault ?? fault, await folder.unreadable())
    return { kind: 'hub', fault: whole?.message ?? null, found, namespaces }
  } finally {
    await folder.close()
  }
}

/** What LevelDB does not find though it shows it is missed by everybody else: that explains the rest. */
function wholeFault(fault: SyncError | null, unreadable: Unreadable | null): SyncError | null {
  return unreadable?.isAllShown === true ? unreadable.fault : (fault ?? unreadable?.fault ?? null)
}

/** Values that no reader of the log comes by. Of files that LevelDB cannot read the log says enough. */
async function beside(folder: ExaminedHubFolder, namespace: Namespace): Promise<readonly SyncError[]> {
  try {
    return await folder.store.damagedCheckpoints(namespace)
  } catch (error) {
    if (error instanceof SyncError && error.code === 'STORE_CORRUPT') return [error]
    throw error
  }
}

async function namesOf(folder: ExaminedHubFolder, only: Namespace | undefined) {
  return only === undefined ? await folder.namespaces() : { names: [only], fault: null }
}

async function verifyReplicaFolder(data: string, only: Namespace | undefined): Promise<FolderReport> {
  const folder = await examineReplicaFolder(data)
  try {
    const names = await folder.namespaces()
    if (only !== undefined && !names.includes(only))
      throw new SyncError('NAMESPACE_UNKNOWN', `${data} holds no namespace ${only}`)
    const namespaces: ReplicaVerifyReport[] = []
    for (const namespace of only === undefined ? names : [only])
      namespaces.push(verifyReplica(await contentsOf(folder, namespace), yjsCrdt, digestOf))
    const whole = wholeFault(folder.fault, await folder.unreadable())
    return { kind: 'replica', fault: whole?.message ?? null, found: folder.found, namespaces }
  } finally {
    await folder.close()
  }
}

async function contentsOf(folder: ExaminedReplicaFolder, namespace: Namespace): Promise<FoundReplica> {
  try {
    return await folder.examine(namespace)
  } catch (error) {
    if (!(error instanceof SyncError) || error.code !== 'STORE_CORRUPT') throw error
    const nothing = { meta: null, base: [], outbox: [], rejected: [], values: 0, bytes: 0 }
    return { namespace, ...nothing, faults: [{ message: error.message }] }
  }
}
