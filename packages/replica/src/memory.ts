/**
 * What a replica knows now: its document, outbox and position. Memory is the truth for reading and writing; the store
 * follows through the pending-write queue. Everything here changes within one turn, never across an `await`.
 */
import {
  CLIENT_ID_MIN,
  HlcClock,
  randomUint32,
  type ClientId,
  type Clock,
  type Counter,
  type Cursor,
  type CrdtDocument,
  type Epoch,
  type RejectedCommit,
  type ReplicaId,
  type Registers,
  type StoredReplica,
} from '@rejoin/core'
import { Outbox } from './outbox.ts'
import type { Replaced } from './replaced.ts'

export class ReplicaMemory {
  readonly replica: ReplicaId
  readonly outbox: Outbox
  readonly hlc: HlcClock
  readonly rejected = new Map<Counter, RejectedCommit>()
  /** Changed only by `ChangeFeed.swap`, so that the app hears the difference. */
  document: CrdtDocument
  /** Last counter given to a commit. */
  counter: Counter
  /** Our highest counter known to be in the hub's log. */
  ackedCounter: Counter
  /** Up to where the document holds everything. */
  applied: Cursor | null
  /** Up to where the store does too: this is what the app and the hub are told (invariant 6). */
  cursor: Cursor | null
  /** Sizes of the stored base, by which folding is decided. */
  snapshotBytes: number
  updateBytes: number

  constructor(stored: StoredReplica, document: CrdtDocument, replaced: ReadonlyMap<Counter, Replaced>) {
    this.replica = stored.identity.replica
    this.document = document
    this.outbox = new Outbox(stored.outbox, replaced)
    for (const rejected of stored.rejected) this.rejected.set(rejected.commit.id.counter, rejected)
    this.hlc = new HlcClock(this.replica, stored.hlc)
    this.counter = stored.counter
    this.ackedCounter = stored.outbox[0]?.prev ?? lastStanding(stored.counter, this.rejected)
    this.applied = stored.cursor
    this.cursor = stored.cursor
    this.snapshotBytes = stored.snapshotBytes
    this.updateBytes = stored.updateBytes
    this.absorbNewest()
  }

  /** The generation of the document, or null while it has no base. */
  get epoch(): Epoch | null {
    return this.applied?.epoch ?? null
  }

  /** The counter before the next commit that still stands. */
  get lastStanding(): Counter {
    return this.outbox.last ?? this.ackedCounter
  }

  /** The next stamp is above everything the document has seen. */
  absorbNewest(): void {
    const newest = this.document.newestHlc
    if (newest !== null) this.hlc.absorb(newest)
  }

  noteAcked(counter: Counter): void {
    this.ackedCounter = Math.max(this.ackedCounter, counter)
  }
}

/** Reads whatever document is the current one. */
export function registersOf(memory: ReplicaMemory): Registers {
  return {
    read: (table, key) => memory.document.read(table, key),
    scan: (table, prefix) => memory.document.scan(table, prefix),
    contested: () => memory.document.contested(),
    tableNames: () => memory.document.tableNames(),
  }
}

/** A client id that this replica has never used: a clock is never used twice with different content. */
export function freshClientId(clock: Clock, taken: ClientId | null): ClientId {
  for (;;) {
    const id = randomUint32(clock)
    if (id >= CLIENT_ID_MIN && id !== taken) return id
  }
}

/**
 * With an empty outbox every counter given was acknowledged or rejected. A rejected one that the app has discarded is not
 * known here any more; the hub's next `CaughtUp` puts that right.
 */
function lastStanding(counter: Counter, rejected: ReadonlyMap<Counter, RejectedCommit>): Counter {
  let standing = counter
  while (rejected.has(standing)) standing--
  return standing
}
