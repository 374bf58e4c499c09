/** What a replica that was closed could not save: the commits by name, and whole, so that none is lost without a word. */
import { commitName, SyncError, type AnyOp, type Commit, type ErrorCode } from '@rejoin/core'
import type { ReplicaMemory } from './memory.ts'

/** Commits that a message names. */
const NAMED_MAX = 12

/** Ends a `close` that could not save everything; its code is that with which the store failed. */
export class UnsavedError extends SyncError {
  /**
   * Commits made here that were never saved, in counter order: whole, so that an app can keep them elsewhere and apply their
   * ops again. Empty where all that is not saved is what came from the hub, which comes again.
   */
  readonly commits: readonly Commit[]

  constructor(
    code: ErrorCode,
    message: string,
    commits: readonly Commit[],
    options: { readonly cause?: unknown } = {},
  ) {
    super(code, message, options)
    this.commits = commits
  }
}

export function unsavedError(namespace: string, commits: readonly Commit[], cause: SyncError): UnsavedError {
  const message = `${namespace} was closed: ${unsavedText(commits)}; ${cause.message}`
  return new UnsavedError(cause.code, message, commits, { cause })
}

/** Those of `waiting` that were not taken back since, as they are now. */
export function unsavedCommits(memory: ReplicaMemory, waiting: readonly Commit[]): readonly Commit[] {
  return waiting.flatMap(({ id: { counter } }) => {
    const commit = memory.outbox.get(counter)?.commit ?? memory.rejected.get(counter)?.commit
    return commit ?? []
  })
}

function unsavedText(commits: readonly Commit[]): string {
  if (commits.length === 0) {
    return 'every commit made here is saved, but not the last of what came from the hub, or was withdrawn or discarded'
  }
  const named = commits.slice(0, NAMED_MAX).map(({ id, ops }) => `${commitName(id)} (${typesText(ops)})`)
  const more = commits.length > NAMED_MAX ? ` and ${commits.length - NAMED_MAX} more` : ''
  const are = commits.length === 1 ? 'commit is' : 'commits are'
  return `${commits.length} ${are} not saved, ${named.join(', ')}${more}`
}

/** `2 ItemSet, ListRemoved`. */
function typesText(ops: readonly AnyOp[]): string {
  const counts = new Map<string, number>()
  for (const { type } of ops) counts.set(type, (counts.get(type) ?? 0) + 1)
  return [...counts].map(([type, count]) => (count === 1 ? type : `${count} ${type}`)).join(', ')
}
