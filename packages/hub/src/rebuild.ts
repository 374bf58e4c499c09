/**
 * Rebuilding a document, offline: a new epoch made of the live entries alone, free of tombstones and old client ids
 * (DESIGN section 7). First the log records it with the content's digest, then a checkpoint replaces the marks: between
 * the two, the log alone tells how to go on, and whoever opens the namespace next does so.
 */
import {
  assert,
  SyncError,
  type Clock,
  type CrdtUpdates,
  type Epoch,
  type HubStore,
  type Namespace,
  type Seq,
} from '@rejoin/core'
import { documentBefore, readCheckpoint } from './document.ts'
import { openLog } from './opening.ts'
import { encodeRecord } from './record.ts'
import { retrying } from './waiting.ts'

export interface Rebuilt {
  readonly epoch: Epoch
  readonly seq: Seq
  readonly digest: string
  readonly snapshotBytes: number
}

/**
 * Starts a new epoch. Replicas of the old one are reset when they come back, and their outboxes recommitted.
 * @throws SyncError NAMESPACE_UNKNOWN, NAMESPACE_DELETED, STORE_CORRUPT, or what the store throws.
 */
export async function rebuildNamespace(
  store: HubStore,
  updates: CrdtUpdates,
  namespace: Namespace,
  clock: Clock,
): Promise<Rebuilt> {
  for (;;) {
    const { marks } = await retrying(clock, () => openLog(store, updates, namespace))
    if (marks === null) throw new SyncError('NAMESPACE_UNKNOWN', `${namespace} does not exist on this hub`)
    const { parts } = await documentBefore(store, updates, namespace, marks.head.seq)
    const { domain, head } = marks
    const epoch = marks.epoch + 1
    const digest = updates.digest(parts)
    const { bytes } = encodeRecord(head.tag, { kind: 'rebuild', epoch, domain, digest })
    const result = await retrying(clock, () => store.append(namespace, head.seq, bytes))
    // Somebody was faster, or it was our own append whose outcome we did not hear: what is there now decides.
    if (result.kind === 'moved' && (await openLog(store, updates, namespace)).marks?.epoch !== epoch) continue
    await retrying(clock, () => openLog(store, updates, namespace))
    const checkpoint = await readCheckpoint(store, namespace)
    assert(checkpoint !== null, 'opening completed the rebuild')
    return { epoch, seq: checkpoint.seq, digest, snapshotBytes: checkpoint.stored.snapshotBytes }
  }
}
