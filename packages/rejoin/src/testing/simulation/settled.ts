/** What must be true of one namespace once everybody has come to rest (`docs/SPEC.md`). */
import { commitName, type CrdtUpdates, type HubStore } from '@rejoin/core'
import { verifyNamespace } from '@rejoin/hub'
import { checkSettled, type AcceptedCommit, type Finding, type LoggedCommit } from '@rejoin/testkit'
import { observeReplica } from '../observation.ts'
import { unrulyMerges } from '../merges.ts'
import type { AcceptedBook } from './accepted-book.ts'
import type { History } from './history.ts'
import type { LogBook } from './log-book.ts'
import type { ReplicaProcess } from './replica-process.ts'
import { isExcused } from './resting.ts'
import type { SimulatedNamespace } from './world-options.ts'

export interface SettledParts {
  readonly namespace: SimulatedNamespace
  readonly book: LogBook
  readonly accepted: AcceptedBook
  readonly replicas: readonly ReplicaProcess[]
  /** Came last, from a log that was just folded; null where there is nothing to come to. */
  readonly newcomer: ReplicaProcess | null
  readonly store: HubStore
  readonly updates: CrdtUpdates
  readonly history: History
}

export async function settledFindings(parts: SettledParts): Promise<readonly Finding[]> {
  const { namespace, book, replicas, newcomer, store, updates, history } = parts
  const { domain, name } = namespace
  if (book.isRemoved) return deletedFindings(parts)
  const seen = []
  for (const process of replicas) {
    if (!process.isOpen || isExcused(process, book)) continue
    const observed = await observe(process)
    seen.push(observed)
    history.mix(observed.encoding)
    history.tell(process, 'ok', 'read', { entries: observed.entries })
  }
  const read = await readAll(book)
  const accepted = acceptedIn(parts)
  const logged = withLost(parts, accepted, read.commits)
  const merges = unrulyMerges(
    domain,
    accepted.flatMap(({ sets }) => sets),
  )
  const verified = book.head === 0 ? [] : (await verifyNamespace(store, updates, name)).faults
  const late = newcomer === null || !newcomer.isOpen ? null : await observe(newcomer)
  return [
    ...merges.map((what) => ({ rule: 1, what })),
    ...checkSettled(domain, { replicas: seen, accepted, logged, logFault: read.fault }, late).filter(
      (finding) => !isKeptElsewhere(finding, parts),
    ),
    ...verified.map(({ seq, message }) => ({ rule: 13, what: `record ${seq}: ${message}` })),
  ]
}

function observe(process: ReplicaProcess): ReturnType<typeof observeReplica> {
  const { domain, replica, place } = process
  return observeReplica(domain, replica, place.store, (counter) => process.fullName(counter))
}

async function readAll(
  book: LogBook,
): Promise<{ readonly commits: readonly LoggedCommit[]; readonly fault: string | null }> {
  try {
    return { commits: await book.read(), fault: null }
  } catch (error) {
    return { commits: [], fault: String(error) }
  }
}

/**
 * Of this namespace's replicas, in the order of acceptance. What waits in the outbox of one that was refused for good is kept
 * there, and it was told.
 */
function acceptedIn({ accepted, replicas, book }: SettledParts): readonly AcceptedCommit[] {
  const authors = new Set(replicas.map(({ index }) => index))
  const kept = new Set(
    replicas
      .filter((process) => isExcused(process, book))
      .flatMap(({ replica }) => replica.outbox.map(({ id }) => commitName(id))),
  )
  const rejected = new Set(
    replicas
      .filter(({ isOpen }) => isOpen)
      .flatMap(({ replica }) => replica.rejected.map(({ commit }) => commitName(commit.id))),
  )
  return [...accepted.all]
    .filter(({ author, name }) => authors.has(author) && !(kept.has(name) && !book.has(name)))
    .map((commit): AcceptedCommit => {
      // Said once more by a dead connection, a commit may come into the log after all; then it is rejected no longer.
      const isIn = commit.fate === 'rejected' && book.has(commit.name) && !rejected.has(commit.name)
      return isIn ? { ...commit, fate: 'open' } : commit
    })
}

/**
 * What the log had and lost was brought back by a replica, as bytes: its effects count, and not its place. Also that of a
 * commit which came again without bytes, since its bytes were there.
 */
function withLost(
  { book }: SettledParts,
  accepted: readonly AcceptedCommit[],
  logged: readonly LoggedCommit[],
): readonly LoggedCommit[] {
  if (!book.hasLost) return logged
  const effects = new Map(accepted.map(({ name, sets }) => [name, sets]))
  return [
    ...logged.map(({ name, sets }) => ({
      name,
      sets: [...new Set([...sets, ...(effects.get(name) ?? [])])],
    })),
    ...accepted.filter(({ name, fate }) => fate === 'open' && book.wasLost(name)),
  ]
}

/** Who was refused for good keeps what it has, and was told: what was lost need not be here. */
function isKeptElsewhere({ rule, what }: Finding, { book, replicas }: SettledParts): boolean {
  if (rule !== 19 || !replicas.some((process) => isExcused(process, book))) return false
  return book.everLost.some((name) => what.includes(name))
}

/** Replicas keep what they have; the hub has nothing, and gets nothing. */
function deletedFindings({ replicas, namespace }: SettledParts): readonly Finding[] {
  return replicas
    .filter(({ isOpen, replica }) => isOpen && replica.status.state === 'live')
    .map(({ index }) => ({
      rule: 21,
      what: `replica ${index} is live in ${namespace.name}, which was deleted`,
    }))
}
