/**
 * A twin: another folder with this replica's id, since the folder was copied, or restored from an older copy. Its commits
 * stand in the log under our counters, so the hub takes ours for duplicates of them. Told by stamps, which no recommit
 * changes, and before anything is settled, rebuilt or believed (invariant 4).
 */
import { SyncError, type CaughtUp, type Counter, type Crdt, type Hlc, type TailCommit } from '@rejoin/core'
import type { ReplicaMemory } from './memory.ts'
import type { OutboxEntry } from './outbox.ts'

/**
 * @param known up to which counter our commits may be at a hub: sent, or acknowledged.
 * @throws SyncError REPLICA_TAKEN where the hub's mark of us is not a commit that was made here; or one that was withdrawn,
 * so that nobody can tell any more.
 */
export function checkMark(memory: ReplicaMemory, { ackedCounter, ackedHlc }: CaughtUp, known: Counter): void {
  if (ackedCounter > memory.counter) throw taken(memory, ackedCounter)
  const ours = stampOf(memory, ackedCounter)
  if (ours === null ? ackedCounter > known : ackedHlc !== null && ours !== ackedHlc) {
    throw taken(memory, ackedCounter)
  }
}

/** @throws SyncError REPLICA_TAKEN where the log holds a commit under our id that was not made here. */
export function checkOwn(memory: ReplicaMemory, crdt: Crdt, { replica, counter, update }: TailCommit): void {
  if (replica !== memory.replica || update === null) return
  if (counter > memory.counter) throw taken(memory, counter)
  const ours = stampOf(memory, counter)
  if (ours === null || isSame(memory.outbox.get(counter), update)) return
  const theirs = loggedStamp(crdt, update)
  if (theirs !== null && theirs !== ours) throw taken(memory, counter)
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
function stampOf(memory: ReplicaMemory, counter: Counter): Hlc | null {
  const commit = memory.outbox.get(counter)?.commit ?? memory.rejected.get(counter)?.commit
  return commit?.hlc ?? memory.withdrawn.get(counter) ?? null
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
