/**
 * The second half of a rebuild: the checkpoint that its log record announced. What it holds follows from the log before
 * the record alone, so whoever opens the namespace may install it, and twice is as good as once.
 */
import { type CrdtUpdates, type HubStore, type Namespace } from '@rejoin/core'
import { documentBefore } from './document.ts'
import { Marks } from './marks.ts'
import { corrupt } from './record.ts'
import { encodeMarks } from './stored-marks.ts'

/** Installs the checkpoint of the first rebuild after the newest one, and drops what came before. */
export async function completeRebuild(
  store: HubStore,
  updates: CrdtUpdates,
  namespace: Namespace,
): Promise<void> {
  const { parts, marks, rebuild } = await documentBefore(store, updates, namespace)
  if (rebuild === null || rebuild.record.kind !== 'rebuild') return
  const where = `${namespace}: the rebuild at ${rebuild.seq}`
  if (marks === null) throw corrupt(where, 'has nothing before it')
  const { snapshot, digest } = updates.rebuild(parts)
  if (digest !== rebuild.record.digest) throw corrupt(where, 'was made of other content than the log holds')
  const clients = [...updates.clocks(snapshot)].map(
    ([client, clock]) => [client, { clock, owner: null }] as const,
  )
  const fresh = new Marks({
    epoch: rebuild.record.epoch,
    domain: rebuild.record.domain,
    began: rebuild.seq,
    head: rebuild,
    replicas: marks.parts().replicas,
    clients: new Map(clients),
  })
  await store.installCheckpoint(namespace, {
    seq: rebuild.seq,
    marks: encodeMarks(fresh, snapshot),
    snapshot,
  })
  await store.trim(namespace, rebuild.seq)
}
