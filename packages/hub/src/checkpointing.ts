/**
 * Folding the log into a checkpoint. Replace, then remove: the checkpoint is installed first, then the records that it
 * covers and retention does not keep are trimmed; a crash between the two leaves a log that is merely longer (St5). The
 * snapshot is never trusted: before it replaces anything it is read to its end, and must hold exactly the items that the
 * marks say, folded from the same log, and the content that the log's own bytes make.
 */
import {
  limits,
  SyncError,
  type Clock,
  type CrdtUpdates,
  type DocumentWeight,
  type Epoch,
  type HubStore,
  type Namespace,
  type Seq,
} from '@rejoin/core'
import { documentBefore, readCheckpoint, type StoredSnapshot } from './document.ts'
import { verifiedSnapshot, type HeavyWork } from './heavy-work.ts'
import { LogGap } from './log.ts'
import { type LogReaders } from './log-readers.ts'
import { corrupt } from './record.ts'
import { type Retention } from './retention.ts'
import { encodeMarks } from './stored-marks.ts'
import { trimLog, type RetainedLog, type Trimmed, type WalkedLog } from './trimming.ts'

export interface CheckpointParts {
  readonly store: HubStore
  readonly updates: CrdtUpdates
  readonly heavy: HeavyWork
  readonly clock: Clock
  readonly retention: Retention
  /** The checkpoint at `seq` is what was written, and no document: what it was made by, or what wrote it, was broken. */
  readonly unreadable: (namespace: Namespace, seq: Seq, error: SyncError) => void
}

/** What is known of a namespace where its room is in memory. */
export interface CheckpointPlace {
  readonly namespace: Namespace
  readonly readers: LogReaders | null
  readonly retained: RetainedLog | null
  /** Nothing is written after it is aborted. */
  readonly stopped: AbortSignal
}

export interface Checkpointed extends Trimmed {
  readonly seq: Seq
  readonly snapshotBytes: number
  readonly marksBytes: number
  /** Client ids in it. */
  readonly clients: number
  /** Null where it was there already, or a newer one. */
  readonly weighed: WeighedDocument | null
}

/** What a snapshot weighs, and of which epoch it is. */
export interface WeighedDocument {
  readonly epoch: Epoch
  readonly weight: DocumentWeight
  /** It has lost history that replicas may still bring back. */
  readonly mayHeal: boolean
}

/**
 * Folds the log up to its head, and trims. Where the newest checkpoint is there already, only trims.
 * @throws SyncError NAMESPACE_UNKNOWN, HUB_INTERNAL for a snapshot that is not what the log says, HUB_CLOSING,
 * STORE_CORRUPT, or what the store throws.
 */
export async function checkpointNamespace(
  parts: CheckpointParts,
  place: CheckpointPlace,
): Promise<Checkpointed> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { weighed, walked } = await fold(parts, place)
      return { ...(await trimNamespace(parts, place, walked)), weighed }
    } catch (error) {
      // Another hub of this store has folded and trimmed meanwhile: what it left is folded.
      if (!(error instanceof LogGap) || attempt === limits.storeAttemptsMax) throw error
    }
  }
}

/**
 * Drops what the newest checkpoint covers and retention does not keep.
 * @param walked what was read of the log just now.
 * @throws SyncError as `checkpointNamespace`
 */
export async function trimNamespace(
  { store, clock, retention }: CheckpointParts,
  { namespace, readers, retained, stopped }: CheckpointPlace,
  walked?: WalkedLog,
): Promise<Checkpointed> {
  goOn(stopped)
  const checkpoint = await readCheckpoint(store, namespace)
  if (checkpoint === null)
    throw new SyncError('STORE_UNAVAILABLE', `${namespace}: the checkpoint cannot be read yet`)
  const { seq, marksBytes } = checkpoint
  goOn(stopped)
  const rules = { retention, now: clock.now(), checkpointSeq: seq, readers }
  const trimmed = await trimLog(store, namespace, rules, retained, walked)
  const { snapshotBytes, marks } = checkpoint.stored
  return { ...trimmed, seq, snapshotBytes, marksBytes, clients: marks.clientCount, weighed: null }
}

async function fold(
  { store, updates, heavy, unreadable }: CheckpointParts,
  { namespace, stopped }: CheckpointPlace,
): Promise<{ readonly weighed: WeighedDocument | null; readonly walked: WalkedLog }> {
  goOn(stopped)
  const { parts, base, marks, walked } = await documentBefore(store, updates, namespace)
  if (marks === null) throw new SyncError('NAMESPACE_UNKNOWN', `${namespace} does not exist on this hub`)
  const { seq } = marks.head
  if ((await store.checkpoint(namespace))?.seq === seq) return { weighed: null, walked }
  goOn(stopped)
  const made = await verifiedSnapshot(heavy, parts, marks, namespace).catch(async (cause: unknown) => {
    const fault = base === null ? null : await faultOf(heavy, namespace, base)
    if (base !== null && fault !== null) unreadable(namespace, base.seq, fault)
    throw fault ?? cause
  })
  const { snapshot, hash, digest, weight } = made
  goOn(stopped)
  const checkpoint = { seq, marks: encodeMarks(marks, snapshot, digest, hash), snapshot }
  // A newer one is there where somebody was faster, and may be of a document that was rebuilt.
  const outcome = await store.installCheckpoint(namespace, checkpoint)
  const isNewest = outcome === 'installed'
  return { weighed: isNewest ? { epoch: marks.epoch, weight, mayHeal: marks.mayHeal } : null, walked }
}

/** Why a stored snapshot is no document, though its checksum says that it is the one that was stored; null where it is one. */
async function faultOf(
  heavy: HeavyWork,
  namespace: Namespace,
  { seq, snapshot }: StoredSnapshot,
): Promise<SyncError | null> {
  try {
    await heavy.read(snapshot)
    return null
  } catch (cause) {
    // Whatever else the thread says is no word about the bytes.
    if (!(cause instanceof SyncError) || !cause.code.startsWith('UPDATE_')) return null
    const why = `has a snapshot that does not read (${cause.message})`
    return corrupt(`${namespace}: checkpoint ${seq}`, why, cause)
  }
}

function goOn(stopped: AbortSignal): void {
  if (stopped.aborted) throw new SyncError('HUB_CLOSING', 'the hub is closing; come back later')
}
