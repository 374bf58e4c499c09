/**
 * Work on whole documents. It costs what exists and not what changed, so a hub does none of it on the path of an ack, and
 * may hand it out, e.g. to a worker thread. Results are trusted no more than a store's: they are held against the log.
 */
import {
  SyncError,
  type ClientClocks,
  type CrdtUpdates,
  type DocumentWeight,
  type RebuiltDocument,
} from '@rejoin/core'
import { type Marks } from './marks.ts'
import { type HubCounts } from './metrics.ts'
import { snapshotHash } from './stored-marks.ts'

/** Parts are trusted and complete: each builds only on those before it. They stay the caller's. */
export interface HeavyWork {
  /** One snapshot of all parts. */
  compact(parts: readonly Uint8Array[]): Promise<Uint8Array>
  /** The canonical form of the document that the parts make. */
  rebuild(parts: readonly Uint8Array[]): Promise<RebuiltDocument>
  /** Of the live entries of that document, hexadecimal SHA-256. */
  digest(parts: readonly Uint8Array[]): Promise<string>
  /** What a document with this state vector lacks of the one that the parts make, every deletion included. */
  diff(parts: readonly Uint8Array[], stateVector: Uint8Array): Promise<Uint8Array>
  /**
   * What a snapshot holds that nobody trusts yet: read strictly to its last byte, then as replicas will read it.
   * @throws SyncError UPDATE_MALFORMED, UPDATE_DISALLOWED or UPDATE_UNKNOWN_ITEM where it is no whole document.
   */
  read(snapshot: Uint8Array): Promise<SnapshotContent>
}

export interface SnapshotContent {
  readonly clocks: ClientClocks
  readonly weight: DocumentWeight
  /** Of its live entries, hexadecimal SHA-256. */
  readonly digest: string
  /** Of its bytes, as marks keep it. */
  readonly hash: Uint8Array
}

/** Whose content is what it was made of. */
export interface VerifiedSnapshot extends SnapshotContent {
  readonly snapshot: Uint8Array
}

/** Does it at once, where it is called. */
export function inlineWork(updates: CrdtUpdates): HeavyWork {
  return {
    compact: async (parts) => updates.compact(parts),
    rebuild: async (parts) => updates.rebuild(parts),
    digest: async (parts) => updates.digest(parts),
    diff: async (parts, stateVector) => updates.diff(parts, stateVector),
    read: async (snapshot) => readSnapshot(updates, snapshot),
  }
}

/** @throws SyncError as `HeavyWork.read` */
export function readSnapshot(updates: CrdtUpdates, snapshot: Uint8Array): SnapshotContent {
  return {
    clocks: updates.clocks(snapshot),
    weight: updates.weigh(snapshot),
    digest: updates.digest([snapshot]),
    hash: snapshotHash(snapshot),
  }
}

/** The same work, with every document that it decodes counted. */
export function countedWork(work: HeavyWork, counts: HubCounts): HeavyWork {
  const counted = <Args extends unknown[], Result>(decode: (...args: Args) => Promise<Result>) => {
    return (...args: Args): Promise<Result> => {
      counts.documentsDecoded++
      return decode(...args)
    }
  }
  return {
    compact: counted((parts: readonly Uint8Array[]) => work.compact(parts)),
    rebuild: counted((parts: readonly Uint8Array[]) => work.rebuild(parts)),
    digest: counted((parts: readonly Uint8Array[]) => work.digest(parts)),
    diff: counted((parts: readonly Uint8Array[], stateVector: Uint8Array) => work.diff(parts, stateVector)),
    read: counted((snapshot: Uint8Array) => work.read(snapshot)),
  }
}

/**
 * One snapshot of all parts, held against what it was made of before anybody builds on it: the items that the marks know of,
 * and the content that another reading of the parts finds.
 * @param marks folded from the same log.
 * @throws SyncError HUB_INTERNAL where it holds anything else, or what `heavy` throws.
 */
export async function verifiedSnapshot(
  heavy: HeavyWork,
  parts: readonly Uint8Array[],
  marks: Marks,
  where: string,
): Promise<VerifiedSnapshot> {
  const snapshot = await heavy.compact(parts)
  const content = await readBack(heavy, snapshot, `${where}: the snapshot`)
  const { clients } = marks.parts()
  const isOther = [...clients].some(([client, { clock }]) => content.clocks.get(client) !== clock)
  if (isOther || content.clocks.size !== clients.size || content.digest !== (await heavy.digest(parts))) {
    throw new SyncError(
      'HUB_INTERNAL',
      `${where}: the snapshot does not hold what the log holds; it was thrown away`,
    )
  }
  return { ...content, snapshot }
}

/**
 * The canonical form of a document, read once more before anybody builds on it.
 * @throws SyncError HUB_INTERNAL where it does not hold what it was made of, or what `heavy` throws.
 */
export async function verifiedRebuild(
  heavy: HeavyWork,
  parts: readonly Uint8Array[],
  where: string,
): Promise<VerifiedSnapshot> {
  const { snapshot, digest } = await heavy.rebuild(parts)
  const content = await readBack(heavy, snapshot, where)
  if (content.digest === digest && digest === (await heavy.digest(parts))) return { ...content, snapshot }
  throw new SyncError(
    'HUB_INTERNAL',
    `${where} does not hold what it was made of; it was thrown away, and the document is as it was`,
  )
}

/** What cannot be read is not the reader's fault: whoever made it is told. */
async function readBack(heavy: HeavyWork, snapshot: Uint8Array, where: string): Promise<SnapshotContent> {
  try {
    return await heavy.read(snapshot)
  } catch (cause) {
    if (!(cause instanceof SyncError) || !cause.code.startsWith('UPDATE_')) throw cause
    throw new SyncError('HUB_INTERNAL', `${where} does not read; it was thrown away: ${cause.message}`, {
      cause,
    })
  }
}
