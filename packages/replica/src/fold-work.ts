/**
 * The work of a fold: one snapshot of a stored base, and what both of them hold. It costs what exists and not what changed,
 * so an app may hand it out, e.g. to a worker thread. Nothing that it gives is trusted before what was read again of the
 * snapshot was held against what the base's own bytes say.
 */
import { SyncError, type ClientClocks, type ClientId, type CrdtUpdates } from '@rejoin/core'

/** What a document holds: equal where two hold the same items and say the same. */
export interface BaseContent {
  readonly clocks: ClientClocks
  /** Of the live entries, hexadecimal SHA-256. */
  readonly digest: string
}

export interface FoldedBase {
  readonly snapshot: Uint8Array
  /** What the base holds, found without the snapshot. */
  readonly held: BaseContent
}

/** Bytes stay the caller's. */
export interface FoldWork {
  /** Bytes of a base below which it is folded where the app runs: handing it out would cost more. */
  readonly bytesMin: number
  /** @throws SyncError UPDATE_MALFORMED where the base does not read, or why it was not done: then it is tried again later. */
  fold(base: readonly Uint8Array[]): Promise<FoldedBase>
  /** @throws SyncError as `fold` */
  read(snapshot: Uint8Array): Promise<BaseContent>
}

/** Does it at once, where it is called. */
export function inlineFold(updates: CrdtUpdates): FoldWork {
  return {
    bytesMin: 0,
    fold: async (base) => foldBase(updates, base),
    read: async (snapshot) => contentOf(updates, [snapshot]),
  }
}

/** @throws SyncError UPDATE_MALFORMED where the base does not read. */
export function foldBase(updates: CrdtUpdates, base: readonly Uint8Array[]): FoldedBase {
  return { snapshot: updates.compact(base), held: contentOf(updates, base) }
}

/**
 * One snapshot of a base, which holds the same items and says the same.
 * @throws SyncError STORE_UNAVAILABLE where it does not, or what `work` throws.
 */
export async function verifiedFold(work: FoldWork, base: readonly Uint8Array[]): Promise<Uint8Array> {
  const { snapshot, held } = await work.fold(base)
  const found = await work.read(snapshot)
  if (areSame(found.clocks, held.clocks) && found.digest === held.digest) return snapshot
  const why = 'the folded base does not hold what it was made of; it was thrown away'
  throw new SyncError('STORE_UNAVAILABLE', `${why}, and the base is as it was`)
}

function contentOf(updates: CrdtUpdates, parts: readonly Uint8Array[]): BaseContent {
  return { clocks: clocksOf(updates, parts), digest: updates.digest(parts) }
}

function clocksOf(updates: CrdtUpdates, parts: readonly Uint8Array[]): ClientClocks {
  const clocks = new Map<ClientId, number>()
  for (const part of parts) {
    for (const [client, clock] of updates.clocks(part)) {
      clocks.set(client, Math.max(clock, clocks.get(client) ?? 0))
    }
  }
  return clocks
}

function areSame(a: ClientClocks, b: ClientClocks): boolean {
  return a.size === b.size && [...a].every(([client, clock]) => b.get(client) === clock)
}
