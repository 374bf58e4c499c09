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
  type KeyParts,
  type RejectedCommit,
} from '@rejoin/core'
import { heldBy } from './inclusion.ts'
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
  /** Told as rejected, and in the log after all: a late push of a dead connection brought them. */
  readonly accepted: readonly CommitId[]
  /** The log may hold other bytes of what is settled. */
  readonly mustRebuild: boolean
}

/**
 * Whether neither the hub nor what this catch-up brought tells what became of a commit at or below the mark. What a document
 * brought of another of our names, when the hub was greeted in the name before it, is in the base, and nothing named it.
 */
export function leavesUntold(
  memory: ReplicaMemory,
  { ackedCounter }: CaughtUp,
  gathered: ResetBuffer | null,
): boolean {
  if (gathered !== null && gathered.snapshot !== null) return false
  const named = namedBy(memory, ackedCounter, gathered)
  return entriesUpTo(memory, markHere(memory, ackedCounter)).some(
    ({ commit }) => !named.has(commitName(commit.id)),
  )
}

/**
 * @param gathered the document that this catch-up brought, if it did, and tails of which nothing was settled when they came.
 * @param base the acknowledged base before this catch-up, where `leavesUntold`.
 * @param unsentAbove commits above were not sent by us: who has sent them shares our name.
 */
export function planSettlement(
  memory: ReplicaMemory,
  { unsentAbove }: Pick<Connection, 'unsentAbove'>,
  crdt: Crdt,
  { ackedCounter, ackedHlc }: CaughtUp,
  gathered: ResetBuffer | null,
  base: readonly Uint8Array[] | null,
): Settlement {
  const mark = markHere(memory, ackedCounter)
  const whole = gathered?.snapshot?.snapshot ?? null
  const named = namedBy(memory, ackedCounter, gathered)
  const held = heldBy(crdt, whole === null ? (base ?? []) : [whole])
  const seen = look(crdt, held, () => (whole === null ? (base ?? []) : [whole, ...(gathered?.updates ?? [])]))
  const isIn = (entry: OutboxEntry): boolean => {
    const { id } = entry.commit
    if (named.has(commitName(id))) return true
    const isFormer = id.replica !== memory.replica
    if (whole === null) {
      // Where every commit since came with its name, one that is missing is missing, whatever stands in its place.
      return base !== null && (seen.holds(entry) || (isFormer && memory.mayHoldUnnamed && seen.isPast(entry)))
    }
    // A document does not name its commits. What we have sent ourselves the hub's mark tells of.
    const isOurs = !isFormer && id.counter <= (unsentAbove ?? id.counter)
    return isOurs || seen.holds(entry) || seen.isPast(entry)
  }
  const isAccepted = ({ commit }: RejectedCommit): boolean => {
    const { id, hlc } = commit
    if (id.replica === memory.speaker && id.counter === ackedCounter) return hlc === ackedHlc
    return whole !== null && seen.holds({ commit })
  }
  const settled: Commit[] = []
  const passed: Commit[] = []
  for (const entry of entriesUpTo(memory, mark)) {
    if (isIn(entry)) settled.push(entry.commit)
    else passed.push(entry.commit)
  }
  return {
    mark,
    settled: settled.map(({ id }) => id.counter),
    passed: passed.map(({ id }) => id.counter),
    accepted: [...memory.rejected.values()].filter(isAccepted).map(({ commit }) => commit.id),
    mustRebuild: !settled.every(({ update }) => update.length === 0 || held(update)),
  }
}

/** The commits that the hub names in this catch-up: the mark's own one, with its stamp, and those of tails. */
function namedBy(
  { speaker }: ReplicaMemory,
  ackedCounter: Counter,
  gathered: ResetBuffer | null,
): ReadonlySet<string> {
  const named = new Set([commitName({ replica: speaker, counter: ackedCounter })])
  for (const commit of gathered?.commits ?? []) named.add(commitName(commit))
  return named
}

function entriesUpTo({ outbox }: ReplicaMemory, { counter }: Mark): readonly OutboxEntry[] {
  return outbox.entries().filter(({ commit }) => commit.id.counter <= counter)
}

interface Look {
  /** The commit is there: its very items, or an entry with its stamp, which nobody else gives. */
  readonly holds: (entry: Pick<OutboxEntry, 'commit'>) => boolean
  /**
   * It may have been: nothing is left of what it replaced, and something as new stands wherever it set something. Where
   * others have removed that since, it is told once too often rather than never.
   */
  readonly isPast: (entry: OutboxEntry) => boolean
}

/** @param held whether the very items of an update are there. @param parts of the document, for what that does not tell. */
function look(crdt: Crdt, held: (update: Uint8Array) => boolean, parts: () => readonly Uint8Array[]): Look {
  let opened: CrdtDocument | null = null
  const read = (table: string, key: KeyParts): readonly Entry[] =>
    (opened ??= crdt.open(CLIENT_ID_MIN, parts())).read(table, key)
  const setBy = ({ update }: Commit): readonly Entry[] =>
    update.length === 0 ? [] : crdt.updates.inspect(update).entries
  return {
    holds: ({ commit }) =>
      held(commit.update) ||
      setBy(commit).some(({ table, key }) => read(table, key).some(({ hlc }) => hlc === commit.hlc)),
    isPast: ({ commit, replaced }) => {
      if (commit.update.length === 0) return true
      const isLeft = (line: string): boolean =>
        read(...placeOf(line)).some((live) => entryLine(live) === line)
      const isAsNew = ({ table, key }: Entry): boolean =>
        read(table, key).some(({ hlc }) => hlc >= commit.hlc)
      return ![...replaced].some(isLeft) && setBy(commit).every(isAsNew)
    },
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
