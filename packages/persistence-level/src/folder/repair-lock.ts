/**
 * One repair of a folder at a time, also of several processes: LevelDB's lock of an empty database in it, which ends with its
 * process, however that ends. The folder's own database cannot be it, since a repair puts another one in its place.
 */
import { realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError } from '@rejoin/core'
import { Level } from 'level'
import { storeError } from '../level-error.ts'

const REPAIRING = 'rejoin.repairing'

/** @throws SyncError STORE_LOCKED while somebody else repairs it; STORE_FULL, STORE_UNAVAILABLE, or what the work throws */
export async function whileRepairing<T>(path: string, work: () => Promise<T>): Promise<T> {
  const place = join(await realpath(path), REPAIRING)
  const lock = new Level(place)
  try {
    await lock.open()
  } catch (cause) {
    const error = storeError(cause, `${path} could not be kept from other repairs`)
    if (error.code !== 'STORE_LOCKED') throw error
    throw new SyncError('STORE_LOCKED', `${path} is being repaired by another command: let that one end`, {
      cause,
    })
  }
  try {
    return await work()
  } finally {
    // While it is held: whoever comes next begins another one.
    await rm(place, { recursive: true, force: true })
    await lock.close()
  }
}
