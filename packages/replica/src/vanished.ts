/**
 * A store that vanished: a browser may evict it, and people clear it. A witness kept apart from it tells that from a store that
 * never was (`HAZARDS.md` F12). The replica that is made then has an identity of its own, and fetches a whole snapshot.
 */
import type { Namespace, ReplicaId, StoredReplica } from '@rejoin/core'

/** What was last noted, apart from its store, of a replica. */
export interface ReplicaWitness {
  readonly replica: ReplicaId
  /** Commits that waited in its outbox. */
  readonly pending: number
}

/** The replica that vanished from where another one was found or made, or null. */
export function vanished(
  witness: ReplicaWitness | null | undefined,
  { identity }: StoredReplica,
): ReplicaWitness | null {
  if (witness === null || witness === undefined) return null
  return witness.replica === identity.replica ? null : witness
}

/** For the log. */
export function vanishedSentence(namespace: Namespace, { replica, pending }: ReplicaWitness): string {
  const what =
    pending === 0
      ? 'nothing waited in it as far as was noted'
      : `${pending} ${pending === 1 ? 'commit' : 'commits'} that no hub had acknowledged went with it`
  return `the store of replica ${replica} of ${namespace} has vanished: ${what}; a new replica takes its place`
}
