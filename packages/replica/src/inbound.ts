/**
 * Inbound (the applier): what the hub's messages do to the replica. Others' commits are applied in one transaction and go
 * to the store with the new cursor in one step, cursor last; our own come back from the log and leave the outbox with it
 * (invariants 6, 8, 9, 10).
 */
import {
  SyncError,
  type AnyDomain,
  type CaughtUp,
  type Clock,
  type Commit,
  type CommitId,
  type Counter,
  type Crdt,
  type Cursor,
  type NewerDomain,
  type RejectedCommit,
  type ReplicaStep,
  type Snapshot,
  type Tail,
  type TailCommit,
} from '@rejoin/core'
import { broughtNothing, type Brought } from './brought.ts'
import type { ChangeFeed } from './change-feed.ts'
import type { Folding } from './folding.ts'
import { freshWriter, newestVersion, tooNew, type ReplicaMemory } from './memory.ts'
import type { Mark } from './outbox.ts'
import type { PendingWrites } from './pending-writes.ts'
import { recommit } from './recommit.ts'
import type { ResetBuffer } from './reset-buffer.ts'
import { noteInLog, planSettlement, rejectedPassed } from './settlement.ts'
import { ownEntry } from './speaker.ts'
import type { Connection } from './status.ts'
import { checkMark, checkOwn, isUntold, sameBytes } from './twin.ts'

export class Inbound {
  readonly #memory: ReplicaMemory
  readonly #writes: PendingWrites
  readonly #feed: ChangeFeed
  readonly #folding: Folding
  readonly #connection: Connection
  readonly #crdt: Crdt
  readonly #domain: AnyDomain
  readonly #clock: Clock

  constructor(parts: {
    memory: ReplicaMemory
    writes: PendingWrites
    feed: ChangeFeed
    folding: Folding
    connection: Connection
    crdt: Crdt
    domain: AnyDomain
    clock: Clock
  }) {
    this.#memory = parts.memory
    this.#writes = parts.writes
    this.#feed = parts.feed
    this.#folding = parts.folding
    this.#connection = parts.connection
    this.#crdt = parts.crdt
    this.#domain = parts.domain
    this.#clock = parts.clock
  }

  /**
   * Call it before anything of the tail is taken.
   * @param isLive no `CaughtUp` follows it.
   * @throws SyncError REPLICA_TAKEN; MESSAGE_UNEXPECTED where only a `CaughtUp` can tell.
   */
  checkTail({ commits }: Tail, isLive: boolean): void {
    const memory = this.#memory
    for (const commit of commits) {
      checkOwn(memory, this.#crdt, commit)
      if (!isLive || !this.#isUntold(commit)) continue
      throw unexpected(`the log holds commit ${commit.counter} with other bytes that do not tell their stamp`)
    }
  }

  /** Whether only `CaughtUp` can tell whose commit something in the tail is: then it is taken with that. */
  hasUntold({ commits }: Tail): boolean {
    return commits.some((commit) => this.#isUntold(commit))
  }

  /** @throws SyncError REPLICA_TAKEN: then nothing of the catch-up that this ends may be taken. */
  checkCaughtUp(message: CaughtUp): void {
    const { sentCounter, ackedCounter } = this.#connection.notes
    checkMark(this.#memory, message, Math.max(sentCounter, ackedCounter))
  }

  /** Recorded before the first commit of that version can be. */
  newerDomain({ domainVersion }: NewerDomain): void {
    const steps = this.#memory.raiseVersion(domainVersion)
    if (steps.length > 0) this.#writes.add(steps)
    const newer = tooNew(this.#memory, this.#domain)
    if (newer !== null) this.#connection.noteFailure(newer)
  }

  /** @throws SyncError MESSAGE_UNEXPECTED, or what `CrdtDocument.apply` throws; then nothing changed. */
  tail({ cursor, commits }: Tail): Brought {
    const memory = this.#memory
    this.#checkEpoch(cursor)
    if (memory.covers(cursor)) return { ...broughtNothing, pulled: commits.length }
    const updates: Uint8Array[] = []
    const others: Uint8Array[] = []
    const settled: Counter[] = []
    let applied = 0
    let isOther = false
    for (const { replica, counter, update } of commits) {
      const own = ownEntry(memory, { replica, counter })
      const bytes = update ?? own?.commit.update
      if (bytes === undefined) {
        throw unexpected(
          `the tail names ${replica}:${counter} without bytes, and the outbox has no such commit`,
        )
      }
      if (own !== undefined && !isUntold(this.#crdt, own, update)) {
        settled.push(counter)
        if (update !== null && !sameBytes(update, own.commit.update)) isOther = true
      } else if (replica !== memory.replica) applied++
      if (bytes.length === 0) continue
      updates.push(bytes)
      if (update !== null) others.push(bytes)
    }
    if (others.length > 0) memory.document.apply(others)
    memory.mustRebuild ||= isOther
    memory.absorbNewest()
    this.#settle(settled)
    const remote: ReplicaStep = { kind: 'remote', updates, settled, cursor, hlc: memory.hlc.last }
    this.#advance(cursor, [remote, ...this.#accepted(commits)])
    return { pulled: commits.length, applied, passed: [] }
  }

  /** Merges: pending commits stay (invariant 10). */
  snapshot({ cursor, snapshot }: Snapshot): void {
    this.#checkEpoch(cursor)
    if (this.#memory.covers(cursor)) return
    this.#memory.document.apply([snapshot])
    this.#memory.absorbNewest()
    this.#advance(cursor, [{ kind: 'snapshot', snapshot, cursor, hlc: this.#memory.hlc.last }])
  }

  /**
   * Settle first. @param gathered the snapshot of this catch-up, if it had one, and tails that came to be taken with it.
   * @param base the acknowledged one before it, where `leavesUntold`.
   */
  caughtUp(message: CaughtUp, gathered: ResetBuffer | null, base: readonly Uint8Array[] | null): Brought {
    const memory = this.#memory
    const { cursor } = message
    if (cursor !== null) this.#checkEpoch(cursor)
    const plan = planSettlement(memory, this.#connection, this.#crdt, message, gathered, base)
    const { mark, settled, passed, accepted, mustRebuild } = plan
    memory.outbox.unmarkAbove(mark.counter)
    this.#settle(settled)
    memory.mustRebuild ||= mustRebuild
    this.#noteMark(mark)
    const mended = memory.outbox.mendPrev(mark)
    const moves = cursor !== null && !memory.covers(cursor)
    const steps: ReplicaStep[] = []
    if (settled.length > 0 && passed.length === 0) steps.push({ kind: 'settle', upTo: mark.counter })
    if (mended || (settled.length > 0 && passed.length > 0)) steps.push(this.#outboxAsItIs())
    if (moves) steps.push({ kind: 'remote', updates: [], settled: [], cursor, hlc: memory.hlc.last })
    steps.push(...this.#accepted(accepted))
    if (steps.length > 0) this.#advance(moves ? cursor : memory.applied, steps)
    return { ...broughtNothing, passed }
  }

  /** A document of another epoch: settle, then recommit what is uncommitted onto it, all at once (invariant 9). */
  reset(document: ResetBuffer, message: CaughtUp): Brought {
    const memory = this.#memory
    const { cursor } = message
    if (cursor === null) throw unexpected('a reset ended without a cursor')
    const { commits, updates } = document
    const snapshot = document.snapshot?.snapshot ?? null
    const base = snapshot === null ? updates : [snapshot, ...updates]
    const { mark, settled, passed, accepted } = planSettlement(
      memory,
      this.#connection,
      this.#crdt,
      message,
      document,
      null,
    )
    memory.outbox.unmarkAbove(mark.counter)
    const rest = memory.outbox.entries().filter(({ commit }) => commit.id.counter > mark.counter)
    const writer = freshWriter(this.#clock, memory)
    const { clientId } = writer
    const anew = recommit(this.#crdt, this.#domain, writer, base, rest, mark)
    const { outbox } = anew
    const rejected = [...anew.failed, ...passed.flatMap((counter) => rejectedPassed(memory, counter))]
    this.#settle(settled)
    this.#noteMark(mark)
    this.#replaceOutbox(outbox, rejected)
    this.#feed.swap(anew.document)
    const steps: ReplicaStep[] = [
      { kind: 'reset', snapshot, updates, cursor, clientId, outbox, hlc: memory.hlc.last },
    ]
    if (rejected.length > 0) steps.push({ kind: 'recommit', clientId, outbox, rejected })
    this.#advance(cursor, [...steps, ...this.#accepted([...commits, ...accepted])], outbox)
    const applied = commits.filter(({ replica }) => replica !== memory.replica).length
    return { ...broughtNothing, pulled: commits.length, applied }
  }

  /**
   * The document made anew from the acknowledged base, without the refused commits. `base` was just read from the store,
   * and nothing of ours was awaited since: commits made meanwhile are in the outbox and so in the new document.
   */
  rebuild(base: readonly Uint8Array[], refused: readonly RejectedCommit[]): void {
    const memory = this.#memory
    const out = new Set(refused.map(({ commit }) => commit.id.counter))
    const entries = memory.outbox.entries()
    const writer = freshWriter(this.#clock, memory)
    const { clientId } = writer
    const anew = recommit(this.#crdt, this.#domain, writer, base, entries, memory.mark, out)
    const { document, outbox, failed } = anew
    const rejected = [...refused, ...failed]
    this.#replaceOutbox(outbox, rejected)
    this.#feed.swap(document)
    this.#writes.add([{ kind: 'recommit', clientId, outbox, rejected }], () => {
      memory.outbox.markSaved(outbox, this.#writes.durability)
      this.#connection.changed()
    })
    this.#tell()
  }

  #checkEpoch(cursor: Cursor): void {
    const { epoch } = this.#memory
    if (epoch === null || epoch === cursor.epoch) return
    throw unexpected(
      `the hub sent epoch ${cursor.epoch} without a reset; this replica stands in epoch ${epoch}`,
    )
  }

  #outboxAsItIs(): ReplicaStep {
    const { outbox, document } = this.#memory
    const commits = outbox.entries().map(({ commit }) => commit)
    return { kind: 'recommit', clientId: document.clientId, outbox: commits, rejected: [] }
  }

  /** A late push of a dead connection may bring into the log what was refused meanwhile: then it is rejected no longer. */
  #accepted(commits: readonly CommitId[]): readonly ReplicaStep[] {
    const { rejected } = this.#memory
    return commits.flatMap(({ replica, counter }): readonly ReplicaStep[] => {
      if (rejected.get(counter)?.commit.id.replica !== replica) return []
      rejected.delete(counter)
      return [{ kind: 'discard', counter }]
    })
  }

  #settle(counters: readonly Counter[]): void {
    // What the hub said when it greeted us: the `Ack` of each may have been lost.
    const as = this.#connection.acked ?? 'applied'
    for (const counter of counters) {
      const id = this.#memory.outbox.settle(counter, as)
      if (id !== null) noteInLog(this.#memory, this.#connection, id)
    }
  }

  #noteMark(mark: Mark): void {
    this.#memory.mark = mark
    if (mark.replica === this.#memory.replica) this.#connection.setMark(mark.counter)
  }

  #isUntold(commit: TailCommit): boolean {
    const own = ownEntry(this.#memory, commit)
    return own !== undefined && isUntold(this.#crdt, own, commit.update)
  }

  #replaceOutbox(outbox: readonly Commit[], rejected: readonly RejectedCommit[]): void {
    this.#memory.replaceOutbox(outbox, rejected)
    const steps = this.#memory.raiseVersion(newestVersion(outbox, 1))
    if (steps.length > 0) this.#writes.add(steps)
  }

  /** Memory stands at `applied` now; the app is told the cursor once the store does too. */
  #advance(applied: Cursor | null, steps: readonly ReplicaStep[], saved: readonly Commit[] = []): void {
    const memory = this.#memory
    memory.applied = applied
    this.#writes.add(steps, () => {
      memory.cursor = applied
      memory.outbox.markSaved(saved, this.#writes.durability)
      this.#folding.recorded(steps)
      this.#connection.changed()
    })
    this.#tell()
  }

  #tell(): void {
    this.#feed.release()
    this.#connection.changed()
  }
}

function unexpected(what: string): SyncError {
  return new SyncError('MESSAGE_UNEXPECTED', `${what}; reconnecting`)
}
