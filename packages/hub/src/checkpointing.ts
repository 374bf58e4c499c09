/**
 * Folding the log into a checkpoint. Replace, then remove: the checkpoint is installed first, then the records that it
 * covers and retention does not keep are trimmed; a crash between the two leaves a log that is merely longer (St5). The
 * snapshot is never trusted: it must hold exactly the items that the marks, folded from the same log, say it holds.
 */
import {
  limits,
  SyncError,
  type ClientClocks,
  type CrdtUpdates,
  type DocumentWeight,
  type Epoch,
  type HubStore,
  type LogRange,
  type Namespace,
  type Seq,
} from '@rejoin/core'
import { documentBefore, readCheckpoint } from './document.ts'
import { type HeavyWork } from './heavy-work.ts'
import { LogGap, walkLog } from './log.ts'
import { type Marks } from './marks.ts'
import { trimmableUpTo, type RecordSize, type Retention } from './retention.ts'
import { encodeMarks } from './stored-marks.ts'

export interface Checkpointed {
  readonly seq: Seq
  readonly snapshotBytes: number
  readonly floor: Seq
  /** Bytes of the records after it. */
  readonly bytesAfter: number
  /** Null where it was there already, or a newer one. */
  readonly weighed: WeighedDocument | null
}

/** What a snapshot weighs, and of which epoch it is. */
export interface WeighedDocument {
  readonly epoch: Epoch
  readonly weight: DocumentWeight
}

/**
 * Folds the log up to its head. Where the newest checkpoint is there already, only trims.
 * @throws SyncError NAMESPACE_UNKNOWN, HUB_INTERNAL for a snapshot that is not what the log says, STORE_CORRUPT, or what
 * the store throws.
 */
export async function checkpointNamespace(
  store: HubStore,
  updates: CrdtUpdates,
  heavy: HeavyWork,
  namespace: Namespace,
  retention: Retention,
): Promise<Checkpointed> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await foldAndTrim(store, updates, heavy, namespace, retention)
    } catch (error) {
      // Another hub of this store has folded and trimmed meanwhile: what it left is folded.
      if (!(error instanceof LogGap) || attempt === limits.storeAttemptsMax) throw error
    }
  }
}

async function foldAndTrim(
  store: HubStore,
  updates: CrdtUpdates,
  heavy: HeavyWork,
  namespace: Namespace,
  retention: Retention,
): Promise<Checkpointed> {
  const { parts, marks } = await documentBefore(store, updates, namespace)
  if (marks === null) throw new SyncError('NAMESPACE_UNKNOWN', `${namespace} does not exist on this hub`)
  const { seq } = marks.head
  let weighed: WeighedDocument | null = null
  if ((await store.checkpoint(namespace))?.seq !== seq) {
    const snapshot = await heavy.compact(parts)
    checkClocks(updates.clocks(snapshot), marks, namespace)
    const checkpoint = { seq, marks: encodeMarks(marks, snapshot), snapshot }
    // A newer one is there where somebody was faster, and may be of a document that was rebuilt.
    const outcome = await store.installCheckpoint(namespace, checkpoint)
    if (outcome === 'installed') weighed = { epoch: marks.epoch, weight: updates.weigh(snapshot) }
  }
  return { ...(await trimNamespace(store, namespace, retention)), weighed }
}

async function trimNamespace(
  store: HubStore,
  namespace: Namespace,
  retention: Retention,
): Promise<Omit<Checkpointed, 'weighed'>> {
  const checkpoint = await readCheckpoint(store, namespace)
  if (checkpoint === null)
    throw new SyncError('STORE_UNAVAILABLE', `${namespace}: the checkpoint cannot be read yet`)
  const { seq } = checkpoint
  const retained = await retainedRecords(store, namespace)
  const upTo = trimmableUpTo(retained, retention, seq)
  const range = await store.trim(namespace, upTo)
  const after = retained.filter((record) => record.seq > seq)
  return {
    seq,
    snapshotBytes: checkpoint.stored.snapshotBytes,
    floor: range.floor,
    bytesAfter: after.reduce((bytes, record) => bytes + record.bytes, 0),
  }
}

async function retainedRecords(store: HubStore, namespace: Namespace): Promise<readonly RecordSize[]> {
  const range: LogRange | undefined = (await store.heads([namespace])).get(namespace)
  const records: RecordSize[] = []
  for await (const { seq, record, bytes } of walkLog(store, namespace, {
    seq: range?.floor ?? 0,
    tag: null,
  })) {
    records.push({ seq, bytes, commits: record.kind === 'commits' ? record.commits.length : 0 })
  }
  return records
}

/** Whether a snapshot holds exactly the items that the marks say. @throws SyncError HUB_INTERNAL */
export function checkClocks(clocks: ClientClocks, marks: Marks, namespace: Namespace): void {
  const { clients } = marks.parts()
  const wrong = [...clients].find(([client, { clock }]) => clocks.get(client) !== clock)
  if (wrong === undefined && clocks.size === clients.size) return
  throw new SyncError(
    'HUB_INTERNAL',
    `${namespace}: the snapshot does not hold what the log holds; it was thrown away`,
  )
}
