/**
 * Where a replica keeps one namespace. A batch of steps is recorded whole or not at all, in order, and is as durable as
 * `durability` says once `record` resolves: so work that waited for a failing disk can be written by one later batch
 * (DESIGN section 5).
 *
 * What is kept falls in two: the acknowledged base (a snapshot and the updates after it, up to the cursor) and the outbox.
 * Methods reject with SyncError STORE_UNAVAILABLE, STORE_CORRUPT, STORE_FULL or STORE_CLOSED, and with nothing else.
 */
import type { Commit, RejectedCommit } from '../commit.ts'
import type { Cursor } from '../cursor.ts'
import type { ErrorCode, SyncError } from '../errors.ts'
import type { Hlc } from '../hlc.ts'
import type { Counter, ReplicaId } from '../ids.ts'
import type { ClientId } from './crdt.ts'
import type { Durability } from './hub-store.ts'

export interface ReplicaIdentity {
  readonly replica: ReplicaId
  readonly clientId: ClientId
  readonly domain: string
  /** The newest version of the domain that this document is known to hold commits of. */
  readonly domainVersion: number
}

/** How the last attempts to reach a hub went; milliseconds since 1970. */
export interface SyncNotes {
  readonly lastAttemptAt: number | null
  readonly lastSuccessAt: number | null
  readonly lastError: { readonly code: ErrorCode; readonly message: string } | null
  /** Our highest counter that a hub said it has, 0 for none: proof for a hub that has lost it since. */
  readonly ackedCounter: Counter
  /** Our highest counter that may have been sent to a hub, 0 for none: what is above it may be withdrawn. */
  readonly sentCounter: Counter
}

export interface StoredReplica {
  readonly identity: ReplicaIdentity
  /**
   * Where this is kept was found to be a copy of where it was recorded: others may use the same identity, so the next step
   * is `reidentify`. False from then on, and where nobody can tell.
   */
  readonly isCopy: boolean
  /** Counters up to here were given under former identities, those of what this is a copy of; 0 for none. */
  readonly formerCounter: Counter
  /** Last counter given to a commit, 0 for none. */
  readonly counter: Counter
  /** The newest stamp given or seen, or null. */
  readonly hlc: Hlc | null
  readonly cursor: Cursor | null
  /** Acknowledged state: a snapshot, if there is one, then updates, in the order they were recorded. */
  readonly base: readonly Uint8Array[]
  /** Bytes of `base`, the snapshot's alone and the updates' after it: when to fold is decided on these. */
  readonly snapshotBytes: number
  readonly updateBytes: number
  /** In counter order. */
  readonly outbox: readonly Commit[]
  /** In counter order. */
  readonly rejected: readonly RejectedCommit[]
  readonly notes: SyncNotes
}

export type ReplicaStep =
  /** The first step of a new replica. */
  | { readonly kind: 'create'; readonly identity: ReplicaIdentity }
  /**
   * This is a copy: what is made here from now on is another replica's. Counters go on rising. What waits in the outbox keeps
   * its ids, since every copy holds it, and so counts as sent; of the new identity no hub has heard (`ackedCounter` is 0),
   * and that the old one was taken is no news any more.
   */
  | { readonly kind: 'reidentify'; readonly replica: ReplicaId; readonly clientId: ClientId }
  /** A commit made here: into the outbox; counter and HLC move. */
  | { readonly kind: 'local'; readonly commit: Commit }
  /**
   * Acknowledged updates up to `cursor`; commits of ours among them leave the outbox. `hlc` is the newest stamp seen.
   */
  | {
      readonly kind: 'remote'
      readonly updates: readonly Uint8Array[]
      readonly settled: readonly Counter[]
      readonly cursor: Cursor
      readonly hlc: Hlc | null
    }
  /** The acknowledged state up to `cursor` is this snapshot: it replaces the whole base. */
  | {
      readonly kind: 'snapshot'
      readonly snapshot: Uint8Array
      readonly cursor: Cursor
      readonly hlc: Hlc | null
    }
  /** Commits up to this counter are in the hub's log and in the base: they leave the outbox. */
  | { readonly kind: 'settle'; readonly upTo: Counter }
  /** A document of another epoch: base, cursor, client id and outbox are replaced together. */
  | {
      readonly kind: 'reset'
      readonly snapshot: Uint8Array | null
      readonly updates: readonly Uint8Array[]
      readonly cursor: Cursor
      readonly clientId: ClientId
      readonly outbox: readonly Commit[]
      readonly hlc: Hlc | null
    }
  /** The outbox rewritten onto the same base under a fresh client id; refused commits leave it for `rejected`. */
  | {
      readonly kind: 'recommit'
      readonly clientId: ClientId
      readonly outbox: readonly Commit[]
      readonly rejected: readonly RejectedCommit[]
    }
  /** The app has dealt with a rejected commit. */
  | { readonly kind: 'discard'; readonly counter: Counter }
  | { readonly kind: 'notes'; readonly notes: SyncNotes }
  /** The document holds commits of this version of the domain: `identity.domainVersion` rises to it, and never falls. */
  | { readonly kind: 'domainVersion'; readonly domainVersion: number }

export interface ReplicaStore {
  /**
   * What it means when `record` resolves. The same for as long as the store is open. What a hub would tell again, a store
   * may bring to the disk later than that, as long as nothing recorded after it is kept without it.
   */
  readonly durability: Durability
  /** Resolves with why nothing more can be recorded in this process, where that is noticed at once; never rejects. */
  readonly lost?: Promise<SyncError> | undefined
  /** Everything, in one consistent read; null where nothing was ever recorded. */
  load(): Promise<StoredReplica | null>
  record(steps: readonly ReplicaStep[]): Promise<void>
  /** Every later call fails with STORE_CLOSED. */
  close(): Promise<void>
}
