/**
 * Opening a replica's folder that may be damaged, to look at every value in it and to repair what can be repaired. No replica
 * can be opened from it, and nothing is written but by `mend`.
 */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assert, SyncError, type ClientId, type Namespace } from '@rejoin/core'
import { encodeRejected } from '../replica/commit-value.ts'
import {
  findReplicaDamage,
  type ReplicaFindings,
  type ReplicaRepairPlan,
} from '../replica/replica-findings.ts'
import { replicaKeys, shelfRange } from '../replica/replica-keys.ts'
import { decodeMeta, encodeMeta, metaFormat, noNotes, type ReplicaMeta } from '../replica/replica-meta.ts'
import { SealedDatabase, type Change } from '../sealed-database.ts'
import { checksumOf, corrupt, isCorrupt, seal, tooShort, unseal } from '../sealed-value.ts'
import { seqOf } from '../seq-text.ts'
import { COUNT } from './count-file.ts'
import { readableInstead } from './damaged-tables.ts'
import { openDataFolder, type FolderFinding } from './data-folder.ts'
import { markerOf } from './folder-kind.ts'
import { withLogFaults } from './log-faults.ts'
import { MARKER } from './marker.ts'
import { PLACE } from './place-file.ts'
import { unreadableIn, type Unreadable } from './readable-copy.ts'

export interface ExaminedReplicaFolder {
  readonly path: string
  readonly found: FolderFinding
  /** What is wrong with the folder as a whole. */
  readonly fault: SyncError | null
  /** What keeps LevelDB from reading all of its own files; null where nothing does. All of them are read, in two ways. */
  unreadable(): Promise<Unreadable | null>
  /** Namespaces of which anything is there, sorted. */
  namespaces(): Promise<readonly Namespace[]>
  /** Reads every value. @throws SyncError STORE_CORRUPT where LevelDB cannot read its own files, FORMAT_TOO_NEW. */
  examine(namespace: Namespace): Promise<ReplicaFindings>
  /** A value as it stands there, unchecked: sealed, or null where there is none. */
  raw(key: string): Promise<Uint8Array | null>
  /** Keys of the values of the acknowledged base, whole or not. */
  baseKeys(namespace: Namespace): Promise<readonly string[]>
  /**
   * Carries a plan out, in one batch.
   * @param clientId one that this replica has never used.
   * @param domain of a replica that cannot say it itself.
   */
  mend(findings: ReplicaFindings, plan: Mending, clientId: ClientId, domain?: string): Promise<void>
  /**
   * Takes a folder that is damaged as a whole for what it holds, as for an older copy of itself: each of its replicas gets an
   * identity of its own when it is opened the next time, so that no counter is given twice.
   */
  accept(): Promise<void>
  close(): Promise<void>
}

const checked = { ballastBytes: 0, tables: 'were checked' } as const

type Mending = Extract<ReplicaRepairPlan, { lost: object }>

/**
 * @param manner as of `examineHubFolder`.
 * @throws SyncError as for opening a replica's folder, but makes none.
 */
export async function examineReplicaFolder(
  path: string,
  manner: 'looks' | 'mends' = 'looks',
): Promise<ExaminedReplicaFolder> {
  const { incarnation } = await markerOf(path, 'replica')
  const copy = await readableInstead(path, 'replica')
  if (copy === null) return await examineSound(path, incarnation)
  try {
    if (manner !== 'looks') throw copy.unreadable.fault
    const examined = await examineSound(copy.path, incarnation)
    const refuse = (): Promise<never> => Promise.reject(copy.unreadable.fault)
    return {
      ...examined,
      path: copy.original,
      found: { ...examined.found, ...copy.found },
      unreadable: () => Promise.resolve(copy.unreadable),
      mend: refuse,
      accept: refuse,
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
async function examineSound(path: string, incarnation: string): Promise<ExaminedReplicaFolder> {
  const name = `the replica store in ${path}`
  const folder = await openDataFolder(path, 'replica', checked, async (gate, _, witness) => {
    const database = new SealedDatabase(gate, name)
    const fault = await folderFault(database, incarnation, witness.batchesMin)
    const batches = fault === null ? await batchesIn(database) : null
    const isShort = batches === null || batches < witness.batches
    return { contents: { database, fault, witness }, incarnation, isWhole: fault === null, isShort }
  })
  const { database, fault, witness } = folder.contents
  // What does not read is taken for a copy's.
  const becomeCopy = (): Promise<void> => writeFile(join(folder.path, PLACE), '', { flush: true })
  let isMended = false
  let isAccepted = false
  return {
    path: folder.path,
    found: folder.found,
    fault: fault === null ? null : withLogFaults(fault, folder.found.logFaults, folder.path),
    unreadable: () => unreadableIn(database, 'replica'),
    namespaces: () => namespacesIn(database),
    examine: (namespace) => findReplicaDamage(database, namespace),
    raw: (key) => database.sealed(key),
    baseKeys: (namespace) => baseKeys(database, namespace),
    mend: async (findings, plan, clientId, domain) => {
      // The count of what went with the power goes at the end, and one that is damaged cannot say how much that was.
      if (!isMended && ((await batchesIn(database)) ?? witness.batchesMin) < witness.batches)
        await becomeCopy()
      await database.write(
        plan.kind === 'forget'
          ? await deletions(database, findings)
          : await changesOf(
              database,
              findings,
              plan,
              await mendedMeta(database, findings, plan, clientId, domain),
            ),
      )
      isMended = true
    },
    accept: async () => {
      const value = seal(replicaKeys.folder, new TextEncoder().encode(incarnation))
      // Before anything else can be opened.
      await becomeCopy()
      await database.write([{ key: replicaKeys.folder, value }])
      isAccepted = true
    },
    close: async () => {
      database.detach()
      await folder.close()
      // It counted batches of what is gone.
      if (isMended || isAccepted) await rm(join(folder.path, COUNT), { force: true })
    },
  }
}

/** Its incarnation is missing, or another one; or it holds less than was written. */
async function folderFault(
  database: SealedDatabase,
  incarnation: string,
  batchesMin: number,
): Promise<SyncError | null> {
  try {
    const found = await database.get(replicaKeys.folder)
    if (found === null) return corrupt(replicaKeys.folder, `is missing from ${database.name}`)
    if (new TextDecoder().decode(found.body) !== incarnation)
      return corrupt(replicaKeys.folder, `names another folder than ${MARKER} does`)
    const batches = await batchesIn(database)
    return batches === null || batches >= batchesMin
      ? null
      : tooShort(replicaKeys.folder, database.name, batches, batchesMin)
  } catch (error) {
    if (error instanceof SyncError && isCorrupt(error)) return error
    throw error
  }
}

/** Batches of all namespaces; null where one of them cannot say. */
async function batchesIn(database: SealedDatabase): Promise<number | null> {
  let batches: number | null = 0
  for await (const [key, sealed] of database.sealedEntries(replicaKeys.metas)) {
    try {
      const { meta } = decodeMeta(key, unseal(key, sealed))
      batches = batches === null ? null : batches + meta.batches
    } catch (error) {
      if (!isCorrupt(error)) throw error
      batches = null
    }
  }
  return batches
}

async function namespacesIn(database: SealedDatabase): Promise<readonly Namespace[]> {
  const names = new Set<Namespace>()
  for (let after = replicaKeys.all.gt; ;) {
    const next = await database.firstKey({ ...replicaKeys.all, gt: after })
    if (next === null) return [...names].sort()
    const [, kind, namespace] = next.split('!')
    if (next !== replicaKeys.folder && namespace !== undefined) names.add(namespace)
    // The rest of that namespace's values of this kind is of no interest.
    after = next === replicaKeys.folder ? next : `replica!${kind}!${namespace}!~`
  }
}

async function changesOf(
  database: SealedDatabase,
  { namespace, outbox, rejected, base, faults }: ReplicaFindings,
  plan: Exclude<Mending, { kind: 'forget' }>,
  meta: ReplicaMeta,
): Promise<readonly Change[]> {
  const kept = new Map<string, number>()
  const changes = new Map<string, Uint8Array | null>()
  const keep = async (key: string): Promise<void> => {
    const sealed = await database.sealed(key)
    if (sealed !== null) kept.set(key, checksumOf(sealed))
  }
  const inBase = await baseKeys(database, namespace)
  for (const { key, part } of faults) if (part !== 'whole') changes.set(key, null)
  if (plan.dropsBase) for (const key of inBase) changes.set(key, null)
  else if (base.length > 0) for (const key of inBase) await keep(key)
  const moved = new Set(plan.rejected.map(({ id }) => id.counter))
  for (const { id } of outbox) {
    const key = replicaKeys.numbered('outbox', namespace, id.counter)
    if (moved.has(id.counter)) changes.set(key, null)
    else await keep(key)
  }
  for (const { commit } of rejected)
    await keep(replicaKeys.numbered('rejected', namespace, commit.id.counter))
  for (const commit of plan.rejected) {
    const key = replicaKeys.numbered('rejected', namespace, commit.id.counter)
    const sealed = seal(key, encodeRejected({ commit, code: 'STORE_CORRUPT', message: movedWhy, path: null }))
    changes.set(key, sealed)
    kept.set(key, checksumOf(sealed))
  }
  const inventory = { count: kept.size, sum: [...kept.values()].reduce((sum, each) => sum ^ each, 0) >>> 0 }
  const key = replicaKeys.meta(namespace)
  changes.set(key, seal(key, encodeMeta(meta, inventory), metaFormat(meta)))
  return Array.from(changes, ([changed, value]) => ({ key: changed, value }))
}

async function mendedMeta(
  database: SealedDatabase,
  findings: ReplicaFindings,
  plan: Exclude<Mending, { kind: 'forget' }>,
  clientId: ClientId,
  domain: string | undefined,
): Promise<ReplicaMeta> {
  const { meta } = findings
  if (meta === null) {
    assert(domain !== undefined, 'the domain of a replica that cannot say it is named')
    return await renewedMeta(database, findings, clientId, domain)
  }
  return {
    ...meta,
    identity: { ...meta.identity, clientId },
    cursor: plan.dropsBase ? null : meta.cursor,
    batches: meta.batches + 1,
  }
}

/**
 * What the commits that are left say. The identity is the one that made the newest of them, and a copy's: so it gets one of
 * its own at the next opening, and no counter that was given is given again.
 */
async function renewedMeta(
  database: SealedDatabase,
  { namespace, outbox, rejected }: ReplicaFindings,
  clientId: ClientId,
  domain: string,
): Promise<ReplicaMeta> {
  const commits = [...outbox, ...rejected.map(({ commit }) => commit)].sort(
    (a, b) => a.id.counter - b.id.counter,
  )
  const newest = commits.at(-1)
  assert(newest !== undefined, 'a replica is renewed for its commits')
  const { replica } = newest.id
  const counters = (
    await Promise.all(
      (['outbox', 'rejected'] as const).map((shelf) => database.keys(shelfRange(shelf, namespace))),
    )
  ).flat()
  const counter = Math.max(...counters.map(seqOf))
  const updates = await database.keys(shelfRange('update', namespace))
  return {
    identity: {
      replica,
      clientId,
      domain,
      domainVersion: Math.max(...commits.map((each) => each.domainVersion)),
    },
    place: renewedPlace,
    formerCounter: Math.max(0, ...commits.flatMap(({ id }) => (id.replica === replica ? [] : [id.counter]))),
    counter,
    hlc: commits.map(({ hlc }) => hlc).reduce((a, b) => (a > b ? a : b)),
    cursor: null,
    // All of it may have been sent.
    notes: { ...noNotes, sentCounter: counter },
    batches: 1,
    nextUpdate: Math.max(0, ...updates.map(seqOf)) + 1,
  }
}

/** Where no folder is: what is kept under this name is a copy's. */
const renewedPlace = 'made anew by a repair'

async function deletions(
  database: SealedDatabase,
  { namespace }: ReplicaFindings,
): Promise<readonly Change[]> {
  const keys = [replicaKeys.meta(namespace), ...(await baseKeys(database, namespace))]
  for (const shelf of ['outbox', 'rejected'] as const)
    keys.push(...(await database.keys(shelfRange(shelf, namespace))))
  return keys.map((key) => ({ key, value: null }))
}

async function baseKeys(database: SealedDatabase, namespace: Namespace): Promise<readonly string[]> {
  return [replicaKeys.snapshot(namespace), ...(await database.keys(shelfRange('update', namespace)))]
}

const movedWhy =
  'a commit that was made before it was damaged and is lost, and what it builds on may be missing: apply it anew'
