/** Whether what we made is in what the hub sent: told by clocks, without a document. */
import type { Crdt } from '@rejoin/core'

/** Whether the items of these updates are in the snapshot, each in the very bytes we have. */
export function areIn(crdt: Crdt, snapshot: Uint8Array | null, updates: readonly Uint8Array[]): boolean {
  const written = updates.filter(({ length }) => length > 0)
  if (written.length === 0) return true
  if (snapshot === null) return false
  const clocks = crdt.updates.clocks(snapshot)
  return written.every((update) => {
    const { inserted } = crdt.updates.inspect(update)
    // What only deletes leaves no mark of its own: a rebuild is cheap and always right.
    return inserted !== null && (clocks.get(inserted.client) ?? 0) >= inserted.clock + inserted.length
  })
}
