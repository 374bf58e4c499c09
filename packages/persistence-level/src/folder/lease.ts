/**
 * `rejoin.lease`: who uses the folder, as a random text. LevelDB's lock can be lost while it is held (`HAZARDS.md` F8), so
 * the lease is looked at before each batch and once more before the batch is answered.
 *
 * It is taken under LevelDB's lock alone, always as a new file by rename, whatever a dead process left. Looking at it
 * costs one `stat`: the same file, unchanged since, is ours. A folder that was copied and put back is another file.
 */
import { readFileSync, statSync, type BigIntStats } from 'node:fs'
import { open, readFile, rename, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError, type Durability } from '@rejoin/core'
import { z } from 'zod'
import { parsedJson, syncFolder } from './durable-files.ts'

export const LEASE = 'rejoin.lease'
export const LEASE_DRAFT = 'rejoin.lease.tmp'

/** What a process left that did not close the folder in order. */
export interface LeftLease {
  /** What its answers stood for; null where it does not say: an earlier release, or the power went. */
  readonly durability: Durability | null
}

const leaseSchema = z.object({ durability: z.enum(['applied', 'durable']) })

/** Null where there is none: the folder was closed in order. */
export async function leftLease(folder: string): Promise<LeftLease | null> {
  try {
    const lease = leaseSchema.safeParse(parsedJson(await readFile(join(folder, LEASE), 'utf8')))
    return { durability: lease.success ? lease.data.durability : null }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

export class Lease {
  /** True where the one before us did not give it up: its process died, or lost it. */
  readonly isLeftOver: boolean
  readonly #folder: string
  readonly #path: string
  readonly #text: string
  /** Keeps the file's number from being given to another one. */
  readonly #handle: FileHandle
  #seen: BigIntStats

  private constructor(
    folder: string,
    text: string,
    handle: FileHandle,
    seen: BigIntStats,
    isLeftOver: boolean,
  ) {
    this.#folder = folder
    this.#path = join(folder, LEASE)
    this.#text = text
    this.#handle = handle
    this.#seen = seen
    this.isLeftOver = isLeftOver
  }

  /** Only under LevelDB's lock. `owner`: a text never used twice. `durability`: what its answers stand for. */
  static async take(folder: string, owner: string, durability: Durability): Promise<Lease> {
    const path = join(folder, LEASE)
    const draft = join(folder, LEASE_DRAFT)
    const text = `${JSON.stringify({ owner, durability })}\n`
    const isLeftOver = statSync(path, { throwIfNoEntry: false }) !== undefined
    // An older one that says `durable` must not come back with the power: what it says would be believed.
    await writeFile(draft, text, { flush: durability === 'applied' })
    await rename(draft, path)
    if (durability === 'applied') await syncFolder(folder)
    const handle = await open(path, 'r')
    return new Lease(folder, text, handle, await handle.stat({ bigint: true }), isLeftOver)
  }

  /**
   * @throws SyncError STORE_LOCKED when it is not ours any more. Other errors say that it cannot be known.
   */
  check(): void {
    const found = statSync(this.#path, { bigint: true, throwIfNoEntry: false })
    if (found === undefined) throw this.#lost('its lease file is gone')
    if (found.ino !== this.#seen.ino || found.dev !== this.#seen.dev)
      throw this.#lost('another process took it over')
    if (found.ctimeNs === this.#seen.ctimeNs && found.size === this.#seen.size) return
    if (readFileSync(this.#path, 'utf8') !== this.#text) throw this.#lost('another process took it over')
    // Touched, not changed.
    this.#seen = found
  }

  /** Ends it and leaves the file, for the next one to see that this one did not close in order. */
  async abandon(): Promise<void> {
    await this.#handle.close()
  }

  /** Gives it up in order; still under LevelDB's lock. */
  async release(): Promise<void> {
    this.check()
    await rm(this.#path, { force: true })
    await this.#handle.close()
  }

  #lost(why: string): SyncError {
    return new SyncError(
      'STORE_LOCKED',
      `${this.#folder} is no longer ours (${why}), so nothing more is written to it: close it, see who uses it, open it again`,
    )
  }
}
