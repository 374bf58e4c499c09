/**
 * A twin: another folder with this replica's id, a copy that could not be noticed when it was opened (an image of a disk). Its
 * commits stand in the log under our counters, so the hub takes ours for duplicates of them. Told by stamps, which no recommit
 * changes, and before anything is settled, rebuilt or believed (invariant 4).
 */
import { SyncError, type CaughtUp, type Counter, type Crdt, type Hlc, type TailCommit } from '@rejoin/core'
import type { ReplicaMemory } from './memory.ts'
import type { Mark, OutboxEntry } from './outbox.ts'
import { ownEntry } from './speaker.ts'

/**
 * @param known up to which counter our commits may be at a hub: sent, or acknowledged.
 * @throws SyncError REPLICA_TAKEN where the hub's mark of us is not a commit that was made here; or one that was withdrawn,
 * so that nobody can tell any more.
 */
export function checkMark(memory: ReplicaMemory, { ackedCounter, ackedHlc }: CaughtUp, known: Counter): void {
  const { replica, speaker } = memory
  const ours = stampOf(memory, { replica: speaker, counter: ackedCounter })
  // Of a former name we know what was made before the copy; what the others make since is theirs.
  const isUnknown =
    ours === null && speaker === replica && (ackedCounter > known || isNever(memory, ackedCounter))
  const isOther = ours !== null && ackedHlc !== null && ours !== ackedHlc
  if (isUnknown || isOther) throw taken(memory, ackedCounter)
}

/** @throws SyncError REPLICA_TAKEN where the log holds a commit under our id that was not made here. */
export function checkOwn(memory: ReplicaMemory, crdt: Crdt, { replica, counter, update }: TailCommit): void {
  if (update === null) return
  if (replica === memory.replica && isNever(memory, counter)) throw taken(memory, counter)
  const ours = stampOf(memory, { replica, counter })
  if (ours === null || isSame(ownEntry(memory, { replica, counter }), update)) return
  const theirs = loggedStamp(crdt, update)
  if (theirs !== null && theirs !== ours) throw taken(memory, counter)
}

/** We never gave this counter under our present id. */
function isNever({ counter: last, formerCounter }: ReplicaMemory, counter: Counter): boolean {
  return counter > last || (counter > 0 && counter <= formerCounter)
}

/**
 * Whether the log's bytes of our commit are others than ours and do not tell their stamp, since they only delete: whose
 * they are is known when `CaughtUp` names the stamp of the newest.
 */
export function isUntold(crdt: Crdt, own: OutboxEntry, update: Uint8Array | null): boolean {
  return update !== null && !isSame(own, update) && loggedStamp(crdt, update) === null
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

function isSame(own: OutboxEntry | undefined, update: Uint8Array): boolean {
  return own !== undefined && sameBytes(own.commit.update, update)
}

/** The stamp of a commit that is still here. */
function stampOf(memory: ReplicaMemory, { replica, counter }: Mark): Hlc | null {
  const commit = memory.outbox.get(counter)?.commit ?? memory.rejected.get(counter)?.commit
  if (commit !== undefined) return commit.id.replica === replica ? commit.hlc : null
  // Withdrawn are commits of ours alone.
  return replica === memory.replica ? (memory.withdrawn.get(counter) ?? null) : null
}

/** All entries of a commit carry its stamp. */
function loggedStamp(crdt: Crdt, update: Uint8Array): Hlc | null {
  if (update.length === 0) return null
  return crdt.updates.inspect(update).entries[0]?.hlc ?? null
}

function taken({ outbox }: ReplicaMemory, counter: Counter): SyncError {
  return new SyncError(
    'REPLICA_TAKEN',
    `the hub's log holds another commit ${counter} of this replica than this folder: this replica's id is used by a copy ` +
      `of its folder, or its folder was restored from an older copy; nothing of it is lost, ${outbox.size} commits are ` +
      'kept here: export or apply them in a new data folder',
  )
}
