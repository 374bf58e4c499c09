/**
 * Repairing a hub's folder, namespace by namespace. From the newest checkpoint that can be read the log is taken as far as it
 * goes without a break; what the checkpoint covers needs no record any more; what lies behind a break is no log and has to
 * go, and replicas bring it back: every log that may have lost something is told so before it is opened for writing again.
 * Where nothing can be gone on from, the log begins anew. What a plan ends in is looked at before anything is touched.
 */
import { assert, SyncError, type Namespace, type Seq } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { beginLost, markRestored, verifyNamespace } from '@rejoin/hub'
import {
  examineHubFolder,
  type ExaminedHubFolder,
  type HubFindings,
  type HubRepairPlan,
} from '@rejoin/persistence-level/node'
import { planSoundly, type SoundPlan } from './hub-planning.ts'
import { newestPlace, readRecords, salvageAll } from './hub-salvage.ts'
import { behindText, highestOf, lostText, stepsOf, toldStep } from './hub-steps.ts'
import {
  impossible,
  untouched,
  type LostSeqs,
  type RepairedNamespace,
  type RepairManner,
} from './repair-report.ts'
import { systemClock } from './system-clock.ts'

type Store = ExaminedHubFolder['store']

export async function repairHubFolder(
  data: string,
  manner: RepairManner,
): Promise<readonly RepairedNamespace[]> {
  let folder = await examineHubFolder(data, 'mends')
  manner.hear(folder.found, data, 'hub')
  try {
    const results: RepairedNamespace[] = []
    const { fault } = folder
    if (fault !== null) {
      results.push(storeResult(fault, manner))
      if (manner.isDiscarding) {
        await salvageAll(folder.store, [], [], ['hub!store'], manner)
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

// Only of a backup, or where tables were lost besides: any other database was made anew before. Deleting in place would leave
// the table that LevelDB cannot read where it is, and it would meet it again.
const unreadableAdvice =
  'LevelDB cannot read some of this folder: `rejoin restore` makes a new one of it, also of a folder that is no backup, with ' +
  'all that can be read; repair that one, and serve it; or restore a backup'

function storeResult(fault: SyncError, { isDiscarding }: RepairManner): RepairedNamespace {
  return {
    ...untouched(null),
    outcome: isDiscarding ? 'repaired' : 'needs discard',
    faults: [fault.message],
    steps: ['take what is there for an older state of this hub, as after restoring a backup'],
    advice: isDiscarding ? syncAdvice : 'restore a backup if there is a newer one; or repair with --discard',
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
  let sound: SoundPlan
  try {
    findings = await store.findings(namespace)
    sound = await planSoundly(store, findings)
  } catch (error) {
    if (!(error instanceof SyncError) || !isDamage(error)) throw error
    const result = impossible(namespace, error)
    return error.code === 'STORE_CORRUPT' ? { ...result, advice: unreadableAdvice } : result
  }
  const { plan } = sound
  const faults = [...findings.damaged.map(({ message }) => message), ...sound.faults]
  switch (plan.kind) {
    case 'whole':
      if (!isOlder || (await store.state(namespace)) !== 'present') return untouched(namespace)
      return await finished(store, { ...untouched(namespace), faults, steps: [toldStep] }, true)
    case 'begin':
      return await begin(store, findings, plan, faults, manner)
    case 'mend':
    case 'cut':
      return await change(folder, findings, sound, faults, manner, isOlder)
  }
}

/** Nothing is left that anything could go on from: the log begins anew, and says of all before that it is lost. */
async function begin(
  store: Store,
  findings: HubFindings,
  { last, cut }: Extract<HubRepairPlan, { kind: 'begin' }>,
  faults: readonly string[],
  manner: RepairManner,
): Promise<RepairedNamespace> {
  const { namespace, damaged, checkpointParts } = findings
  const records = await readRecords(store, namespace, cut)
  const place = (await newestPlace(store, findings, records)) ?? (await manner.placeOf(namespace))
  const lost: LostSeqs = { from: 1, to: last }
  const how =
    place === null
      ? 'forget it, since nothing that is left says what it was: it is as one that never was, and who comes first begins it'
      : `begin its log anew, of the domain ${place.domain}`
  const result: RepairedNamespace = {
    ...untouched(namespace),
    faults:
      faults.length > 0 ? faults : ['its log can be read neither from a checkpoint nor from its beginning'],
    steps: [`${how}: ${lostText(lost)}; ${behindText(cut)}`, 'open it for writing'],
    commits: records.flatMap(({ commits }) => commits),
    lost,
  }
  if (!manner.isDiscarding) return { ...result, outcome: 'needs discard', advice: beginAdvice }
  const parts = checkpointParts.map(({ key }) => key)
  await salvageAll(store, damaged, records, parts, manner)
  if (place === null) {
    await store.mend({ namespace, state: null, cut, damaged, mayHaveLost: true })
    await store.reopen(namespace)
    return { ...result, outcome: 'repaired', advice: forgottenAdvice }
  }
  const first = beginLost(place, last, systemClock)
  const state = { kind: 'present', head: first.seq, floor: 0, checkpoint: 0 } as const
  // The record that it begins with says so itself.
  await store.mend({ namespace, state, cut, damaged, mayHaveLost: false, first: first.bytes })
  const done = await finished(store, result, false)
  return done.outcome === 'repaired' ? { ...done, advice: syncAdvice } : done
}

const beginAdvice =
  'restore a backup; or repair with --discard: all that is there of it is saved beside the folder and taken out, its log ' +
  'begins anew behind every seq that it had, and replicas bring back what they have: at their next sync, or at once from ' +
  'the folder of one with --from FOLDER'

// Epochs do not mix, and who comes first draws one.
const forgottenAdvice =
  'let a replica that has all of it be the first to sync, or repair with --from FOLDER, the folder of one: it brings back ' +
  'what it has, and the others after it. Where one that is new comes first, those that have it are refused, and keep what ' +
  'they have. If the namespace had been deleted, a replica that still has it brings it back as well'

const syncAdvice = 'let every replica sync: they bring back what they have of what was lost'

const perhapsAdvice = 'let every replica sync: if anything was lost, they bring back what they have of it'

async function change(
  { fault, store }: ExaminedHubFolder,
  findings: HubFindings,
  sound: SoundPlan,
  faults: readonly string[],
  manner: RepairManner,
  isOlder: boolean,
): Promise<RepairedNamespace> {
  const { plan, misfits } = sound
  assert(plan.kind === 'mend' || plan.kind === 'cut', 'there is something to change')
  const { namespace, checkpointParts, damaged } = findings
  const { state, cut } = plan
  const records = await readRecords(store, namespace, cut)
  const isUntold = (await store.untold()).includes(namespace)
  const mayHaveLost = isOlder || isUntold || isPerhapsShorter(findings, plan)
  const result: RepairedNamespace = {
    ...untouched(namespace),
    faults,
    steps: stepsOf(findings, plan, mayHaveLost),
    commits: records.flatMap(({ commits }) => commits),
    lost: plan.kind === 'cut' ? { from: state.head + 1, to: highestOf(findings) } : null,
  }
  const isWaiting = plan.kind === 'cut' || (fault !== null && !isOlder)
  if (isWaiting && !manner.isDiscarding) return { ...result, outcome: 'needs discard', advice: discardAdvice }
  const covered = await readRecords(store, namespace, coveredBy(sound, findings))
  // Older ones go as they would have anyway.
  const dropped = checkpointParts.filter(({ seq }) => seq > state.checkpoint || misfits.checkpoints.has(seq))
  const parts = dropped.map(({ key }) => key)
  await salvageAll(store, damaged, [...records, ...covered], parts, manner)
  await store.mend({ namespace, state, cut, damaged, mayHaveLost })
  return await finished(store, result, mayHaveLost)
}

/** Whether the log may have gone on, once, behind where it ends then: where its state is read and its head stays, it has not. */
function isPerhapsShorter(
  { state: before, damaged }: HubFindings,
  { kind, state }: Extract<HubRepairPlan, { state: object }>,
): boolean {
  if (kind === 'cut' || before?.kind !== 'present') return true
  if (state.head !== before.head || state.floor === state.head) return true
  // Closed, and nothing is wrong with it: why, nobody can see any more.
  return damaged.length === 0 && state.floor === before.floor && state.checkpoint === before.checkpoint
}

/** Records that can be read and go though they are not behind the new head: what is below a floor that was known went before. */
function coveredBy({ plan, misfits }: SoundPlan, { state, records }: HubFindings): readonly Seq[] {
  if (plan.kind === 'whole' || plan.kind === 'begin') return []
  const floorKnown = state?.kind === 'present' ? state.floor : 0
  const isGoing = (seq: Seq): boolean =>
    (seq > floorKnown && seq <= plan.state.floor) || misfits.records.has(seq)
  return records.flatMap(({ seq }) => (isGoing(seq) && !plan.cut.includes(seq) ? [seq] : []))
}

const discardAdvice = 'restore a backup, or repair with --discard: replicas that have it bring it back'

/** Told what it may have lost, then opened for writing: a crash between the two leaves it closed. */
async function finished(
  store: Store,
  result: RepairedNamespace,
  mayHaveLost: boolean,
): Promise<RepairedNamespace> {
  const { namespace } = result
  assert(namespace !== null, 'a namespace is finished, and not the folder')
  if (mayHaveLost) {
    const [marked] = await markRestored(store, yjsCrdt.updates, systemClock, [namespace])
    if (marked?.error) return unfinished(result, marked.error.message)
  }
  await store.reopen(namespace)
  const verified = await verifyNamespace(store, yjsCrdt.updates, namespace)
  const [fault] = verified.faults
  if (fault !== undefined) return { ...unfinished(result, fault.message), verified }
  const advice = !mayHaveLost ? null : result.lost === null ? perhapsAdvice : syncAdvice
  return { ...result, outcome: 'repaired', advice, verified }
}

/** What was tried before makes a log that is sound: so this is a fault of ours, and the next repair finds it as damage. */
function unfinished(result: RepairedNamespace, why: string): RepairedNamespace {
  const advice = 'repair it again; what was taken out is saved beside the folder'
  return {
    ...result,
    outcome: 'impossible',
    faults: [...result.faults, `it is not sound afterwards: ${why}`],
    advice,
  }
}

function isDamage({ code }: SyncError): boolean {
  return code === 'STORE_CORRUPT' || code === 'FORMAT_TOO_NEW'
}
