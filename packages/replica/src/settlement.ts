/**
 * What a `CaughtUp` settles, as a value. What is at or below the hub's mark is in its log, and so in what was received; but
 * for what the log went past without: where a copy of this folder withdrew a commit that both had, or had it refused, the
 * commits after it are in the log and this one never will be.
 */
import {
  CLIENT_ID_MIN,
  commitName,
  entryLine,
  type CaughtUp,
  type Commit,
  type CommitId,
  type Counter,
  type Crdt,
  type CrdtDocument,
  type Entry,
  type RejectedCommit,
} from '@rejoin/core'
import { areIn } from './inclusion.ts'
import type { ReplicaMemory } from './memory.ts'
import type { Mark, OutboxEntry } from './outbox.ts'
import { passedRefusal } from './refusals.ts'
import { placeOf } from './replaced.ts'
import type { ResetBuffer } from './reset-buffer.ts'
import { markHere } from './speaker.ts'
import type { Connection } from './status.ts'

export interface Settlement {
  readonly mark: Mark
  /** In the log, and not settled yet. */
  readonly settled: readonly Counter[]
  readonly passed: readonly Counter[]
  /** The log may hold other bytes of what is settled. */
  readonly mustRebuild: boolean
}

/**
 * @param gathered the document that this catch-up brought, if it did, and tails of which nothing was settled when they came.
 * @param unsentAbove commits above were not sent by us: who has sent them shares our name.
 */
export function planSettlement(
  memory: ReplicaMemory,
  { unsentAbove }: Pick<Connection, 'unsentAbove'>,
  crdt: Crdt,
  { ackedCounter }: CaughtUp,
  gathered: ResetBuffer | null,
): Settlement {
  const { outbox, speaker } = memory
  const mark = markHere(memory, ackedCounter)
  const whole = gathered?.snapshot?.snapshot ?? null
  // The hub has named the mark's own commit, with its stamp.
  const named = new Set([commitName({ replica: speaker, counter: ackedCounter })])
  for (const commit of gathered?.commits ?? []) named.add(commitName(commit))
  const inWhole = gathered === null || whole === null ? () => false : lookIn(crdt, gathered, whole)
  const isIn = (entry: OutboxEntry): boolean => {
    const { id } = entry.commit
    if (named.has(commitName(id))) return true
    if (whole === null) return false
    // A document does not name its commits. What we have sent ourselves the hub's mark tells of.
    const isOurs = id.replica === memory.replica && id.counter <= (unsentAbove ?? id.counter)
    return isOurs || inWhole(entry)
  }
  const settled: Commit[] = []
  const passed: Commit[] = []
  for (const entry of outbox.walk()) {
    if (entry.commit.id.counter > mark.counter) break
    if (isIn(entry)) settled.push(entry.commit)
    else passed.push(entry.commit)
  }
  const updates = settled.map(({ update }) => update)
  return {
    mark,
    settled: settled.map(({ id }) => id.counter),
    passed: passed.map(({ id }) => id.counter),
    mustRebuild: !areIn(crdt, whole, updates),
  }
}

/**
 * Whether a document has what a commit did: its very items, or nothing left of what it replaced and something as new
 * wherever it set something. Where others have removed that since, it is told once too often rather than never.
 */
function lookIn(crdt: Crdt, gathered: ResetBuffer, snapshot: Uint8Array): (entry: OutboxEntry) => boolean {
  let document: CrdtDocument | null = null
  return ({ commit, replaced }) => {
    if (areIn(crdt, snapshot, [commit.update])) return true
    const found = (document ??= crdt.open(CLIENT_ID_MIN, [snapshot, ...gathered.updates]))
    const isLeft = (line: string): boolean => {
      const [table, key] = placeOf(line)
      return found.read(table, key).some((live) => entryLine(live) === line)
    }
    const isAsNew = ({ table, key }: Entry): boolean =>
      found.read(table, key).some(({ hlc }) => hlc >= commit.hlc)
    return ![...replaced].some(isLeft) && crdt.updates.inspect(commit.update).entries.every(isAsNew)
  }
}

/** What the app is told of a commit that the log went past without. */
export function rejectedPassed({ outbox }: ReplicaMemory, counter: Counter): readonly RejectedCommit[] {
  const entry = outbox.get(counter)
  return entry === undefined ? [] : [{ commit: entry.commit, ...passedRefusal }]
}

/** The log holds this commit. Notes are for a hub that we greet in our own name. */
export function noteInLog(
  memory: ReplicaMemory,
  connection: Connection,
  { replica, counter }: CommitId,
): void {
  memory.noteAcked({ replica, counter })
  if (replica === memory.replica) connection.noteMark(counter)
}
