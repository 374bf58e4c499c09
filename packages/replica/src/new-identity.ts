/**
 * A new identity for a copy: two replicas of one id would give its counters, and one Yjs client its clocks, to different
 * commits (`HAZARDS.md` B4). Recorded before anything else is done, so a crash around it is harmless: the store says that it
 * is a copy until then, and no longer.
 */
import {
  asSyncError,
  replicaIdOf,
  SyncError,
  type Clock,
  type Namespace,
  type ReplicaStore,
  type StoredReplica,
} from '@rejoin/core'
import { freshClientId } from './memory.ts'

/** @throws SyncError STORE_… where it cannot be recorded: then the replica cannot be opened, even for reading. */
export async function takeNewIdentity(
  store: ReplicaStore,
  namespace: Namespace,
  clock: Clock,
  { identity: former }: StoredReplica,
): Promise<StoredReplica> {
  const replica = replicaIdOf(clock.random(16))
  const clientId = freshClientId(clock, former.clientId)
  try {
    await store.record([{ kind: 'reidentify', replica, clientId }])
    const stored = await store.load()
    if (stored !== null) return stored
  } catch (error) {
    throw asSyncError(
      error,
      'STORE_UNAVAILABLE',
      `the copy of ${namespace} cannot be given an identity of its own`,
    )
  }
  throw new SyncError('STORE_CORRUPT', `${namespace} is gone from its store: open it again`)
}

/** For the log. */
export function newIdentitySentence(namespace: Namespace, former: StoredReplica, own: StoredReplica): string {
  const shared = own.outbox.length
  const what = shared === 1 ? '1 commit that both hold is' : `${shared} commits that both hold are`
  const waits = shared === 0 ? 'nothing waits in it' : `${what} sent under the old id`
  return (
    `the folder of ${namespace} is a copy of that of replica ${former.identity.replica}, or older than it was: ` +
    `its replica id is ${own.identity.replica} from now on; ${waits}`
  )
}
