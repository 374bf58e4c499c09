/**
 * Rebuilding in place: the document was rebuilt right after what this replica has, so it makes the new one itself, of its
 * own acknowledged base, and downloads nothing. It goes on only where it has made what the hub has, which the digest tells.
 */
import { SyncError, type Rebuild } from '@rejoin/core'
import type { SessionParts } from './session-parts.ts'

/**
 * The canonical form of the stored base. What waits for the store is recorded first, and nothing is changed here: whoever
 * takes it finds the outbox as it is by then.
 * @throws SyncError DIVERGED where it is not what the hub has: then the next greeting asks for a reset by snapshot;
 * MESSAGE_UNEXPECTED where the base is not of the epoch before; STORE_….
 */
export async function rebuildBase(
  { crdt, writes, store, connection, namespace, log }: SessionParts,
  { cursor, digest }: Rebuild,
): Promise<Uint8Array> {
  await writes.flush()
  const stored = await store.load()
  if (stored === null || stored.cursor === null || stored.cursor.epoch >= cursor.epoch) {
    const epoch = stored?.cursor?.epoch ?? 'none'
    const what = `the hub leaves the rebuild to epoch ${cursor.epoch} to us, but what is stored is of epoch ${epoch}`
    throw new SyncError('MESSAGE_UNEXPECTED', `${what}; reconnecting`)
  }
  const made = crdt.updates.rebuild(stored.base)
  if (made.digest === digest) return made.snapshot
  const error = new SyncError(
    'DIVERGED',
    `${namespace}: at seq ${stored.cursor.seq}, where the document was rebuilt, this replica holds other content ` +
      `(digest ${made.digest}) than the hub (${digest}); it is reset by snapshot, and its outbox kept: report this`,
  )
  connection.diverge(error)
  log(error.message)
  throw error
}
