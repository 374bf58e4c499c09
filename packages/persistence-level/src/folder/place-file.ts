/**
 * `rejoin.place`: by which a replica's folder knows that it is a copy. The file says which file it was when it was written,
 * by inode number and time of birth; no copy of it is that file, whatever else was copied with it. It is written anew at
 * each opening, so that an older folder put back over this one, file by file, is noticed too. To rename or move the folder
 * on its disk changes neither.
 *
 * Each copy that is noticed gives the place another name; a replica whose identity was made under another name than the
 * place has now is a copy's, and gets one of its own when it is opened. So a crash between any two steps is harmless.
 */
import type { BigIntStats } from 'node:fs'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { storeError } from '../level-error.ts'

export const PLACE = 'rejoin.place'
export const PLACE_DRAFT = 'rejoin.place.tmp'

/** The name of a place that is no copy of another one, also where no file says so: folders of earlier releases. */
export const FIRST_PLACE = ''

export interface FoundPlace {
  readonly name: string
  /** It was noticed just now that this is a copy. */
  readonly isCopy: boolean
}

const placeSchema = z.object({
  format: z.literal(1),
  name: z.string(),
  /** Decimal; JSON has no such integers. */
  inode: z.string(),
  /** Nanoseconds since 1970, decimal; 0 where the file system does not tell. */
  bornNs: z.string(),
})
type Place = z.output<typeof placeSchema>

/**
 * Only under LevelDB's lock, before a store is handed to anybody.
 * @param newName a text never used twice.
 * @throws SyncError STORE_FULL or STORE_UNAVAILABLE where a copy cannot say that it is one.
 */
export async function takePlace(folder: string, newName: string): Promise<FoundPlace> {
  const kept = await readPlace(folder)
  const found: FoundPlace =
    kept === 'copied' ? { name: newName, isCopy: true } : { name: kept?.name ?? FIRST_PLACE, isCopy: false }
  try {
    await writePlace(folder, found.name)
  } catch (error) {
    // What is there still says the same, or a full disk makes this a folder of which a copy is not noticed.
    if (found.isCopy) throw storeError(error, `${folder} is a copy, and that could not be noted in it`)
  }
  return found
}

/** The name where it is the file that it says; null where there is none. What does not read came here in some other way. */
async function readPlace(folder: string): Promise<{ readonly name: string } | 'copied' | null> {
  let handle: FileHandle
  try {
    handle = await open(join(folder, PLACE), 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
  try {
    const place = placeSchema.safeParse(parsed(await handle.readFile('utf8')))
    if (!place.success) return 'copied'
    return isFile(place.data, await handle.stat({ bigint: true })) ? place.data : 'copied'
  } finally {
    await handle.close()
  }
}

/** A new file, by rename: the old one or the new one is there, each saying of itself what is so. */
async function writePlace(folder: string, name: string): Promise<void> {
  const draft = join(folder, PLACE_DRAFT)
  await rm(draft, { force: true })
  const handle = await open(draft, 'wx')
  try {
    const { ino, birthtimeNs } = await handle.stat({ bigint: true })
    const place: Place = { format: 1, name, inode: `${ino}`, bornNs: `${birthtimeNs}` }
    await handle.writeFile(`${JSON.stringify(place)}\n`)
    await handle.datasync()
  } finally {
    await handle.close()
  }
  await rename(draft, join(folder, PLACE))
}

/** Where no time of birth is kept, Node gives that of the last change instead, which a rename moves: then the inode decides. */
function isFile({ inode, bornNs }: Place, { ino, birthtimeNs, ctimeNs }: BigIntStats): boolean {
  return inode === `${ino}` && (bornNs === `${birthtimeNs}` || birthtimeNs === ctimeNs)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
