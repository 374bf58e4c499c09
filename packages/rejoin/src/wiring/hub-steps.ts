/** What a repair of a hub's namespace does, in words. */
import type { Seq } from '@rejoin/core'
import type { HubFindings, HubRepairPlan } from '@rejoin/persistence-level/node'
import type { LostSeqs } from './repair-report.ts'

/** Replicas are told by it to bring back what they have. */
export const toldStep =
  'note in its log that it may have lost something: it goes on far behind every seq that was given'

/** Of a plan that leaves something of the log as it is. @param mayHaveLost whether its log is told so */
export function stepsOf(
  findings: HubFindings,
  { kind, state, cut }: Extract<HubRepairPlan, { state: object }>,
  mayHaveLost: boolean,
): readonly string[] {
  const steps: string[] = []
  const before = findings.state?.kind === 'present' ? findings.state : null
  if (before === null)
    steps.push(`make its state anew of what is there; if its log went on after ${state.head}, that is lost`)
  if (before !== null && before.checkpoint !== state.checkpoint)
    steps.push(
      state.checkpoint === 0
        ? `do without the checkpoint at ${before.checkpoint}: the log is whole from its beginning`
        : `go back from the checkpoint at ${before.checkpoint} to the one at ${state.checkpoint}, which the log reaches back to`,
    )
  if (state.floor > (before?.floor ?? 0))
    steps.push(`drop the records up to ${state.floor}, which the checkpoint at ${state.checkpoint} covers`)
  if (kind === 'cut') {
    const lost = { from: state.head + 1, to: highestOf(findings) }
    steps.push(`end the log at ${state.head}: ${lostText(lost)}; ${behindText(cut)}`)
  }
  if (mayHaveLost) steps.push(toldStep)
  return [...steps, 'open it for writing']
}

/** The highest seq of which anything is known; 0 where nothing is. */
export function highestOf({ state, newest }: HubFindings): Seq {
  return Math.max(newest, state?.kind === 'present' ? state.head : 0)
}

export function lostText({ from, to }: LostSeqs): string {
  if (from > to) return 'up to where it went nobody knows'
  return from === to ? `what was logged at ${from} is lost` : `what was logged from ${from} to ${to} is lost`
}

export function behindText(cut: readonly Seq[]): string {
  if (cut.length === 0) return 'behind the damage there is nothing that can be read'
  return cut.length === 1
    ? 'behind the damage there is 1 record that can be read'
    : `behind the damage there are ${cut.length} records that can be read`
}
