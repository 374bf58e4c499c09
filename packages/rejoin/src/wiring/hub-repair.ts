/**
 * Repairing a hub's folder, namespace by namespace. From the newest checkpoint that can be read the log is taken as far as it
 * goes without a break; what the checkpoint covers needs no record any more; what lies behind a break is no log and has to
 * go, and replicas bring it back: every log that may have lost something is told so before it is opened for writing again.
 * What a plan ends in is looked at before anything is touched.
 */
import { SyncError, type Namespace, type Seq } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { beginLost, loggedCommits, markRestored, recordPlace, verifyNamespace } from '@rejoin/hub'
import {
  examineHubFolder,
  planHubRepair,
  type ExaminedHubFolder,
  type HubFindings,
  type HubRepairPlan,
} from '@rejoin/persistence-level/node'
import { rehearse } from './hub-rehearsal.ts'
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
    advice: isDiscarding ? syncAdvice : 'restore a backup if there is a newer one; or repair with --discard',
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
    case 'begin':
      return await begin(store, findings, plan, faults, manner)
    case 'mend':
    case 'cut':
      return await change(folder, findings, plan, faults, manner, isOlder)
  }
}

/** Nothing is left that anything could go on from: the log begins anew, and says of all before that it is lost. */
async function begin(
  store: Store,
  { namespace, damaged, checkpointKeys }: HubFindings,
  { last, cut }: Extract<HubRepairPlan, { kind: 'begin' }>,
  faults: readonly string[],
  manner: RepairManner,
): Promise<RepairedNamespace> {
  const behind = await readRecords(store, namespace, cut)
  const commits = behind.flatMap((record) => record.commits)
  const place = behind.at(-1)?.place ?? (await manner.placeOf(namespace))
  if (place === null) {
    const why =
      'its log cannot be read from its first record on, and no other record says which domain it is of'
    const advice =
      'restore a backup; or repair with --discard --from FOLDER, the folder of a replica that has this namespace'
    return { ...lost(namespace, why, faults), commits, advice }
  }
  const steps = [
    `begin its log anew, of the domain ${place.domain}; ${behindText(cut)}`,
    'open it for writing',
  ]
  if (!manner.isDiscarding) return { ...needsDiscard(namespace), faults, steps, commits, advice: beginAdvice }
  const first = beginLost(place, last, systemClock)
  for (const key of checkpointKeys) await salvageValue(store, key, manner)
  await salvageAll(store, damaged, behind, manner)
  const state = { kind: 'present', head: first.seq, floor: 0, checkpoint: 0 } as const
  await store.mend({ namespace, state, cut, damaged, first: first.bytes })
  const result = await finished(store, namespace, { faults, steps, commits }, false)
  return result.outcome === 'repaired' ? { ...result, advice: syncAdvice } : result
}

const beginAdvice =
  'restore a backup; or repair with --discard: all that is there of it is saved beside the folder and taken out, its log ' +
  'begins anew behind every seq that it had, and replicas bring back what they have: at their next sync, or at once from ' +
  'the folder of one with --from FOLDER'

const syncAdvice = 'let every replica sync: they bring back what they have of what was lost'

function needsDiscard(namespace: Namespace): RepairedNamespace {
  const advice = 'restore a backup, or repair with --discard: replicas that have it bring it back'
  return { namespace, outcome: 'needs discard', faults: [], steps: [], commits: [], advice, verified: null }
}

function behindText(cut: readonly Seq[]): string {
  if (cut.length === 0) return 'behind the damage there is nothing that can be read'
  return cut.length === 1
    ? 'behind the damage there is 1 record that can be read'
    : `behind the damage there are ${cut.length} records that can be read`
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
  const { faults: left } = await rehearse(store, findings, plan.state)
  if (left.length > 0) {
    const why = `what can be read of it makes no sound namespace: ${left.map(({ message }) => message).join('; ')}`
    return lost(namespace, why, faults)
  }
  const isWaiting = plan.kind === 'cut' || (fault !== null && !isOlder)
  if (isWaiting && !manner.isDiscarding) return { ...needsDiscard(namespace), faults, steps, commits }
  await salvageAll(store, findings.damaged, cut, manner)
  await store.mend({ namespace, state: plan.state, cut: plan.cut, damaged: findings.damaged })
  const before = findings.state?.kind === 'present' ? findings.state : null
  const isShorter = plan.state.head !== before?.head || plan.state.floor === plan.state.head
  // Closed and whole: an earlier repair may have ended between its steps.
  const isUntold = (await store.untold()).includes(namespace)
  const mayHaveLost = isOlder || isUntold || plan.kind === 'cut' || isShorter || findings.damaged.length === 0
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
  const advice = mayHaveLost ? syncAdvice : null
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
        : `go back from the checkpoint at ${before.checkpoint} to the one at ${state.checkpoint}, which the log reaches back to`,
    )
  if (before === null || state.floor > before.floor)
    steps.push(`drop the records up to ${state.floor}, which the checkpoint at ${state.checkpoint} covers`)
  if (kind === 'cut') steps.push(`end the log at ${state.head}; ${behindText(cut)}`)
  return [...steps, 'open it for writing']
}

interface ReadRecord {
  readonly key: string
  /** Null where its bytes are what was stored, and what they mean nobody knows here. */
  readonly place: ReturnType<typeof recordPlace> | null
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
    const { key, body } = await store.record(namespace, seq)
    const where = `${namespace}: log record ${seq}`
    records.push({
      key,
      place: nullWhereUnread(() => recordPlace(body, where)),
      commits: nullWhereUnread(() => loggedCommits(body, where)) ?? [],
    })
  }
  return records
}

function nullWhereUnread<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}

async function salvageAll(
  store: Store,
  damaged: readonly SyncError[],
  cut: readonly ReadRecord[],
  manner: RepairManner,
): Promise<void> {
  for (const { path } of damaged) if (path !== null) await salvageValue(store, path, manner)
  for (const { key, commits } of cut) await salvageValue(store, key, manner, { commits })
  await manner.salvage.kept()
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
