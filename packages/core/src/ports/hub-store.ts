/**
 * Where a hub keeps its logs: opaque records by namespace. It knows no epoch, no replica and no Yjs, and must not smell
 * of LevelDB (DESIGN section 6). Promises St1 to St10 are checked by `hubStoreSuite` in testkit.
 *
 * Every method may reject with SyncError STORE_UNAVAILABLE (outcome unknown; the same call may be repeated),
 * STORE_CORRUPT, STORE_FULL or STORE_CLOSED, and with nothing else.
 */
import type { Namespace } from '../ids.ts'
import type { Seq } from '../cursor.ts'

export interface StoredRecord {
  readonly seq: Seq
  /** The seq of the record before this one, 0 for the first (St2). */
  readonly prev: Seq
  readonly body: Uint8Array
}

export type AppendResult =
  | { readonly kind: 'appended'; readonly seq: Seq }
  /** Somebody else appended, or removed the namespace, which `state` tells; nothing was written (St3). */
  | { readonly kind: 'moved'; readonly head: Seq }

export type TailResult =
  /** Ordered, each naming the one before; empty where `after` is the head or beyond it. */
  | { readonly kind: 'records'; readonly records: readonly StoredRecord[]; readonly more: boolean }
  /** Records after `after` were dropped: `after` is below the floor. */
  | { readonly kind: 'gap'; readonly floor: Seq; readonly head: Seq }

export interface LogRange {
  /** Seq of the last dropped record, 0 where none was. */
  readonly floor: Seq
  /** Seq of the newest record, 0 where there is none. */
  readonly head: Seq
}

export interface TailLimit {
  readonly records: number
  /** At least one record is returned, also where it alone is larger. */
  readonly bytes: number
}

export interface StoredCheckpoint {
  readonly seq: Seq
  /** Small: what a room needs to serve pushes. */
  readonly marks: Uint8Array
  /** The document, read only when it is needed. */
  snapshot(): Promise<Uint8Array>
}

export interface NewCheckpoint {
  readonly seq: Seq
  readonly marks: Uint8Array
  readonly snapshot: Uint8Array
}

export type NamespaceState = 'unknown' | 'present' | 'removed'

/**
 * What an answer to a write stands for. `durable`: it is on the disk and outlives a power cut. `applied`: it outlives this
 * process, and will be on the disk later.
 */
export type Durability = 'durable' | 'applied'

export interface HubStore {
  /** Changes when the store was restored or made anew. */
  readonly incarnation: string
  /** What it means when `append`, and every other write, resolves. */
  readonly durability: Durability
  /**
   * Appends when `after` is the head; as durable as `durability` says once it resolves (St1, St3). Creates the namespace when
   * `after` is 0 and it is unknown: to one that was removed nothing is ever appended.
   * @param beyond the new seq is above this one too: in a log that lost records, numbers of theirs are not given again.
   */
  append(namespace: Namespace, after: Seq, body: Uint8Array, beyond?: Seq): Promise<AppendResult>
  readTail(namespace: Namespace, after: Seq, limit: TailLimit): Promise<TailResult>
  /** Ranges of the namespaces that exist; others are left out. */
  heads(namespaces: readonly Namespace[]): Promise<ReadonlyMap<Namespace, LogRange>>
  state(namespace: Namespace): Promise<NamespaceState>
  checkpoint(namespace: Namespace): Promise<StoredCheckpoint | null>
  /** Installed whole or not at all; only moves forward (St7). */
  installCheckpoint(namespace: Namespace, checkpoint: NewCheckpoint): Promise<'installed' | 'superseded'>
  /** Drops records up to `upTo`, but none that no checkpoint covers (St5) and never the newest (St6). */
  trim(namespace: Namespace, upTo: Seq): Promise<LogRange>
  /** Names of the namespaces that exist, sorted. */
  namespaces(): Promise<readonly Namespace[]>
  /** Removes a namespace with all it holds and remembers that it was removed. */
  remove(namespace: Namespace): Promise<void>
  /** Every later call fails with STORE_CLOSED (St10). */
  close(): Promise<void>
}
