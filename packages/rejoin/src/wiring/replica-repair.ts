/**
 * Repairing a replica's folder. Its acknowledged base can be fetched again from a hub, so a damaged one may go; its outbox
 * nobody else has: what can be read of it stays, and the commits that were made after a lost one are put among the rejected
 * ones, from where they can be applied anew.
 */
import {
  CLIENT_ID_MIN,
  randomUint32,
  SyncError,
  type ClientId,
  type Commit,
  type Namespace,
} from '@rejoin/core'
import { digestOf, yjsCrdt } from '@rejoin/crdt-adapter'
import {
  examineReplicaFolder,
  planReplicaRepair,
  type ExaminedReplicaFolder,
  type ReplicaFindings,
  type ReplicaRepairPlan,
} from '@rejoin/persistence-level/node'
import { verifyReplica } from '@rejoin/replica'
import { impossible, type RepairedNamespace, type RepairManner } from './repair-report.ts'
import { systemClock } from './system-clock.ts'

type Mending = Extract<ReplicaRepairPlan, { kind: 'mend' }>

export async function repairReplicaFolder(
  data: string,
  manner: RepairManner,
): Promise<readonly RepairedNamespace[]> {
  const folder = await examineReplicaFolder(data)
  try {
    const results: RepairedNamespace[] = []
    if (folder.fault !== null) results.push(await acceptFolder(folder, folder.fault, manner))
    const names = await folder.namespaces()
    if (manner.only !== null && !names.includes(manner.only))
      throw new SyncError('NAMESPACE_UNKNOWN', `${data} holds no namespace ${manner.only}`)
    for (const namespace of names)
      if (manner.only === null || manner.only === namespace)
        results.push(await repairReplica(folder, namespace, manner))
    return results
  } finally {
    await folder.close()
  }
}

async function acceptFolder(
  folder: ExaminedReplicaFolder,
  fault: SyncError,
  { isDiscarding }: RepairManner,
): Promise<RepairedNamespace> {
  if (isDiscarding) await folder.accept()
  return {
    namespace: null,
    outcome: isDiscarding ? 'repaired' : 'needs discard',
    faults: [fault.message],
    steps: [
      'take what is there for an older copy of this folder: each of its replicas gets an identity of its own',
    ],
    commits: [],
    advice: isDiscarding
      ? 'sync it'
      : 'restore a newer copy of the folder if there is one; or repair with --discard',
    verified: null,
  }
}

async function repairReplica(
  folder: ExaminedReplicaFolder,
  namespace: Namespace,
  manner: RepairManner,
): Promise<RepairedNamespace> {
  let findings: ReplicaFindings
  try {
    findings = await folder.examine(namespace)
  } catch (error) {
    if (error instanceof SyncError && isDamage(error)) return impossible(namespace, error)
    throw error
  }
  const plan = planReplicaRepair(findings)
  const faults = findings.faults.map(({ message }) => message)
  const nothing = { namespace, faults, steps: [], commits: [], advice: null, verified: null }
  if (plan.kind === 'whole') return { ...nothing, outcome: 'whole' }
  if (plan.kind === 'impossible') {
    await salvageCommits(findings, manner)
    const advice =
      'make a new replica in a new folder; the ops of commits that wait here are in the file of salvaged values, to be applied there'
    return { ...nothing, outcome: 'impossible', faults: [...faults, plan.why], advice }
  }
  const steps = stepsOf(findings, plan)
  const commits = plan.rejected.map(nameOf)
  if (!manner.isDiscarding) {
    const advice = 'restore a copy of the folder if there is one; or repair with --discard'
    return { ...nothing, outcome: 'needs discard', steps, commits, advice }
  }
  await salvageCommits(findings, manner)
  for (const { key } of findings.faults) {
    const sealed = await folder.raw(key)
    if (sealed !== null) await manner.salvage.add(key, sealed)
  }
  await manner.salvage.kept()
  await folder.mend(findings, plan, freshClientId(findings))
  const after = await folder.examine(namespace)
  // Without its base the outbox makes no document; the next opening makes the commits anew.
  const verified = plan.dropsBase ? null : verifyReplica(after, yjsCrdt, digestOf)
  return { ...nothing, outcome: 'repaired', steps, commits, advice: adviceOf(findings, plan), verified }
}

/** What a repair may move or make anew, with its ops. */
async function salvageCommits({ outbox }: ReplicaFindings, { salvage }: RepairManner): Promise<void> {
  for (const commit of outbox) {
    const { update, ops, hlc } = commit
    await salvage.add(`outbox ${nameOf(commit)}`, update, { ops, hlc })
  }
  await salvage.kept()
}

function stepsOf({ outbox }: ReplicaFindings, { dropsBase, lost, rejected }: Mending): readonly string[] {
  const kept = outbox.length - rejected.length
  return [
    ...(dropsBase
      ? [`drop the acknowledged content, to be fetched again; ${kept} commits that wait stay`]
      : []),
    ...(lost.length > 0
      ? [`give up the commits with the counters ${lost.join(', ')}, which cannot be read`]
      : []),
    ...(rejected.length > 0
      ? [`put ${rejected.length} commits that were made after a lost one among the rejected ones`]
      : []),
    'go on under a new client id',
  ]
}

function adviceOf({ outbox }: ReplicaFindings, { dropsBase, rejected }: Mending): string | null {
  const advice: string[] = []
  if (rejected.length > 0) advice.push('apply the rejected commits anew (rejoin rejected resubmit)')
  if (dropsBase) advice.push('sync it to fetch the content')
  // Nobody can tell any more what they were to remove.
  if (dropsBase && outbox.length > rejected.length)
    advice.push(
      'then look at what waits: what a commit removed or replaced stays, and may show as a conflict',
    )
  return advice.length === 0 ? null : advice.join('; ')
}

function nameOf({ id }: Commit): string {
  return `${id.replica}:${id.counter}`
}

function freshClientId({ meta }: ReplicaFindings): ClientId {
  for (;;) {
    const id = randomUint32(systemClock)
    if (id >= CLIENT_ID_MIN && id !== meta?.identity.clientId) return id
  }
}

function isDamage({ code }: SyncError): boolean {
  return code === 'STORE_CORRUPT' || code === 'FORMAT_TOO_NEW'
}
