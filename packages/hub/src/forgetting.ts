/**
 * Forgetting replicas that have not written for long, where an operator asks for it (decision 0012): their marks go with a
 * rebuild, whose record names them, and after which none of their items is left. Whoever comes back is told that nothing of its own is known, goes on under
 * its id from there, and logs again what it was never told to be in the log.
 */
import { parseHlc, type HubStore, type Namespace, type ReplicaId } from '@rejoin/core'
import { walkLog } from './log.ts'
import { Marks, type ReplicaMark } from './marks.ts'
import { isPlainReplica } from './plain-identity.ts'
import { type ForgottenReplicas } from './record.ts'

/**
 * Replicas whose last commit was both stamped and logged before `beforeMs`, milliseconds since 1970; null for none. Stamps
 * alone say when a person meant it, which may be long before it came here, and its ack may be on the way still.
 * @throws LogGap where the log is trimmed meanwhile, or what the store throws
 */
export async function replicasToForget(
  store: HubStore,
  namespace: Namespace,
  marks: Marks,
  beforeMs: number,
): Promise<ForgottenReplicas | null> {
  const recent = await loggedSince(store, namespace, beforeMs)
  const replicas = [...marks.parts().replicas]
    .filter(([replica, mark]) => !recent.has(replica) && isOlder(replica, mark, beforeMs))
    .map(([replica]) => replica)
  return replicas.length === 0 ? null : { before: beforeMs, replicas }
}

/** The marks without those of the replicas that a rebuild's record names. */
export function forgetReplicas(marks: Marks, { before, replicas }: ForgottenReplicas): Marks {
  const parts = marks.parts()
  const kept = new Map(parts.replicas)
  for (const replica of replicas) kept.delete(replica)
  return new Marks({ ...parts, replicas: kept, forgotBefore: Math.max(parts.forgotBefore, before) })
}

/** A plain client's counters are drawn here, and it has one id for each principal; of what a heal brought nobody knows when. */
function isOlder(replica: ReplicaId, { hlc }: ReplicaMark, beforeMs: number): boolean {
  return hlc !== null && parseHlc(hlc).ms < beforeMs && !isPlainReplica(replica)
}

/** Whose commits the log still holds that are not known to have been logged before. */
async function loggedSince(
  store: HubStore,
  namespace: Namespace,
  beforeMs: number,
): Promise<ReadonlySet<ReplicaId>> {
  const floor = (await store.heads([namespace])).get(namespace)?.floor ?? 0
  const recent = new Set<ReplicaId>()
  for await (const { record, at } of walkLog(store, namespace, { seq: floor, tag: null })) {
    if (record.kind !== 'commits' || (at !== null && at < beforeMs)) continue
    for (const { id } of record.commits) recent.add(id.replica)
  }
  return recent
}
