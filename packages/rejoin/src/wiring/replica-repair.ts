/**
 * Repairing a replica's folder. Its acknowledged base can be fetched again from a hub, so a damaged one may go; its outbox
 * nobody else has: what can be read of it stays, and the commits that were made after a lost one are put among the rejected
 * ones, from where they can be applied anew.
 */
import {
  CLIENT_ID_MIN,
  isBuiltInOp,
  randomUint32,
  SyncError,
  upcastOps,
  type AnyDomain,
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

type Mending = Extract<ReplicaRepairPlan, { lost: object }>

export async function repairReplicaFolder(
  data: string,
  manner: RepairManner,
): Promise<readonly RepairedNamespace[]> {
  const folder = await examineReplicaFolder(data, 'mends')
  manner.hear(folder.found, data, 'replica')
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
    lost: null,
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
  const { plan, faults } = planSoundly(findings)
  const nothing = { namespace, faults, steps: [], commits: [], lost: null, advice: null, verified: null }
  if (plan.kind === 'whole') return { ...nothing, outcome: 'whole' }
  const domain = plan.kind === 'renew' ? domainOf(findings, manner.domains) : null
  const steps = stepsOf(findings, plan, domain)
  const commits = plan.kind === 'forget' ? [] : plan.rejected.map(nameOf)
  if (plan.kind === 'renew' && domain === null) {
    await salvageCommits(findings, manner)
    const known = manner.domains.map(({ name }) => name).join(', ')
    const advice = `repair it with --discard --domain FILE, the module with its domain: the commits that are left are not of ${known}`
    return { ...nothing, outcome: 'impossible', steps: [], commits, advice }
  }
  if (!manner.isDiscarding) {
    const advice = 'restore a copy of the folder if there is one; or repair with --discard'
    return { ...nothing, outcome: 'needs discard', steps, commits, advice }
  }
  await salvageCommits(findings, manner)
  const goes = new Set(findings.faults.map(({ key }) => key))
  // Nobody knows whether a hub has all of it still.
  if (plan.dropsBase) for (const key of await folder.baseKeys(namespace)) goes.add(key)
  for (const key of goes) {
    const sealed = await folder.raw(key)
    if (sealed !== null) await manner.salvage.add(key, sealed)
  }
  await manner.salvage.kept()
  await folder.mend(findings, plan, freshClientId(findings), domain ?? undefined)
  const verified =
    plan.kind === 'forget' ? null : verifyReplica(await folder.examine(namespace), yjsCrdt, digestOf)
  return { ...nothing, outcome: 'repaired', steps, commits, advice: adviceOf(findings, plan), verified }
}

/** What the values say, and where each matches its checksum, what they make together. */
function planSoundly(findings: ReplicaFindings): { plan: ReplicaRepairPlan; faults: readonly string[] } {
  const plan = planReplicaRepair(findings)
  const faults = findings.faults.map(({ message }) => message)
  if (plan.kind !== 'whole' && plan.dropsBase) return { plan, faults }
  const lost = plan.kind === 'whole' ? [] : plan.lost
  const rejected: readonly Commit[] = plan.kind === 'mend' ? plan.rejected : []
  const kept = findings.outbox.filter((commit) => !rejected.includes(commit))
  const unsound = verifyReplica({ ...findings, faults: [], outbox: kept }, yjsCrdt, digestOf).faults
  if (unsound.length === 0) return { plan, faults }
  const firstUnfit = Math.min(...unsound.flatMap(({ counter }) => (counter === null ? [] : [counter])))
  const unfit = kept.filter(({ id }) => id.counter >= firstUnfit)
  return {
    plan: { kind: 'mend', dropsBase: true, lost, rejected: [...unfit, ...rejected] },
    faults: [...faults, ...unsound.map(({ message }) => message)],
  }
}

/** The name of the one domain that knows all ops of what is left; null where none does, or several do. */
function domainOf({ outbox, rejected }: ReplicaFindings, domains: readonly AnyDomain[]): string | null {
  const commits = [...outbox, ...rejected.map(({ commit }) => commit)]
  const names = new Set(domains.filter((domain) => commits.every(isOf(domain))).map(({ name }) => name))
  const [name, ...others] = names
  return others.length === 0 ? (name ?? null) : null
}

function isOf(domain: AnyDomain): (commit: Commit) => boolean {
  return ({ ops, domainVersion }) => {
    try {
      const known = upcastOps(domain, ops, domainVersion)
      return known.every(({ type }) => isBuiltInOp(type) || Object.hasOwn(domain.ops, type))
    } catch {
      return false
    }
  }
}

/** What a repair may move or make anew, with its ops. */
async function salvageCommits({ outbox }: ReplicaFindings, { salvage }: RepairManner): Promise<void> {
  for (const commit of outbox) {
    const { update, ops, hlc } = commit
    await salvage.add(`outbox ${nameOf(commit)}`, update, { ops, hlc })
  }
  await salvage.kept()
}

function stepsOf({ outbox }: ReplicaFindings, plan: Mending, domain: string | null): readonly string[] {
  const { dropsBase, lost } = plan
  const rejected = plan.kind === 'forget' ? [] : plan.rejected
  const kept = outbox.length - rejected.length
  return [
    ...(plan.kind === 'mend' ? [] : ['give up who this replica was, which cannot be read']),
    ...(dropsBase
      ? [`drop the acknowledged content, to be fetched again; ${kept} commits that wait stay`]
      : []),
    ...(lost.length > 0
      ? [`give up the commits with the counters ${lost.join(', ')}, which cannot be read`]
      : []),
    ...(rejected.length > 0
      ? [`put ${rejected.length} commits that were made after a lost one among the rejected ones`]
      : []),
    plan.kind === 'mend'
      ? 'go on under a new client id'
      : plan.kind === 'forget'
        ? 'let it be made anew at its next opening'
        : `go on as a replica of its own, of the domain ${domain ?? 'that is named'}`,
  ]
}

function adviceOf({ outbox }: ReplicaFindings, plan: Mending): string | null {
  const { dropsBase } = plan
  const rejected = plan.kind === 'forget' ? [] : plan.rejected
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
