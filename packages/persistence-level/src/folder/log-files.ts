/** LevelDB's own log files, which it writes through to the system at once and syncs with a synced batch only. */
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Brings everything that was written to the disk. Not by a synced batch: where LevelDB has begun a new log meanwhile, that
 * one alone would be synced, and the log before it is closed unsynced. One that is gone by now is in synced tables.
 */
export async function syncLogs(database: string): Promise<void> {
  for (const path of await logPaths(database)) {
    const log = await open(path, 'r+').catch(nullWhereMissing)
    if (log === null) continue
    try {
      await log.datasync()
    } finally {
      await log.close()
    }
  }
}

/** Bytes of all logs: what opening may have to write into tables. */
export async function logBytes(database: string): Promise<number> {
  let bytes = 0
  for (const path of await logPaths(database)) bytes += (await stat(path).catch(nullWhereMissing))?.size ?? 0
  return bytes
}

async function logPaths(database: string): Promise<readonly string[]> {
  const names = await readdir(database)
  return names.filter((name) => name.endsWith('.log')).map((name) => join(database, name))
}

function nullWhereMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
  throw error
}
