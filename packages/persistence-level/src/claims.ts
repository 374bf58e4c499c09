/**
 * What is open in this process on one database object. A second writer would not know what the first one holds in memory,
 * so it is refused before it touches anything.
 */
import { SyncError } from '@rejoin/core'
import type { LevelDatabase } from './level-database.ts'

const claimed = new WeakMap<LevelDatabase, Set<string>>()

/** Returns what gives the claim up. @throws SyncError STORE_LOCKED */
export function claim(database: LevelDatabase, what: string, name: string): () => void {
  const open = claimed.get(database) ?? new Set()
  claimed.set(database, open)
  if (open.has(what)) throw new SyncError('STORE_LOCKED', `${name} is already open here: close it first`)
  open.add(what)
  return () => open.delete(what)
}
