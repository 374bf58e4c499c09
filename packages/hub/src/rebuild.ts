/**
 * Rebuilding a document: a new epoch made of the live entries alone, free of tombstones and old client ids (DESIGN
 * section 7). First the log records it with the content's digest, after the very record that it was made at; then a
 * checkpoint replaces the marks. Between the two the log alone tells how to go on, and whoever opens the namespace does so.
 */
import {
  limits,
  SyncError,
  type Clock,
  type CrdtUpdates,
  type Cursor,
  type Epoch,
  type HubStore,
  type Namespace,
  type Seq,
} from '@rejoin/core'
import { installRebuild } from './complete-rebuild.ts'
import { documentBefore, readCheckpoint } from './document.ts'
import { replicasToForget } from './forgetting.ts'
import { inlineWork, verifiedRebuild, type HeavyWork, type VerifiedSnapshot } from './heavy-work.ts'
import { LogGap, type LogEntry } from './log.ts'
import { type Marks } from './marks.ts'
import { openLog } from './opening.ts'
import { encodeRecord, type ForgottenReplicas } from './record.ts'
import { retrying } from './waiting.ts'

export interface Rebuilt {
  readonly epoch: Epoch
  readonly seq: Seq
  readonly digest: string
  readonly snapshotBytes: number
}

export interface RebuildParts {
  readonly store: HubStore
  readonly updates: CrdtUpdates
  readonly heavy: HeavyWork
  readonly clock: Clock
}

/** Made and verified, but not in the log. */
export interface PreparedRebuild {
  /** Where the document was that it was made of. */
  readonly marks: Marks
  readonly made: VerifiedSnapshot
}

/** What became of a namespace that an operator had rebuilt. */
export interface RebuiltNamespace extends Rebuilt {
  /** Replicas whose marks are gone. */
  readonly forgotten: number
}

/**
 * Starts a new epoch, where nobody else may be writing. Replicas that stand at its beginning make the same document of what
 * they have, the others are reset when they come back; all recommit their outboxes.
 * @param forgetBefore milliseconds since 1970: replicas that have not written since are forgotten, as `replicasToForget`
 * says; 0: none. The record names them, so whoever completes the rebuild after a crash forgets the same.
 * @throws SyncError NAMESPACE_UNKNOWN, NAMESPACE_DELETED, STORE_CORRUPT, STORE_UNAVAILABLE where others write without a
 * pause, or what the store throws.
 */
export async function rebuildNamespace(
  store: HubStore,
  updates: CrdtUpdates,
  namespace: Namespace,
  clock: Clock,
  heavy: HeavyWork = inlineWork(updates),
  forgetBefore = 0,
): Promise<RebuiltNamespace> {
  const parts = { store, updates, heavy, clock }
  for (let tries = 1; tries <= limits.rebuildTriesMax; tries++) {
    const prepared = await prepareRebuild(parts, namespace)
    if (typeof prepared === 'string') continue
    const forgot = await someToForget(parts, namespace, prepared.marks, forgetBefore)
    if (forgot === 'moved') continue
    const rebuilt = await recordRebuild(parts, namespace, prepared, forgot)
    if (rebuilt === 'moved') continue
    // What is stored says: somebody else may have recorded it first, who forgot others or nobody.
    const now = await retrying(clock, () => readCheckpoint(store, namespace))
    const before = [...prepared.marks.parts().replicas.keys()]
    const forgotten = before.filter((replica) => now?.stored.marks.markOf(replica) === null).length
    return { ...rebuilt, forgotten }
  }
  throw outrun(namespace)
}

async function someToForget(
  { store, clock }: RebuildParts,
  namespace: Namespace,
  marks: Marks,
  beforeMs: number,
): Promise<ForgottenReplicas | 'moved' | null> {
  if (beforeMs === 0) return null
  try {
    return await retrying(clock, () => replicasToForget(store, namespace, marks, beforeMs))
  } catch (error) {
    if (error instanceof LogGap) return 'moved'
    throw error
  }
}

/**
 * Makes the document anew as it is at the head.
 * @param epoch the one to make anew, or null for whichever it is, and also where it has lost history: replicas that still
 * have that can give it back to this epoch alone.
 * @returns 'moved' where the log was trimmed while it was read, 'over' where the epoch is not to be made anew any more.
 */
export async function prepareRebuild(
  { store, updates, heavy, clock }: RebuildParts,
  namespace: Namespace,
  epoch: Epoch | null = null,
): Promise<PreparedRebuild | 'moved' | 'over'> {
  const opened = await retrying(clock, () => openLog(store, updates, namespace, heavy))
  if (opened.marks === null)
    throw new SyncError('NAMESPACE_UNKNOWN', `${namespace} does not exist on this hub`)
  if (epoch !== null && (opened.marks.epoch !== epoch || opened.marks.mayHeal)) return 'over'
  const { seq } = opened.marks.head
  try {
    const { parts, marks } = await retrying(clock, () => documentBefore(store, updates, namespace, seq))
    if (marks === null) return 'moved'
    return { marks, made: await verifiedRebuild(heavy, parts, `${namespace}: its rebuilt document`) }
  } catch (error) {
    if (error instanceof LogGap) return 'moved'
    throw error
  }
}

/** Appends the record and installs the checkpoint; 'moved': somebody has appended since it was prepared. */
export async function recordRebuild(
  { store, updates, heavy, clock }: RebuildParts,
  namespace: Namespace,
  { marks, made }: PreparedRebuild,
  forgot: ForgottenReplicas | null = null,
): Promise<Rebuilt | 'moved'> {
  const { domain, head } = marks
  const epoch = epochAfter(head)
  const record = { kind: 'rebuild', from: head.epoch, epoch, domain, digest: made.digest, forgot } as const
  const at = clock.now()
  const { bytes, tag } = encodeRecord(head.tag, record, at)
  const result = await retrying(clock, () => store.append(namespace, head.seq, bytes))
  if (result.kind === 'moved') return await foundRebuild({ store, updates, heavy, clock }, namespace, epoch)
  const entry: LogEntry = { seq: result.seq, prev: head, tag, record, at, bytes: bytes.length }
  await retrying(clock, () => installRebuild(store, namespace, marks, entry, made))
  return { epoch, seq: result.seq, digest: made.digest, snapshotBytes: made.snapshot.length }
}

/**
 * Epochs rise, and two histories of one document (a hub restored from a backup lives a second one) do not arrive at the same:
 * bytes of two epochs never mix, nor may those of two documents that were rebuilt apart.
 */
export function epochAfter({ epoch, tag }: Cursor): Epoch {
  return epoch + 1 + Number.parseInt(tag.slice(0, 6), 16)
}

export function outrun(namespace: Namespace): SyncError {
  const why = `others have written to ${namespace} each time before its rebuild was recorded`
  return new SyncError('STORE_UNAVAILABLE', `${why}; nothing was changed, try again later`)
}

/** Somebody was faster, or it was our own append whose outcome we did not hear: what is there now decides. */
async function foundRebuild(
  { store, updates, heavy, clock }: RebuildParts,
  namespace: Namespace,
  epoch: Epoch,
): Promise<Rebuilt | 'moved'> {
  const { marks } = await retrying(clock, () => openLog(store, updates, namespace, heavy))
  const checkpoint = await retrying(clock, () => readCheckpoint(store, namespace))
  if (marks?.epoch !== epoch || checkpoint?.stored.marks.epoch !== epoch) return 'moved'
  const digest =
    checkpoint.stored.digest ?? (await heavy.digest([await retrying(clock, checkpoint.snapshot)]))
  return { epoch, seq: marks.began, digest, snapshotBytes: checkpoint.stored.snapshotBytes }
}
