/**
 * Work on whole documents. It costs what exists and not what changed, so a hub does none of it on the path of an ack, and
 * may hand it out, e.g. to a worker thread. Results are trusted no more than a store's: they are held against the log.
 */
import { SyncError, type CrdtUpdates, type RebuiltDocument } from '@rejoin/core'
import { type HubCounts } from './metrics.ts'

/** Parts are trusted and complete: each builds only on those before it. They stay the caller's. */
export interface HeavyWork {
  /** One snapshot of all parts. */
  compact(parts: readonly Uint8Array[]): Promise<Uint8Array>
  /** The canonical form of the document that the parts make. */
  rebuild(parts: readonly Uint8Array[]): Promise<RebuiltDocument>
  /** Of the live entries of that document, hexadecimal SHA-256. */
  digest(parts: readonly Uint8Array[]): Promise<string>
}

/** Does it at once, where it is called. */
export function inlineWork(updates: CrdtUpdates): HeavyWork {
  return {
    compact: async (parts) => updates.compact(parts),
    rebuild: async (parts) => updates.rebuild(parts),
    digest: async (parts) => updates.digest(parts),
  }
}

/** The same work, with every document that it decodes counted. */
export function countedWork(work: HeavyWork, counts: HubCounts): HeavyWork {
  const counted = <Result>(decode: (parts: readonly Uint8Array[]) => Promise<Result>) => {
    return (parts: readonly Uint8Array[]): Promise<Result> => {
      counts.documentsDecoded++
      return decode(parts)
    }
  }
  return {
    compact: counted((parts) => work.compact(parts)),
    rebuild: counted((parts) => work.rebuild(parts)),
    digest: counted((parts) => work.digest(parts)),
  }
}

/**
 * The canonical form of a document, read once more before anybody builds on it.
 * @throws SyncError HUB_INTERNAL where it does not hold what it was made of, or what `heavy` throws.
 */
export async function verifiedRebuild(
  heavy: HeavyWork,
  parts: readonly Uint8Array[],
  where: string,
): Promise<RebuiltDocument> {
  const made = await heavy.rebuild(parts)
  if ((await heavy.digest([made.snapshot])) === made.digest) return made
  throw new SyncError(
    'HUB_INTERNAL',
    `${where} does not hold what it was made of; it was thrown away, and the document is as it was`,
  )
}
