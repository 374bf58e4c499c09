/**
 * Backups of a hub's folder: a folder of the same kind with a note in it, `rejoin.backup`, that keeps a hub from serving it by
 * mistake. It holds one moment's content, whatever is appended meanwhile. A namespace that is closed by damage is copied as
 * it is, damaged bytes and all, and named; one of which LevelDB cannot read something is copied without that, and closed.
 */
import { existsSync } from 'node:fs'
import { readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError, type Namespace } from '@rejoin/core'
import { z } from 'zod'
import type { LevelHubStore } from '../hub/hub-store.ts'
import type { CopyProgress } from './database-copy.ts'
import { copyFolder, partialOf, writeNote } from './folder-copy.ts'

const BACKUP = 'rejoin.backup'

export interface CopyOptions {
  /** Names of files of others in the folder that go along, where they are there. */
  readonly beside?: readonly string[]
  /** Called about once for each MiB. */
  readonly onProgress?: (progress: CopyProgress) => void
  /** Ends it; nothing of it is left then. */
  readonly signal?: AbortSignal
}

export interface BackupOptions extends CopyOptions {
  /** It is left at `PLACE.partial`, whole, for who looks at it first and then calls `putInPlace`. */
  readonly staysPartial?: boolean
  /** When it is made, milliseconds since 1970: noted in the backup. */
  readonly at: number
}

export interface HubBackup {
  /** The backup's folder. */
  readonly path: string
  readonly at: number
  readonly values: number
  readonly bytes: number
  readonly namespaces: readonly Namespace[]
  /** Namespaces in which something is damaged, in the backup as in the folder it was made of. */
  readonly damaged: readonly Namespace[]
}

const noteSchema = z.object({ format: z.literal(1), at: z.number() })

/**
 * Copies what an open hub store holds at this moment; appends go on meanwhile.
 * @throws SyncError INPUT_INVALID where `place` is not free; STORE_UNAVAILABLE also where the hub has to open its database
 * anew meanwhile, after a failed write; STORE_FULL, STORE_CORRUPT where the database itself cannot be read.
 */
export async function backUpHub(
  store: LevelHubStore,
  folder: string,
  place: string,
  { at, beside = [], ...options }: BackupOptions,
): Promise<HubBackup> {
  const copied = await copyFolder({
    ...options,
    place,
    beside: { folder, names: beside },
    incarnationOf: ({ incarnation }) => incarnation,
    store,
    finish: async (partial, { damaged }) => {
      const note = { format: 1, at, damaged }
      await writeNote(join(partial, BACKUP), `${JSON.stringify(note, null, 2)}\n`)
    },
  })
  const path = await realpath(options.staysPartial === true ? partialOf(place) : place)
  return { path, at, ...copied }
}

/** Whether the folder is a backup, which is restored and not served. */
export function isBackup(path: string): boolean {
  return existsSync(join(path, BACKUP))
}

/** When the backup was made, milliseconds since 1970; null where it is no backup. @throws SyncError STORE_CORRUPT */
export async function backedUpAt(path: string): Promise<number | null> {
  if (!isBackup(path)) return null
  try {
    return noteSchema.parse(JSON.parse(await readFile(join(path, BACKUP), 'utf8'))).at
  } catch (cause) {
    throw new SyncError('STORE_CORRUPT', `the note ${BACKUP} in ${path} does not read`, { cause })
  }
}
