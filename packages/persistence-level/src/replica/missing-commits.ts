/**
 * Which commits of an outbox are not there any more, where their values are gone without a trace: each commit names the one
 * before it, and the replica's record knows how many values there were and up to where it counted. What cannot be told for
 * certain is said to be so, and then the base is not taken for whole either.
 */
import type { Commit, Counter } from '@rejoin/core'
import type { ReplicaMeta } from './replica-meta.ts'

export interface OutboxFound {
  readonly meta: Pick<ReplicaMeta, 'identity' | 'formerCounter' | 'counter' | 'notes'>
  /** The whole ones, in counter order. */
  readonly outbox: readonly Commit[]
  /** Counters of values that are there, whole or not, of the outbox or rejected. */
  readonly present: ReadonlySet<Counter>
}

export interface MissingCommits {
  /** In rising order. */
  readonly lost: readonly Counter[]
  /** Whether nothing else can be missing. */
  readonly isAll: boolean
  /** Counters at the end: their commits were lost, or withdrawn, or acknowledged long ago. */
  readonly perhaps: { readonly after: Counter; readonly upTo: Counter } | null
}

/** @param count how many values of the replica are missing, at least one. */
export function missingCommits(found: OutboxFound, count: number): MissingCommits {
  const { certain, likely } = holesOf(found, count)
  const rising = (counters: readonly Counter[]): Counter[] => counters.toSorted((a, b) => a - b)
  if (certain.length === count) return { lost: rising(certain), isAll: true, perhaps: null }
  const all = [...certain, ...likely]
  if (all.length === count) return { lost: rising(all), isAll: true, perhaps: null }
  const lost = rising(all.length < count ? all : certain)
  return { lost, isAll: false, perhaps: lost.length < count ? endOf(found) : null }
}

interface Holes {
  /** A commit that is there was made right after each of them, and no hub can have had it. */
  readonly certain: readonly Counter[]
  /** They lie between, where counters may have been passed over. */
  readonly likely: readonly Counter[]
}

function holesOf({ meta, outbox, present }: OutboxFound, count: number): Holes {
  const certain: Counter[] = []
  const likely: Counter[] = []
  const { replica } = meta.identity
  const { ackedCounter, sentCounter } = meta.notes
  let before: Commit | null = null
  for (const commit of outbox) {
    const { id, prev } = commit
    const isFirst = before?.id.replica !== id.replica
    // Of a former identity nobody here knows what was acknowledged.
    const floor = !isFirst
      ? (before?.id.counter ?? 0)
      : id.replica === replica
        ? Math.max(ackedCounter, meta.formerCounter)
        : prev
    before = commit
    if (prev <= floor) continue
    if (!present.has(prev)) (isFirst && prev <= sentCounter ? likely : certain).push(prev)
    // More than are missing at all say no more than that.
    for (let counter = prev - 1; counter > floor && likely.length <= count; counter--)
      if (!present.has(counter)) likely.push(counter)
  }
  return { certain, likely }
}

function endOf({ meta, present }: OutboxFound): MissingCommits['perhaps'] {
  const after = Math.max(meta.notes.ackedCounter, meta.formerCounter, ...present)
  return after < meta.counter ? { after, upTo: meta.counter } : null
}
