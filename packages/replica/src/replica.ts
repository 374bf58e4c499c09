/** The public face of a replica: one installation of a client in one namespace (DESIGN section 5). */
import type {
  AnyDomain,
  Bill,
  ClientId,
  Clock,
  Conflict,
  Counter,
  Crdt,
  CrdtAwareness,
  Dial,
  OpOf,
  PathBills,
  Registers,
  RejectedCommit,
  ReplicaId,
  ReplicaStore,
  TablesReads,
} from '@rejoin/core'
import type { FoldWork } from './fold-work.ts'
import type { OutboxCommit } from './outbox.ts'
import type { Receipt } from './receipt.ts'
import type { Resolution } from './resolution.ts'
import type { ReplicaStatus } from './status.ts'
import type { OnOps, Subscribe } from './subscribers.ts'
import type { SyncReport } from './sync-once.ts'
import type { ReplicaWitness } from './vanished.ts'

export interface ReplicaOptions<D extends AnyDomain> {
  readonly domain: D
  readonly namespace: string
  /** Stays the caller's: it is closed after the replica, not by it. */
  readonly store: ReplicaStore
  readonly crdt: Crdt
  readonly clock: Clock
  /** How to reach the hub; null: offline, or `syncOnce(dial)`. */
  readonly dial: Dial | null
  /** Whether to connect at once and stay connected. Default: true where there is a `dial`. */
  readonly live?: boolean
  /**
   * What was noted of the replica that is kept here, for `status.localStateLost` to tell where its store has vanished;
   * default: nothing was.
   */
  readonly witness?: ReplicaWitness | null
  /**
   * Where a large stored base is folded, e.g. on a worker thread; it stays the caller's, and is closed after the replica.
   * Default: where the app runs, which a large document holds up for as long as it takes to open it.
   */
  readonly fold?: FoldWork | null
  /** Commits that may wait for an acknowledgement; at most, and by default, `limits.outboxCommitsMax`. */
  readonly outboxCommitsMax?: number
  /** One line for each thing worth telling. */
  readonly log?: (line: string) => void
}

/** What all sessions of a replica have cost since it was opened, as its channels count it. */
export interface SessionBill extends Bill {
  /** What of it went into catching up, by path, with its milliseconds; the rest passed live. */
  readonly paths: PathBills
}

export interface Replica<D extends AnyDomain> {
  readonly id: ReplicaId
  readonly namespace: string
  readonly domain: D
  /**
   * Carries out one op, or several as one commit. Seen by reads and listeners at once.
   * @throws SyncError OP_UNKNOWN, OP_INVALID, KEY_INVALID, VALUE_INVALID, OP_FAILED or PARENT_MISSING for a wrong op;
   * DOMAIN_TOO_NEW where the document is newer than the app; COMMIT_TOO_LARGE, OUTBOX_FULL, REPLICA_CLOSED; STORE_… where too
   * much waits for the store (`limits.pendingStepsMax`, `pendingBytesMax`). Nothing was changed then, not a byte.
   */
  apply(ops: OpOf<D> | readonly OpOf<D>[]): Receipt
  /** Live views: each call reads what is there then, as far as this version of the domain knows it. */
  readonly tables: TablesReads<D['tables']>
  /** Live entries by key, below the typed tables: also what this version of the domain does not know. */
  readonly registers: Registers
  /** Sorted by table, key and field; the same on every replica that has seen the same commits. */
  conflicts(): readonly Conflict[]
  /**
   * Settles a conflict by a `Resolved` or `Restored` op.
   * @throws SyncError INPUT_INVALID or KEY_INVALID when the choice does not fit the conflict, or what `apply` throws.
   */
  resolve(conflict: Conflict, resolution: Resolution): Receipt
  /** Hears changes: all, those of a part, or those of a value selected from the tables. */
  readonly subscribe: Subscribe<D>
  /** Hears the same changes as ops. */
  readonly onOps: OnOps<D>
  readonly status: ReplicaStatus
  /** Called with the status whenever something in it is different; `conflicts` counts for those who read it. @throws SyncError INPUT_INVALID for no function. */
  onStatus(listener: (status: ReplicaStatus) => void): () => void
  /** Commits not yet acknowledged and back in the base, in counter order, each with its stage. */
  readonly outbox: readonly OutboxCommit[]
  /** Commits that the hub refused for good, in counter order. */
  readonly rejected: readonly RejectedCommit[]
  /** Forgets a rejected commit. Resolves when that is saved. @throws SyncError INPUT_INVALID, STORE_… */
  discard(counter: Counter): Promise<void>
  /**
   * Applies a rejected commit's ops anew, or `ops` in their place, and forgets it. Ops of an older version of the domain
   * are brought up to date first. What undid something may come back as an orphan, as by `undo`.
   * @throws SyncError INPUT_INVALID when there is no such commit, or what `apply` throws.
   */
  resubmit(counter: Counter, ops?: OpOf<D> | readonly OpOf<D>[]): Receipt
  /**
   * Takes back a commit that was not sent yet: it leaves the outbox for good, readers see its effect gone, and later commits
   * are made again without it (one that cannot be is rejected). Its receipt's `acked` rejects. Resolves when that is saved.
   * @throws SyncError INPUT_INVALID when it was sent, or may have been, or is not in the outbox; STORE_…, REPLICA_CLOSED.
   */
  withdraw(counter: Counter): Promise<void>
  /**
   * Gives back what this replica's last commit of this run changed, by a commit of its own that replicates like any other.
   * Keys that anybody else wrote since are left alone, and a commit of which nothing is left is passed over; `unchanged` when
   * there is none. What concurrent values it settled comes back as the one value that was read.
   * @throws SyncError COMMIT_TOO_LARGE when that does not fit into one commit, or what `apply` throws.
   */
  undo(): Receipt
  /** The same for what was undone last, until something is applied. */
  redo(): Receipt
  /** Whether there is something that `undo` would change. */
  readonly canUndo: boolean
  readonly canRedo: boolean
  /**
   * Resolves when everything here is saved, as `status.saved` says.
   * @throws SyncError STORE_UNAVAILABLE, STORE_FULL, STORE_LOCKED, STORE_CORRUPT or STORE_CLOSED
   */
  flush(): Promise<void>
  /**
   * One exchange until what is in the outbox now is settled and the replica has caught up. While live, waits for that.
   * @param dial in place of the replica's own.
   * @throws SyncError HUB_UNREACHABLE, TIMED_OUT, CHANNEL_CLOSED, STORE_…, or the code with which the hub refused;
   * DOMAIN_TOO_NEW where commits stay here until the hub or the app was updated: everything else was exchanged.
   */
  syncOnce(dial?: Dial): Promise<SyncReport>
  /** What was sent and received so far, live too; `SyncReport` says it of one exchange. */
  readonly bill: SessionBill
  /** Stays connected from now on; also after a hub refused for good. @throws SyncError INPUT_INVALID without a dial. */
  connect(): void
  disconnect(): void
  /** Presence: sent while live, never kept. */
  readonly awareness: CrdtAwareness
  /** The whole document as one update, with commits not yet acknowledged; and the id it writes under. */
  encode(): Uint8Array
  readonly clientId: ClientId
  /** Updates the document could not place; 0 unless something is badly wrong (invariant 1). */
  readonly unplaced: number
  /**
   * Ends live mode, saves what waits, and ends. Idempotent.
   * @throws UnsavedError (a SyncError STORE_…) when not everything could be saved: it names the commits, and has them.
   */
  close(): Promise<void>
}
