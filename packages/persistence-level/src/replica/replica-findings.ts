/**
 * What stands in the database of one replica, whole or damaged: read value by value past every refusal, for `rejoin verify`
 * and `rejoin repair`. Nothing is written here, and nothing is made of the bytes: whether they make a document is for
 * `verifyReplica` to say.
 */
import { SyncError, type Commit, type Counter, type Namespace, type RejectedCommit } from '@rejoin/core'
import type { SealedDatabase } from '../sealed-database.ts'
import { checksumOf, isCorrupt, unseal } from '../sealed-value.ts'
import { seqOf } from '../seq-text.ts'
import { decodeCommit, decodeRejected } from './commit-value.ts'
import { missingCommits, type MissingCommits } from './missing-commits.ts'
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
  const present = new Set<Counter>()
  const updates: number[] = []
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
    updates.push(seqOf(key))
    const update = take('update', key, sealed, (body) => body)
    if (update !== null) base.push(update)
  }
  for await (const [key, sealed] of database.sealedEntries(shelfRange('outbox', namespace))) {
    present.add(seqOf(key))
    const commit = take('outbox', key, sealed, (body) => decodeCommit(key, body))
    if (commit !== null) outbox.push(commit)
  }
  for await (const [key, sealed] of database.sealedEntries(shelfRange('rejected', namespace))) {
    present.add(seqOf(key))
    const refused = take('rejected', key, sealed, (body) => decodeRejected(key, body))
    if (refused !== null) rejected.push(refused)
  }
  if (read !== null) {
    const { meta, inventory } = read
    const there = values - 1
    const areCounted = inventory.count === there
    // Where a value is damaged they cannot add up.
    if (areCounted ? faults.length === 0 && inventory.sum !== found.sum >>> 0 : inventory.count < there)
      faults.push(wrongInventory(metaKey, inventory, there, ''))
    if (inventory.count > there) {
      const missing = missingCommits({ meta, outbox, present }, inventory.count - there)
      for (const counter of missing.lost) {
        const key = replicaKeys.numbered('outbox', namespace, counter)
        faults.push({ part: 'outbox', key, message: `${key} is missing, and commits after it are there` })
      }
      if (!missing.isAll || !isUnbroken(updates, meta))
        faults.push(wrongInventory(metaKey, inventory, there, perhapsText(missing)))
    }
  }
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
  /**
   * Who this replica is cannot be read: what waits in it and was rejected stays, and goes on under another identity. Of which
   * domain it is somebody must say.
   */
  | {
      readonly kind: 'renew'
      readonly dropsBase: true
      readonly lost: readonly number[]
      readonly rejected: readonly Commit[]
    }
  /** The same of one that holds no commit that can be read: all of it goes, and who opens it next makes it anew. */
  | { readonly kind: 'forget'; readonly dropsBase: true; readonly lost: readonly number[] }

/** What can be made of a replica. What it has saved and nobody else has is its outbox. */
export function planReplicaRepair(findings: ReplicaFindings): ReplicaRepairPlan {
  const { meta, outbox, rejected, faults } = findings
  if (faults.length === 0) return { kind: 'whole' }
  const lostOf = (part: ReplicaPart): number[] =>
    faults.flatMap((fault) => (fault.part === part ? [seqOf(fault.key)] : []))
  const damaged = [...lostOf('outbox'), ...(meta === null ? holesIn(outbox) : [])]
  const lostWaiting = [...new Set(damaged)].sort((a, b) => a - b)
  const lost = [...lostWaiting, ...lostOf('rejected')]
  if (meta === null && outbox.length + rejected.length === 0) return { kind: 'forget', dropsBase: true, lost }
  const firstLost = Math.min(...lostWaiting)
  const behind = outbox.filter(({ id }) => id.counter > firstLost)
  if (meta === null) return { kind: 'renew', dropsBase: true, lost, rejected: behind }
  return {
    kind: 'mend',
    dropsBase: faults.some(({ part }) => part === 'snapshot' || part === 'update' || part === 'whole'),
    lost,
    rejected: behind,
  }
}

/** Counters that a commit names as the one before it, and where that one is not there. Before the first nobody knows. */
function holesIn(outbox: readonly Commit[]): readonly Counter[] {
  return outbox.flatMap(({ id, prev }, i) => {
    const before = outbox[i - 1]
    return before?.id.replica === id.replica && before.id.counter !== prev ? [prev] : []
  })
}

/** Numbers rise one by one, up to the last that was given; of none that is there nobody can tell. */
function isUnbroken(updates: readonly number[], { nextUpdate }: ReplicaMeta): boolean {
  const first = updates[0]
  return first === undefined || updates.length === nextUpdate - first
}

function wrongInventory(key: string, { count }: Inventory, there: number, more: string): ReplicaFault {
  const what =
    count === there
      ? `does not match the ${there} values: some are older or newer`
      : `counts ${count} values, there are ${there}`
  return { part: 'whole', key, message: `${key} ${what}${more}` }
}

function perhapsText({ perhaps }: MissingCommits): string {
  if (perhaps === null) return ''
  const { after, upTo } = perhaps
  const which = after + 1 === upTo ? `the commit ${upTo}` : `commits of ${after + 1} to ${upTo}`
  return `; ${which} may have been among them, saved here and never acknowledged`
}
