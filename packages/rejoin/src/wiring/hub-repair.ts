/**
 * Repairing a hub's folder, namespace by namespace. From the newest checkpoint that can be read the log is taken as far as it
 * goes without a break; what the checkpoint covers needs no record any more; what lies behind a break is no log and has to
 * go, and replicas bring it back: every log that may have lost something is told so before it is opened for writing again.
 */
import { SyncError, type Namespace, type Seq } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { loggedCommits, markRestored, verifyNamespace } from '@rejoin/hub'
import {
  examineHubFolder,
  planHubRepair,
  type ExaminedHubFolder,
  type HubFindings,
  type HubRepairPlan,
} from '@rejoin/persistence-level/node'
import { impossible, type RepairedNamespace, type RepairManner } from './repair-report.ts'
import { systemClock } from './system-clock.ts'

type Store = ExaminedHubFolder['store']
type Changing = Extract<HubRepairPlan, { state: object }>

export async function repairHubFolder(
  data: string,
  manner: RepairManner,
): Promise<readonly RepairedNamespace[]> {
  let folder = await examineHubFolder(data)
  try {
    const results: RepairedNamespace[] = []
    const { fault } = folder
    if (fault !== null) {
      results.push(storeResult(fault, manner))
      if (manner.isDiscarding) {
        await salvageValue(folder.store, storeKey, manner)
        await manner.salvage.kept()
        await folder.close()
        folder = await examineHubFolder(data, 'accepts')
      }
    }
    const { names, fault: unreadable } = await folder.namespaces()
    if (unreadable !== null) results.push(impossible(null, unreadable))
    if (manner.only !== null && !names.includes(manner.only))
      throw new SyncError('NAMESPACE_UNKNOWN', `${manner.only} does not exist on this hub`)
    // All are told where the store as a whole lost something, also those that nothing else is done to.
    const isEveryLogOlder = fault !== null && manner.isDiscarding
    for (const namespace of names) {
      if (manner.only !== null && manner.only !== namespace && !isEveryLogOlder) continue
      results.push(await repairNamespace(folder, namespace, manner, isEveryLogOlder))
    }
    return results
  } finally {
    await folder.close()
  }
}

const storeKey = 'hub!store'

function storeResult(fault: SyncError, { isDiscarding }: RepairManner): RepairedNamespace {
  return {
    namespace: null,
    outcome: isDiscarding ? 'repaired' : 'needs discard',
    faults: [fault.message],
    steps: ['take what is there for an older state of this hub, as after restoring a backup'],
    commits: [],
    advice: isDiscarding
      ? 'let every replica sync: they bring back what they have of what was lost'
      : 'restore a backup if there is a newer one; or repair with --discard',
    verified: null,
  }
}

async function repairNamespace(
  folder: ExaminedHubFolder,
  namespace: Namespace,
  manner: RepairManner,
  isOlder: boolean,
): Promise<RepairedNamespace> {
  const { store } = folder
  let findings: HubFindings
  try {
    findings = await store.findings(namespace)
  } catch (error) {
    if (error instanceof SyncError && isDamage(error)) return impossible(namespace, error)
    throw error
  }
  const plan = planHubRepair(findings)
  const faults = findings.damaged.map(({ message }) => message)
  switch (plan.kind) {
    case 'impossible':
      return lost(namespace, plan.why, faults)
    case 'whole':
      if (!isOlder || (await store.state(namespace)) !== 'present') return whole(namespace)
      return await finished(store, namespace, { faults, steps: [], commits: [] }, true)
    case 'mend':
    case 'cut':
      return await change(folder, findings, plan, faults, manner, isOlder)
  }
}

async function change(
  { fault, store }: ExaminedHubFolder,
  findings: HubFindings,
  plan: Changing,
  faults: readonly string[],
  manner: RepairManner,
  isOlder: boolean,
): Promise<RepairedNamespace> {
  const { namespace } = findings
  const steps = stepsOf(findings, plan)
  const cut = await readRecords(store, namespace, plan.cut)
  const commits = cut.flatMap((record) => record.commits)
  const isWaiting = plan.kind === 'cut' || (fault !== null && !isOlder)
  if (isWaiting && !manner.isDiscarding) {
    const advice = 'restore a backup, or repair with --discard: replicas that have it bring it back'
    return { namespace, outcome: 'needs discard', faults, steps, commits, advice, verified: null }
  }
  for (const { path } of findings.damaged) if (path !== null) await salvageValue(store, path, manner)
  for (const { key, commits: names } of cut) await salvageValue(store, key, manner, { commits: names })
  await manner.salvage.kept()
  await store.mend({ namespace, state: plan.state, cut: plan.cut, damaged: findings.damaged })
  const before = findings.state?.kind === 'present' ? findings.state : null
  const isShorter = plan.state.head !== before?.head || plan.state.floor === plan.state.head
  // Closed and whole: an earlier repair may have ended between its steps.
  const mayHaveLost = isOlder || plan.kind === 'cut' || isShorter || findings.damaged.length === 0
  return await finished(store, namespace, { faults, steps, commits }, mayHaveLost)
}

type Done = Pick<RepairedNamespace, 'faults' | 'steps' | 'commits'>

/** Told what it may have lost, then opened for writing: a crash between the two leaves it closed. */
async function finished(
  store: Store,
  namespace: Namespace,
  done: Done,
  mayHaveLost: boolean,
): Promise<RepairedNamespace> {
  if (mayHaveLost) {
    const [marked] = await markRestored(store, yjsCrdt.updates, systemClock, [namespace])
    if (marked?.error) return { ...impossible(namespace, marked.error), ...done }
  }
  await store.reopen(namespace)
  const verified = await verifyNamespace(store, yjsCrdt.updates, namespace)
  if (verified.faults.length > 0)
    return { ...lost(namespace, 'it is not sound afterwards', done.faults), verified }
  const advice = mayHaveLost
    ? 'let every replica sync: they bring back what they have of what was lost'
    : null
  return { namespace, outcome: 'repaired', ...done, advice, verified }
}

function stepsOf(findings: HubFindings, { kind, state, cut }: Changing): readonly string[] {
  const steps: string[] = []
  const before = findings.state?.kind === 'present' ? findings.state : null
  if (before === null) steps.push('make its state anew of what is there')
  if (before !== null && before.checkpoint !== state.checkpoint)
    steps.push(
      state.checkpoint === 0
        ? `do without the checkpoint at ${before.checkpoint}: the log is whole from its beginning`
        : `go back from the checkpoint at ${before.checkpoint} to the one at ${state.checkpoint}: the log is whole from there`,
    )
  if (before === null || state.floor > before.floor)
    steps.push(`drop the records up to ${state.floor}, which the checkpoint at ${state.checkpoint} covers`)
  if (kind === 'cut') {
    const behind = cut.length === 0 ? 'nothing that can be read' : `${cut.length} records that can be read`
    steps.push(`end the log at ${state.head}; behind the damage there is ${behind}`)
  }
  return [...steps, 'open it for writing']
}

interface ReadRecord {
  readonly key: string
  readonly commits: readonly string[]
}

/** The records at these seqs: each can be read, whatever lies before it. */
async function readRecords(
  store: Store,
  namespace: Namespace,
  seqs: readonly Seq[],
): Promise<readonly ReadRecord[]> {
  const records: ReadRecord[] = []
  for (const seq of seqs) {
    const body = await store.record(namespace, seq)
    records.push({ key: body.key, commits: commitsIn(body.body, `${namespace}: log record ${seq}`) })
  }
  return records
}

function commitsIn(body: Uint8Array, where: string): readonly string[] {
  try {
    return loggedCommits(body, where)
  } catch {
    // Its bytes are what was stored; what they mean nobody knows here.
    return []
  }
}

async function salvageValue(
  store: Store,
  key: string,
  { salvage }: RepairManner,
  what: object = {},
): Promise<void> {
  const sealed = await store.raw(key)
  if (sealed !== null) await salvage.add(key, sealed, what)
}

function whole(namespace: Namespace): RepairedNamespace {
  return { namespace, outcome: 'whole', faults: [], steps: [], commits: [], advice: null, verified: null }
}

function lost(namespace: Namespace, why: string, faults: readonly string[]): RepairedNamespace {
  return { ...impossible(namespace, new SyncError('STORE_CORRUPT', why)), faults: [...faults, why] }
}

function isDamage({ code }: SyncError): boolean {
  return code === 'STORE_CORRUPT' || code === 'FORMAT_TOO_NEW'
}
