/**
 * In whose name we speak. The folder of a replica that was copied gives it another id, but what waited in the outbox then
 * is in every copy, and keeps the id under which it was made: whichever copy pushes it, the log holds it once. So the hub is
 * greeted in the name of who made the first commit of the outbox, and anew when the commits of that name are gone. Counters
 * rise on from name to name: each has a range of them of its own, and so one counter says how far all of them are.
 */
import type { Counter, ReplicaId, TailCommit } from '@rejoin/core'
import type { Mark, Outbox, OutboxEntry } from './outbox.ts'

/** Of a replica's memory. */
export interface Names {
  /** Our own. */
  readonly replica: ReplicaId
  /** Counters up to here were given under former names. */
  readonly formerCounter: Counter
  /** In whose name the hub was greeted last. */
  readonly speaker: ReplicaId
  readonly outbox: Outbox
}

/** In whose name the hub is to be greeted now. */
export function nextSpeaker({ outbox, replica }: Pick<Names, 'outbox' | 'replica'>): ReplicaId {
  return outbox.first?.commit.id.replica ?? replica
}

/** Whether the present session has nothing more to say: it speaks in a former name, and the commits of that are gone. */
export function hasSpoken(names: Names): boolean {
  return names.speaker !== names.replica && names.speaker !== nextSpeaker(names)
}

/** What the hub says of the speaker's commits, as far as they were made here: what others made under a former name is theirs. */
export function markHere({ speaker, replica, outbox, formerCounter }: Names, counter: Counter): Mark {
  if (speaker === replica) return { replica, counter }
  let last = formerCounter
  for (const { commit } of outbox.walk()) {
    if (commit.id.replica === speaker) continue
    last = Math.min(last, commit.id.counter - 1)
    break
  }
  return { replica: speaker, counter: Math.min(counter, last) }
}

/** The commit of ours that the log has brought, where it is still in the outbox. */
export function ownEntry(
  { outbox }: Pick<Names, 'outbox'>,
  { replica, counter }: Pick<TailCommit, 'replica' | 'counter'>,
): OutboxEntry | undefined {
  const entry = outbox.get(counter)
  return entry?.commit.id.replica === replica ? entry : undefined
}
