/**
 * What must be true once everyone has exchanged everything. A convergence check alone forgives duplicates and lost
 * acknowledgements, so commits are counted by id as well (DESIGN section 9).
 */
import type { AnyDomain } from '@rejoin/core'
import type { Finding } from './finding.ts'
import { checkEffects } from './effects.ts'
import type { Observation, ReplicaObservation } from './world.ts'

/** Of a list or an encoding in a finding: replaying shows it whole. */
const SHOWN_CHARS_MAX = 300

export function checkSettled(
  domain: AnyDomain,
  observation: Observation,
  newcomer: ReplicaObservation | null,
): readonly Finding[] {
  const { replicas, logFault } = observation
  const [first, ...others] = replicas
  if (first === undefined) return []
  return [
    ...(logFault === null ? [] : [{ rule: 13, what: `the log cannot be read: ${logFault}` }]),
    ...others.flatMap((other, i) => checkEqual(first, other, `replicas 0 and ${i + 1}`)),
    ...(newcomer === null ? [] : checkEqual(first, newcomer, 'replica 0 and a newcomer')),
    ...replicas.flatMap((replica, i) => checkQuiet(replica, `replica ${i}`)),
    ...replicas.flatMap((replica, i) => checkStored(replica, `replica ${i}`)),
    ...checkCommits(observation),
    ...checkEffects(observation),
  ]
}

function checkEqual(a: ReplicaObservation, b: ReplicaObservation, pair: string): readonly Finding[] {
  const findings: Finding[] = []
  const read = firstDifference(a.reads, b.reads)
  if (read !== null) findings.push({ rule: 1, what: `${pair} read different content: ${read}` })
  const entry = firstDifference(a.entries, b.entries)
  if (entry !== null) findings.push({ rule: 1, what: `${pair} hold different entries: ${entry}` })
  if (a.conflicts !== b.conflicts) {
    const lists = `${shortOf(a.conflicts)} and ${shortOf(b.conflicts)}`
    findings.push({ rule: 1, what: `${pair} list different conflicts: ${lists}` })
  }
  if (a.encoding !== b.encoding) {
    const encodings = `${shortOf(a.encoding)} and ${shortOf(b.encoding)}`
    findings.push({ rule: 1, what: `${pair} encode differently: ${encodings}` })
  }
  return findings
}

function checkQuiet(replica: ReplicaObservation, who: string): readonly Finding[] {
  const { waiting, outbox, lastError } = replica
  const findings: Finding[] = []
  if (waiting > 0) findings.push({ rule: 1, what: `${who} has ${waiting} updates waiting for others` })
  if (outbox.length > 0) {
    const why = lastError === null ? '' : ` (${lastError})`
    findings.push({ rule: 4, what: `${who} still has unacknowledged commits: ${outbox.join(', ')}${why}` })
  }
  return findings
}

/** A replica that only looks converged would be found out when it starts again. */
function checkStored({ entries, stored }: ReplicaObservation, who: string): readonly Finding[] {
  const difference = firstDifference(entries, stored)
  return difference === null
    ? []
    : [{ rule: 6, what: `${who} holds other entries than its store: ${difference}` }]
}

function checkCommits({ accepted, logged }: Observation): readonly Finding[] {
  const log = new Map<string, number>()
  for (const { name } of logged) log.set(name, (log.get(name) ?? 0) + 1)
  const findings: Finding[] = []
  for (const [name, times] of log)
    if (times > 1) findings.push({ rule: 5, what: `commit ${name} is in the log ${times} times` })
  for (const { name, saved, acked, fate } of accepted) {
    const isLogged = log.has(name)
    if (acked && !isLogged)
      findings.push({ rule: 3, what: `commit ${name} was acknowledged and is not in the log` })
    if (fate === 'open' && saved && !isLogged)
      findings.push({ rule: 4, what: `commit ${name} was accepted and is nowhere` })
    if (fate !== 'open' && isLogged)
      findings.push({ rule: 11, what: `commit ${name} was ${fate} and is in the log` })
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

function shortOf(text: string): string {
  return text.length <= SHOWN_CHARS_MAX
    ? text
    : `${text.slice(0, SHOWN_CHARS_MAX)}… (${text.length} characters)`
}
