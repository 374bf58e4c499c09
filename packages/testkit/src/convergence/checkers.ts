/**
 * What must be true once everyone has exchanged everything. A convergence check alone forgives duplicates and lost
 * acknowledgements, so commits are counted by id as well (DESIGN section 9).
 */
import type { Observation, ReplicaObservation } from './world.ts'

/** A rule that was broken: its number in `docs/SPEC.md`, and what was seen. */
export interface Finding {
  readonly rule: number
  readonly what: string
}

export function checkSettled(observation: Observation): readonly Finding[] {
  return [
    ...checkEqual(observation.replicas),
    ...observation.replicas.flatMap(checkQuiet),
    ...checkOnce(observation),
    ...checkNothingLost(observation),
  ]
}

function checkEqual(replicas: readonly ReplicaObservation[]): readonly Finding[] {
  const findings: Finding[] = []
  const [first, ...others] = replicas
  for (const [i, other] of others.entries()) {
    const pair = `replicas 0 and ${i + 1}`
    if (first === undefined) continue
    const difference = firstDifference(first.content, other.content)
    if (difference !== null) findings.push({ rule: 1, what: `${pair} read different content: ${difference}` })
    if (first.conflicts !== other.conflicts) {
      findings.push({
        rule: 1,
        what: `${pair} list different conflicts: ${first.conflicts} and ${other.conflicts}`,
      })
    }
    if (first.encoding !== other.encoding) {
      findings.push({ rule: 1, what: `${pair} encode differently: ${first.encoding} and ${other.encoding}` })
    }
  }
  return findings
}

function checkQuiet(replica: ReplicaObservation, i: number): readonly Finding[] {
  const findings: Finding[] = []
  if (replica.waiting > 0)
    findings.push({ rule: 1, what: `replica ${i} has ${replica.waiting} updates waiting for others` })
  if (replica.outbox.length > 0) {
    findings.push({
      rule: 4,
      what: `replica ${i} still has unacknowledged commits: ${replica.outbox.join(', ')}`,
    })
  }
  return findings
}

function checkOnce({ logged }: Observation): readonly Finding[] {
  const seen = new Set<string>()
  const twice = new Set<string>()
  for (const id of logged) (seen.has(id) ? twice : seen).add(id)
  return [...twice].map((id) => ({ rule: 5, what: `commit ${id} is in the log more than once` }))
}

function checkNothingLost({ accepted, acknowledged, logged, replicas }: Observation): readonly Finding[] {
  const log = new Set(logged)
  const rejected = new Set(replicas.flatMap((replica) => replica.rejected))
  const findings: Finding[] = []
  for (const id of acknowledged) {
    if (!log.has(id)) findings.push({ rule: 3, what: `commit ${id} was acknowledged and is not in the log` })
  }
  for (const id of accepted) {
    if (!log.has(id) && !rejected.has(id))
      findings.push({ rule: 4, what: `commit ${id} was accepted and is nowhere` })
  }
  for (const id of log) {
    if (rejected.has(id)) findings.push({ rule: 11, what: `commit ${id} was rejected and is in the log` })
  }
  return findings
}

function firstDifference(a: readonly string[], b: readonly string[]): string | null {
  const length = Math.max(a.length, b.length)
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) return `${a[i] ?? '(nothing)'} against ${b[i] ?? '(nothing)'}`
  }
  return null
}
