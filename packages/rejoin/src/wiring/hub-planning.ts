/**
 * Which repair of a namespace ends in one that is sound: each plan is tried on what stands there, before anything is touched,
 * and what turns out to make no sense, though it matches its checksum, is left out of the next one. In the end there is
 * always a plan, since a log can begin anew.
 */
import { SyncError, type Namespace } from '@rejoin/core'
import type { Fault } from '@rejoin/hub'
import {
  noMisfits,
  planHubRepair,
  type ExaminedHubFolder,
  type HubFindings,
  type HubRepairPlan,
  type Misfits,
} from '@rejoin/persistence-level/node'
import { rehearse, type Planned } from './hub-rehearsal.ts'

export interface SoundPlan {
  readonly plan: HubRepairPlan
  readonly misfits: Misfits
  /** What is wrong beside the values that do not match their checksums, each as a sentence. */
  readonly faults: readonly string[]
}

/** @throws SyncError FORMAT_TOO_NEW where a newer Rejoin wrote some of it: nothing of that is damage. */
export async function planSoundly(
  store: ExaminedHubFolder['store'],
  findings: HubFindings,
): Promise<SoundPlan> {
  let misfits = noMisfits
  const faults = new Set<string>()
  for (;;) {
    const plan = planHubRepair(findings, misfits)
    const planned = plannedState(findings, plan)
    if (planned === null) return { plan, misfits, faults: [...faults] }
    const report = await rehearse(store, findings, planned)
    if (report.faults.length === 0) return { plan, misfits, faults: [...faults] }
    refuseNewer(findings.namespace, report.faults)
    for (const { seq, message } of report.faults) faults.add(seq === null ? message : `at ${seq}: ${message}`)
    misfits = withMore(misfits, findings, planned, report.faults)
  }
}

/** What the namespace would be; null where nothing of it would be left, or nothing is there. */
function plannedState({ state }: HubFindings, plan: HubRepairPlan): Planned | null {
  if (plan.kind === 'begin') return null
  if (plan.kind !== 'whole') return plan.state
  return state?.kind === 'present' ? state : null
}

function refuseNewer(namespace: Namespace, faults: readonly Fault[]): void {
  const newer = faults.find(({ code }) => code === 'FORMAT_TOO_NEW')
  if (newer === undefined) return
  throw new SyncError('FORMAT_TOO_NEW', `${namespace}: ${newer.message}`)
}

/** With at least one more than before. */
function withMore(
  { records, checkpoints }: Misfits,
  findings: HubFindings,
  { floor, head, checkpoint }: Planned,
  faults: readonly Fault[],
): Misfits {
  const read = findings.records.filter(
    ({ seq }) => seq > floor && seq <= head && seq !== 0 && !records.has(seq),
  )
  if (checkpoint > 0 && faults.some(({ part }) => part === 'checkpoint'))
    return { records, checkpoints: new Set([...checkpoints, checkpoint]) }
  const named = new Set(faults.map(({ seq }) => seq))
  let unfit = read.filter(({ seq }) => named.has(seq))
  // Nobody knows which one it is; what the checkpoint has stays.
  if (unfit.length === 0) unfit = read.filter(({ seq }) => seq > checkpoint)
  if (unfit.length > 0) return { records: new Set([...records, ...unfit.map(({ seq }) => seq)]), checkpoints }
  if (checkpoint > 0) return { records, checkpoints: new Set([...checkpoints, checkpoint]) }
  return { records: new Set(findings.records.map(({ seq }) => seq)), checkpoints }
}
