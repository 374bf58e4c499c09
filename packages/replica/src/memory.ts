/**
 * What a replica knows now: its document, outbox and position. Memory is the truth for reading and writing; the store
 * follows through the pending-write queue. Everything here changes within one turn, never across an `await`.
 */
import {
  CLIENT_ID_MIN,
  domainTooNew,
  HlcClock,
  knownRegisters,
  randomUint32,
  SyncError,
  type AnyDomain,
  type ClientId,
  type Clock,
  type Commit,
  type Counter,
  type Cursor,
  type CrdtDocument,
  type Epoch,
  type Hlc,
  type RejectedCommit,
  type ReplicaId,
  type ReplicaStep,
  type Registers,
  type StoredReplica,
} from '@rejoin/core'
import { Outbox, type Mark } from './outbox.ts'
import type { Writer } from './recommit.ts'
import type { Replaced } from './replaced.ts'
import { nextSpeaker } from './speaker.ts'
import { UndoHistory } from './undo.ts'

export class ReplicaMemory {
  readonly replica: ReplicaId
  /** Whose id it had until it was opened this time; null where it was no copy then. */
  readonly copyOf: ReplicaId | null
  /** Counters up to here were given under former ids, before the folder was copied. */
  readonly formerCounter: Counter
  /** In whose name the hub was greeted last. */
  speaker: ReplicaId
  readonly outbox: Outbox
  readonly hlc: HlcClock
  readonly rejected = new Map<Counter, RejectedCommit>()
  /** Stamps of what was withdrawn in this run: where the log holds such a commit after all, a copy of this folder sent it. */
  readonly withdrawn = new Map<Counter, Hlc>()
  /** Of this run alone. */
  readonly history = new UndoHistory()
  /** Changed only by `ChangeFeed.swap`, so that the app hears the difference. */
  document: CrdtDocument
  /** Last counter given to a commit. */
  counter: Counter
  /** The highest counter known to be in the hub's log, and whose it is. */
  mark: Mark
  /** Up to where the document holds everything: this is what the hub is told. */
  applied: Cursor | null
  /** Up to where the store does too: this is what the app is told (invariant 6). */
  cursor: Cursor | null
  /** The newest version of the domain that the document is known to hold commits of, those in the outbox included. */
  domainVersion: number
  /**
   * The base may hold commits of former names that nothing named when they came: in a whole document, in this run or, for
   * all we know, in an earlier one.
   */
  mayHoldUnnamed: boolean
  /**
   * The log holds one of our commits with other bytes than ours (a push of a dead connection that arrived late, after we had
   * recommitted): then the document has content that nobody else has, and is to be made anew from the base, in whichever
   * exchange that can be done.
   */
  mustRebuild = false
  /** Sizes of the stored base, by which folding is decided. */
  snapshotBytes: number
  updateBytes: number

  constructor(
    stored: StoredReplica,
    document: CrdtDocument,
    replaced: ReadonlyMap<Counter, Replaced>,
    copyOf: ReplicaId | null,
  ) {
    this.replica = stored.identity.replica
    this.copyOf = copyOf
    this.document = document
    this.outbox = new Outbox(stored.outbox, replaced)
    for (const rejected of stored.rejected) this.rejected.set(rejected.commit.id.counter, rejected)
    this.hlc = new HlcClock(this.replica, stored.hlc)
    this.counter = stored.counter
    this.formerCounter = stored.formerCounter
    this.speaker = nextSpeaker(this)
    const prev = stored.outbox[0]?.prev ?? lastStanding(stored, this.rejected)
    this.mark = { replica: this.speaker, counter: prev }
    this.applied = stored.cursor
    this.cursor = stored.cursor
    this.domainVersion = newestVersion(stored.outbox, stored.identity.domainVersion)
    this.mayHoldUnnamed = copyOf === null
    this.snapshotBytes = stored.snapshotBytes
    this.updateBytes = stored.updateBytes
    this.absorbNewest()
  }

  /** The generation of the document, or null while it has no base. */
  get epoch(): Epoch | null {
    return this.applied?.epoch ?? null
  }

  /**
   * Whether everything up to `cursor` is here already.
   * @throws SyncError MESSAGE_UNEXPECTED where it is of another history: taken for ours, what it brings would be in no base.
   */
  covers({ epoch, seq, tag }: Cursor): boolean {
    const { applied } = this
    if (applied === null || applied.epoch !== epoch || seq > applied.seq) return false
    if (seq < applied.seq || tag === applied.tag) return true
    const what = `the hub's log at ${seq} is not the one that this replica has seen`
    throw new SyncError('MESSAGE_UNEXPECTED', `${what}; reconnecting`)
  }

  /** The counter before the next commit that still stands, of those that we made ourselves. */
  get lastStanding(): Counter {
    const { last } = this.outbox
    if (last !== null && last > this.formerCounter) return last
    return this.mark.replica === this.replica ? this.mark.counter : 0
  }

  /** The next stamp is above everything the document has seen. */
  absorbNewest(): void {
    const newest = this.document.newestHlc
    if (newest !== null) this.hlc.absorb(newest)
  }

  /** The document holds commits of this version: what the store has to record for that, before them or with them. */
  raiseVersion(domainVersion: number): readonly ReplicaStep[] {
    if (domainVersion <= this.domainVersion) return []
    this.domainVersion = domainVersion
    return [{ kind: 'domainVersion', domainVersion }]
  }

  /** A commit leaves the outbox for good without being in the base. */
  takeOut(counter: Counter, why: SyncError): void {
    this.outbox.reject(counter, why)
    this.history.forget(counter)
  }

  /** The outbox as it was made anew; those that were refused or could not be made anew are rejected. */
  replaceOutbox(outbox: readonly Commit[], rejected: readonly RejectedCommit[]): void {
    for (const entry of rejected) {
      const { code, message, path } = entry
      this.takeOut(entry.commit.id.counter, new SyncError(code, message, path === null ? {} : { path }))
      this.rejected.set(entry.commit.id.counter, entry)
    }
    this.outbox.replace(outbox)
  }

  noteAcked(mark: Mark): void {
    if (mark.counter > this.mark.counter) this.mark = mark
  }
}

/** Whether the document holds commits of a newer version of the domain than the app's. */
export function isTooNew({ domainVersion }: ReplicaMemory, domain: AnyDomain): boolean {
  return domainVersion > domain.version
}

/** Why nothing may be written here then, or null. */
export function tooNew(memory: ReplicaMemory, domain: AnyDomain): SyncError | null {
  return isTooNew(memory, domain) ? domainTooNew(domain, memory.domainVersion, 'this app') : null
}

export function newestVersion(commits: readonly Commit[], atLeast: number): number {
  return commits.reduce((newest, { domainVersion }) => Math.max(newest, domainVersion), atLeast)
}

/** Reads whatever document is the current one. */
export function registersOf(memory: ReplicaMemory): Registers {
  return {
    read: (table, key) => memory.document.read(table, key),
    scan: (table, prefix) => memory.document.scan(table, prefix),
    count: (table, parts) => memory.document.count?.(table, parts),
    contested: () => memory.document.contested(),
    tableNames: () => memory.document.tableNames(),
  }
}

/** The same without what this version of the domain does not know: what everything typed is read from. */
export function knownRegistersOf(memory: ReplicaMemory, domain: AnyDomain): Registers {
  return knownRegisters(domain, registersOf(memory), () => isTooNew(memory, domain))
}

/** A client id that this replica has never used: a clock is never used twice with different content. */
export function freshClientId(clock: Clock, taken: ClientId | null): ClientId {
  for (;;) {
    const id = randomUint32(clock)
    if (id >= CLIENT_ID_MIN && id !== taken) return id
  }
}

/** For a document that is made anew. */
export function freshWriter(clock: Clock, { replica, document }: ReplicaMemory): Writer {
  return writerOf(clock, replica, document.clientId)
}

export function writerOf(clock: Clock, replica: ReplicaId, taken: ClientId): Writer {
  return { replica, clientId: freshClientId(clock, taken), another: () => freshClientId(clock, taken) }
}

/**
 * With an empty outbox every counter given was acknowledged, rejected or, where it was never sent, withdrawn. A rejected one
 * that the app has discarded is not known here any more; the hub's next `CaughtUp` puts that right.
 */
function lastStanding(
  { counter, formerCounter, notes }: StoredReplica,
  rejected: ReadonlyMap<Counter, RejectedCommit>,
): Counter {
  let standing = Math.min(counter, notes.sentCounter)
  while (rejected.has(standing)) standing--
  return standing > formerCounter ? standing : 0
}
