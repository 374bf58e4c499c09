/** What must be true after every single step, checked on what a glance shows and on what the step before it showed. */
import type { Cursor } from '@rejoin/core'
import type { Finding } from './finding.ts'
import { opsText } from './step-text.ts'
import type { Attempt, Glance, ReplicaGlance, StepOutcome } from './world.ts'

/** The rule that a hub admits what an honest replica accepted. */
const ADMITTED = 24

export class Watch {
  readonly #cursors: (Cursor | null)[] = []

  /** What a step of a replica's own says about it. */
  checkOutcome(outcome: StepOutcome): readonly Finding[] {
    if (outcome.kind === 'tried')
      return outcome.attempts.flatMap((attempt) => [
        ...checkExplained(attempt),
        ...this.checkOutcome(attempt.outcome),
      ])
    if (outcome.kind === 'picked') return this.checkOutcome(outcome.outcome)
    if (outcome.kind === 'refused' && outcome.leftTrace) {
      return [{ rule: 12, what: `an op was refused with ${outcome.refusal.code} and changed the document` }]
    }
    if (outcome.kind === 'gone')
      return [{ rule: 4, what: `replica ${outcome.replica} cannot be opened again: ${outcome.error}` }]
    if (outcome.kind !== 'commit') return []
    const crowded = outcome.crowded.map((line) => ({
      rule: 20,
      what: `commit ${outcome.name} left ${line} beside its own entry`,
    }))
    if (outcome.again !== 'changed') return crowded
    return [...crowded, { rule: 2, what: `the op of commit ${outcome.name} changes something once more` }]
  }

  checkGlance(glance: Glance): readonly Finding[] {
    const replicas = glance.replicas.flatMap((replica, i) => this.#checkReplica(replica, i))
    const refused = glance.refused.map((what) => ({ rule: ADMITTED, what: `the hub refused ${what}` }))
    return [...replicas, ...refused, ...checkLog(glance)]
  }

  /** Once nothing moves and everything works: whoever is live is where the log is. */
  checkRest(glance: Glance): readonly Finding[] {
    return glance.replicas.flatMap((replica, i): readonly Finding[] => {
      if (!replica.live) return []
      const error = replica.lastError === null ? '' : ` (${replica.lastError})`
      if (replica.state !== 'live')
        return [{ rule: 21, what: `live replica ${i} is ${replica.state}${error}` }]
      const seq = replica.cursor?.seq ?? 0
      if (seq !== glance.head)
        return [{ rule: 21, what: `live replica ${i} stands at ${seq} of ${glance.head}${error}` }]
      if (replica.outbox === 0) return []
      return [{ rule: 21, what: `live replica ${i} keeps ${replica.outbox} commits in its outbox${error}` }]
    })
  }

  #checkReplica({ cursor, unplaced, strays }: ReplicaGlance, i: number): readonly Finding[] {
    const findings: Finding[] = []
    const before = this.#cursors[i] ?? null
    this.#cursors[i] = cursor
    if (before !== null && cursor === null) findings.push({ rule: 6, what: `replica ${i} lost its cursor` })
    if (before?.epoch === cursor?.epoch && (before?.seq ?? 0) > (cursor?.seq ?? 0))
      findings.push({
        rule: 6,
        what: `the cursor of replica ${i} went back from ${before?.seq} to ${cursor?.seq}`,
      })
    if (unplaced > 0) findings.push({ rule: 1, what: `replica ${i} has ${unplaced} updates without a place` })
    for (const line of strays)
      findings.push({ rule: 11, what: `replica ${i} shows ${line} of a refused commit` })
    return findings
  }
}

function checkExplained({ ops, unexplained }: Attempt): readonly Finding[] {
  if (unexplained === null) return []
  return [{ rule: ADMITTED, what: `a hub would refuse ${opsText(ops)}: ${unexplained}` }]
}

function checkLog({ logged, acked }: Glance): readonly Finding[] {
  const seen = new Set<string>()
  const findings: Finding[] = []
  for (const name of logged) {
    if (seen.has(name)) findings.push({ rule: 5, what: `commit ${name} is in the log more than once` })
    seen.add(name)
  }
  for (const name of acked) {
    if (!seen.has(name))
      findings.push({ rule: 3, what: `commit ${name} was acknowledged and is not in the log` })
  }
  return findings
}
