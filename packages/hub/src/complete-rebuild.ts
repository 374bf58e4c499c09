/**
 * The second half of a rebuild: the checkpoint that its log record announced. What it holds follows from the log before
 * the record alone, so whoever opens the namespace may install it, and twice is as good as once.
 */
import { type CrdtUpdates, type HubStore, type Namespace } from '@rejoin/core'
import { documentBefore } from './document.ts'
import { forgetReplicas } from './forgetting.ts'
import { verifiedRebuild, type HeavyWork, type VerifiedSnapshot } from './heavy-work.ts'
import { type LogEntry } from './log.ts'
import { Marks } from './marks.ts'
import { corrupt } from './record.ts'
import { encodeMarks } from './stored-marks.ts'

/** Installs the checkpoint of the first rebuild after the newest one, and drops what came before. */
export async function completeRebuild(
  store: HubStore,
  updates: CrdtUpdates,
  namespace: Namespace,
  heavy: HeavyWork,
): Promise<void> {
  const { parts, marks, rebuild } = await documentBefore(store, updates, namespace)
  if (rebuild === null) return
  const where = `${namespace}: the rebuild at ${rebuild.seq}`
  if (marks === null) throw corrupt(where, 'has nothing before it')
  await installRebuild(store, namespace, marks, rebuild, await verifiedRebuild(heavy, parts, where))
}

/**
 * Replace, then remove. The record itself stays as long as retention keeps it: replicas that stand right before it need no
 * snapshot.
 * @param before the marks at the record before the rebuild's.
 * @throws SyncError STORE_CORRUPT where the record tells of other content, or what the store throws.
 */
export async function installRebuild(
  store: HubStore,
  namespace: Namespace,
  before: Marks,
  { seq, tag, prev, record }: LogEntry,
  { snapshot, digest, clocks, hash }: VerifiedSnapshot,
): Promise<void> {
  if (record.kind !== 'rebuild' || digest !== record.digest) {
    throw corrupt(`${namespace}: the rebuild at ${seq}`, 'was made of other content than the log holds')
  }
  const { forgot } = record
  const clients = [...clocks].map(([client, clock]) => [client, { clock, owner: null }] as const)
  const fresh = new Marks({
    ...(forgot === null ? before : forgetReplicas(before, forgot)).parts(),
    epoch: record.epoch,
    began: seq,
    head: { seq, tag },
    clients: new Map(clients),
  })
  await store.installCheckpoint(namespace, {
    seq,
    marks: encodeMarks(fresh, snapshot, digest, hash),
    snapshot,
  })
  await store.trim(namespace, prev.seq)
}
