/**
 * `rejoin.place`: by which a replica's folder knows that it is a copy. The file says which file it was when it was written,
 * by inode number and time of birth; no copy of it is that file, whatever else was copied with it. It is written anew at
 * each opening, so that an older folder put back over this one, file by file, is noticed too. To rename or move the folder
 * on its disk changes neither. It is also written anew when the folder is closed, so that a copy made while it was open, put
 * back over it, is noticed.
 *
 * Each time it gets a mark, which goes into the database first, beside the one before it: a database that knows neither is an
 * older one under this file. Of the two a crash leaves one behind, whichever: the database knows both.
 *
 * Each copy that is noticed gives the place another name; a replica whose identity was made under another name than the
 * place has now is a copy's, and gets one of its own when it is opened. So a crash between any two steps is harmless.
 */
import type { BigIntStats } from 'node:fs'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { z } from 'zod'
import { storeError } from '../level-error.ts'
import { replicaKeys } from '../replica/replica-keys.ts'
import type { SealedDatabase } from '../sealed-database.ts'
import { isCorrupt, seal } from '../sealed-value.ts'
import { parsedJson, syncFolder } from './durable-files.ts'

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
  /** None in files of earlier releases. */
  mark: z.string().optional(),
})
type Place = z.output<typeof placeSchema>

/** The folder, its database, and what draws a text never used twice. */
export interface PlaceParts {
  readonly folder: string
  readonly database: SealedDatabase
  readonly newMark: () => string
}

/**
 * Only under LevelDB's lock, before a store is handed to anybody.
 * @param newName a text never used twice.
 * @param hasLost the database is older than what its replicas have sent: to be taken for a copy, wherever it is.
 * @throws SyncError STORE_FULL or STORE_UNAVAILABLE where a copy cannot say that it is one.
 */
export async function takePlace(parts: PlaceParts, newName: string, hasLost: boolean): Promise<FoundPlace> {
  const { folder } = parts
  const kept = hasLost ? 'copied' : await readPlace(parts)
  const found: FoundPlace =
    kept === 'copied' ? { name: newName, isCopy: true } : { name: kept?.name ?? FIRST_PLACE, isCopy: false }
  try {
    await renewPlace(parts, found.name)
  } catch (error) {
    // What is there still says the same, or a full disk makes this a folder of which a copy is not noticed.
    if (found.isCopy)
      throw storeError(error, `${folder} is a copy or older than it was, and that could not be noted in it`)
  }
  return found
}

/** Writes the file anew under the same name: no copy that was made before is taken for it. @throws what writing throws */
export async function renewPlace({ folder, database, newMark }: PlaceParts, name: string): Promise<void> {
  const mark = newMark()
  const before = (await placeOf(folder))?.mark ?? ''
  const value = seal(replicaKeys.place, encodeMarks([mark, before]))
  await database.write([{ key: replicaKeys.place, value }])
  await writePlace(folder, name, mark)
}

/** The name where it is the file that it says; null where there is none. What does not read came here in some other way. */
async function readPlace({
  folder,
  database,
}: PlaceParts): Promise<{ readonly name: string } | 'copied' | null> {
  const place = await placeOf(folder)
  if (place === null || place.name === null) return place === null ? null : 'copied'
  return place.mark === undefined || (await knownMarks(database)).includes(place.mark)
    ? { name: place.name }
    : 'copied'
}

async function knownMarks(database: SealedDatabase): Promise<readonly string[]> {
  try {
    const entry = await database.get(replicaKeys.place)
    return entry === null ? [] : decodeMarks(entry.body)
  } catch (error) {
    // Nobody can tell: an id more does no harm.
    if (isCorrupt(error)) return []
    throw error
  }
}

/** Null where there is none; without a name where it is no file of this place. */
async function placeOf(folder: string): Promise<{ name: string | null; mark?: string | undefined } | null> {
  let handle: FileHandle
  try {
    handle = await open(join(folder, PLACE), 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
  try {
    const place = placeSchema.safeParse(parsedJson(await handle.readFile('utf8')))
    const isOwn = place.success && isFile(place.data, await handle.stat({ bigint: true }))
    return isOwn ? place.data : { name: null }
  } finally {
    await handle.close()
  }
}

/** A new file, by rename: the old one or the new one is there, each saying of itself what is so. */
async function writePlace(folder: string, name: string, mark: string): Promise<void> {
  const draft = join(folder, PLACE_DRAFT)
  await rm(draft, { force: true })
  const handle = await open(draft, 'wx')
  try {
    const { ino, birthtimeNs } = await handle.stat({ bigint: true })
    const place: Place = { format: 1, name, inode: `${ino}`, bornNs: `${birthtimeNs}`, mark }
    await handle.writeFile(`${JSON.stringify(place)}\n`)
    await handle.datasync()
  } finally {
    await handle.close()
  }
  await rename(draft, join(folder, PLACE))
  await syncFolder(folder)
}

function encodeMarks(marks: readonly string[]): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, marks.length)
    for (const mark of marks) encoding.writeVarString(encoder, mark)
  })
}

function decodeMarks(body: Uint8Array): readonly string[] {
  const decoder = decoding.createDecoder(body)
  return Array.from({ length: decoding.readVarUint(decoder) }, () => decoding.readVarString(decoder))
}

/** Where no time of birth is kept, Node gives that of the last change instead, which a rename moves: then the inode decides. */
function isFile({ inode, bornNs }: Place, { ino, birthtimeNs, ctimeNs }: BigIntStats): boolean {
  return inode === `${ino}` && (bornNs === `${birthtimeNs}` || birthtimeNs === ctimeNs)
}
