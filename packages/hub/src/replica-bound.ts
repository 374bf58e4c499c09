/**
 * How many replica ids a namespace may know, and one principal in it. Each leaves a mark for ever, which is how a resend is
 * recognised, and also one whose commits bring no bytes: so no other bound stops whoever draws id after id. At the bound the
 * commit of a new one is refused, to be sent again later; known ones go on, and nobody is kept from reading (decision 0012).
 */
import { limits, SyncError, type Clock, type Namespace, type ReplicaId } from '@rejoin/core'
import { type HubLog } from './log-event.ts'
import { type Marks } from './marks.ts'
import { type Principal } from './principal.ts'

export interface ReplicaLimits {
  readonly replicasMax: number
  readonly replicasPerPrincipalMax: number
}

/** Somebody's replica, in whose name something came. */
export interface Newcomer {
  readonly namespace: Namespace
  readonly replica: ReplicaId
  readonly principal: Pick<Principal, 'id' | 'name'>
}

/** @throws SyncError INPUT_INVALID */
export function replicaLimitsOf(given: Partial<ReplicaLimits> = {}): ReplicaLimits {
  const { replicasMax = limits.replicasMax } = given
  const { replicasPerPrincipalMax = limits.replicasPerPrincipalMax } = given
  for (const count of [replicasMax, replicasPerPrincipalMax]) {
    if (Number.isSafeInteger(count) && count >= 1) continue
    throw new SyncError('INPUT_INVALID', `a namespace knows at least 1 replica id at most, not ${count}`)
  }
  return { replicasMax, replicasPerPrincipalMax }
}

/**
 * Why there is no mark for this replica, or null where it has one or gets one.
 * @param marks with what was admitted and waits for its append; null while the namespace does not exist.
 */
export function newReplicaRefusal(
  { namespace, replica, principal }: Newcomer,
  marks: Marks | null,
  { replicasMax, replicasPerPrincipalMax }: ReplicaLimits,
): SyncError | null {
  if (marks === null || marks.markOf(replica) !== null) return null
  if (marks.replicaCount >= replicasMax) {
    const all = `${namespace} knows ${marks.replicaCount} replica ids, and keeps at most ${replicasMax}`
    return full(all, 'its limit (replicas)', 'use another namespace')
  }
  const own = marks.replicasOf(principal.id)
  if (own < replicasPerPrincipalMax) return null
  const whose = `${own} replica ids of ${namespace} are ${principal.name}'s, and of one principal it keeps at most ${replicasPerPrincipalMax}`
  return full(whose, 'the limit (replicasPerPrincipal)', 'go on in a folder that has synced before')
}

/** Of one namespace its operator is told this seldom: whoever is refused comes again. */
const TOLD_EVERY_MS = 60 * 60 * 1000

/** Tells the operator that new replicas are refused: of each namespace once in a while, however many they are. */
export class ReplicaRefusals {
  readonly #clock: Clock
  readonly #log: HubLog
  readonly #toldAt = new Map<Namespace, number>()

  constructor(clock: Clock, log: HubLog) {
    this.#clock = clock
    this.#log = log
  }

  tell(namespace: Namespace, { code, message }: SyncError): void {
    const now = this.#clock.now()
    // Clocks go back.
    for (const [told, at] of this.#toldAt) if (Math.abs(now - at) >= TOLD_EVERY_MS) this.#toldAt.delete(told)
    if (this.#toldAt.has(namespace)) return
    this.#toldAt.set(namespace, now)
    const what = `commits of new replicas are refused (${code}; told once an hour)`
    this.#log({ level: 'warn', namespace, message: `${what}: ${message}` })
  }
}

function full(what: string, limit: string, otherwise: string): SyncError {
  const how = `${otherwise}, or have the operator raise ${limit} or forget old ones (rejoin rebuild --forget-replicas 90d)`
  return new SyncError(
    'DOCUMENT_TOO_LARGE',
    `${what}; the commit of a new one is kept and sent again, as soon as there is room: ${how}`,
  )
}
