/**
 * What stands in the database of one replica, whole or damaged: read value by value past every refusal, for `rejoin verify`
 * and `rejoin repair`. Nothing is written here, and nothing is made of the bytes: whether they make a document is for
 * `verifyReplica` to say.
 */
import { SyncError, type Commit, type Namespace, type RejectedCommit } from '@rejoin/core'
import type { SealedDatabase } from '../sealed-database.ts'
import { checksumOf, isCorrupt, unseal } from '../sealed-value.ts'
import { seqOf } from '../seq-text.ts'
import { decodeCommit, decodeRejected } from './commit-value.ts'
import { replicaKeys, shelfRange, type Shelf } from './replica-keys.ts'
import { decodeMeta, type Inventory, type ReplicaMeta } from './replica-meta.ts'

/** Where in a replica a fault is: `whole`, where its values do not add up to what they were. */
export type ReplicaPart = 'meta' | 'snapshot' | Shelf | 'whole'

export interface ReplicaFault {
  readonly part: ReplicaPart
  readonly key: string
  readonly message: string
}

export interface ReplicaFindings {
  readonly namespace: Namespace
  /** Identity, counters, cursor; null where that record is missing or damaged. */
  readonly meta: ReplicaMeta | null
  /** The values of the acknowledged base that are whole: the snapshot, if there is one, then updates. */
  readonly base: readonly Uint8Array[]
  /** The whole ones, in counter order. */
  readonly outbox: readonly Commit[]
  readonly rejected: readonly RejectedCommit[]
  /** Values that are there, and their bytes. */
  readonly values: number
  readonly bytes: number
  readonly faults: readonly ReplicaFault[]
}

/** @throws SyncError STORE_CORRUPT where LevelDB cannot read its own files, FORMAT_TOO_NEW, STORE_UNAVAILABLE. */
export async function findReplicaDamage(
  database: SealedDatabase,
  namespace: Namespace,
): Promise<ReplicaFindings> {
  const faults: ReplicaFault[] = []
  const base: Uint8Array[] = []
  const outbox: Commit[] = []
  const rejected: RejectedCommit[] = []
  const found = { count: 0, sum: 0 }
  let [values, bytes] = [0, 0]
  /** @returns what `read` makes of the value, or null where there is none or it is damaged. */
  const take = <T>(
    part: ReplicaPart,
    key: string,
    sealed: Uint8Array | null,
    read: (body: Uint8Array) => T,
  ): T | null => {
    if (sealed === null) return null
    values += 1
    bytes += sealed.length
    try {
      const made = read(unseal(key, sealed))
      if (part === 'meta') return made
      found.count += 1
      found.sum ^= checksumOf(sealed)
      return made
    } catch (error) {
      if (!(error instanceof SyncError) || !isCorrupt(error)) throw error
      faults.push({ part, key, message: error.message })
      return null
    }
  }
  const metaKey = replicaKeys.meta(namespace)
  const sealedMeta = await database.sealed(metaKey)
  if (sealedMeta === null) faults.push({ part: 'meta', key: metaKey, message: `${metaKey} is missing` })
  const read = take('meta', metaKey, sealedMeta, (body) => decodeMeta(metaKey, body))
  const snapshotKey = replicaKeys.snapshot(namespace)
  const snapshot = take('snapshot', snapshotKey, await database.sealed(snapshotKey), (body) => body)
  if (snapshot !== null) base.push(snapshot)
  for await (const [key, sealed] of database.sealedEntries(shelfRange('update', namespace))) {
    const update = take('update', key, sealed, (body) => body)
    if (update !== null) base.push(update)
  }
  for await (const [key, sealed] of database.sealedEntries(shelfRange('outbox', namespace))) {
    const commit = take('outbox', key, sealed, (body) => decodeCommit(key, body))
    if (commit !== null) outbox.push(commit)
  }
  for await (const [key, sealed] of database.sealedEntries(shelfRange('rejected', namespace))) {
    const refused = take('rejected', key, sealed, (body) => decodeRejected(key, body))
    if (refused !== null) rejected.push(refused)
  }
  // Where a value is damaged they cannot add up.
  const wrong = read === null || faults.length > 0 ? null : wrongInventory(read.inventory, found)
  if (wrong !== null) faults.push({ part: 'whole', key: metaKey, message: `${metaKey} ${wrong}` })
  return { namespace, meta: read?.meta ?? null, base, outbox, rejected, values, bytes, faults }
}

export type ReplicaRepairPlan =
  | { readonly kind: 'whole' }
  | {
      readonly kind: 'mend'
      /** The acknowledged base goes, to be fetched again. */
      readonly dropsBase: boolean
      /** Counters of commits that are lost for good. */
      readonly lost: readonly number[]
      /** Commits that were made after a lost one: they go to the rejected ones, from where they can be applied anew. */
      readonly rejected: readonly Commit[]
    }
  | { readonly kind: 'impossible'; readonly why: string }

/** What can be made of a replica. What it has saved and nobody else has is its outbox. */
export function planReplicaRepair({ meta, outbox, faults }: ReplicaFindings): ReplicaRepairPlan {
  if (faults.length === 0) return { kind: 'whole' }
  if (meta === null)
    return { kind: 'impossible', why: 'who this replica is, and up to where it counted, cannot be read' }
  const lostOf = (part: ReplicaPart): number[] =>
    faults.flatMap((fault) => (fault.part === part ? [seqOf(fault.key)] : []))
  const lost = lostOf('outbox')
  const firstLost = Math.min(...lost)
  return {
    kind: 'mend',
    dropsBase: faults.some(({ part }) => part === 'snapshot' || part === 'update' || part === 'whole'),
    lost: [...lost, ...lostOf('rejected')],
    rejected: outbox.filter(({ id }) => id.counter > firstLost),
  }
}

function wrongInventory(expected: Inventory, found: Inventory): string | null {
  const sum = found.sum >>> 0
  if (expected.count === found.count && expected.sum === sum) return null
  return expected.count === found.count
    ? `does not match the ${found.count} values: some are older or newer`
    : `counts ${expected.count} values, there are ${found.count}`
}
