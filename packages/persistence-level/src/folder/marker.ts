/**
 * `rejoin.json`: says that a folder is Rejoin's, of which kind, and that its database exists. It is written last, by a
 * rename, so it is there whole or not at all; beside it while a folder is being made stands `rejoin.json.new`.
 */
import { existsSync } from 'node:fs'
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError } from '@rejoin/core'
import { z } from 'zod'
import { BALLAST, PROBE } from './ballast.ts'
import { COUNT } from './count-file.ts'
import { parsedJson, syncFolder } from './durable-files.ts'
import { LEASE, LEASE_DRAFT } from './lease.ts'
import { PLACE, PLACE_DRAFT } from './place-file.ts'

/** Format of the folder; a newer one is refused with FORMAT_TOO_NEW. */
export const FOLDER_FORMAT = 1
export const MARKER = 'rejoin.json'
export const MAKING = 'rejoin.json.new'
const DRAFT = 'rejoin.json.tmp'

export const folderKinds = ['hub', 'replica'] as const
export type FolderKind = (typeof folderKinds)[number]

const formatSchema = z.object({ format: z.number().int().min(1) })
const markerSchema = z.object({
  format: z.literal(FOLDER_FORMAT),
  kind: z.enum(folderKinds),
  /** Changes when the store is made anew. */
  incarnation: z.string().min(1),
})
export type Marker = z.output<typeof markerSchema>

/** The names that a folder may hold while it is being made. */
export const makingNames: ReadonlySet<string> = new Set([
  MAKING,
  DRAFT,
  COUNT,
  LEASE,
  LEASE_DRAFT,
  PLACE,
  PLACE_DRAFT,
  BALLAST,
  PROBE,
  'db',
])

/** @throws SyncError FOLDER_FOREIGN when it does not read as ours, STORE_CORRUPT where a database stands beside it, FORMAT_TOO_NEW. */
export async function readMarker(folder: string): Promise<Marker> {
  const text = await readFile(join(folder, MARKER), 'utf8')
  const json = parsedJson(text)
  const format = formatSchema.safeParse(json)
  if (format.success && format.data.format > FOLDER_FORMAT) {
    throw new SyncError(
      'FORMAT_TOO_NEW',
      `${folder} is in format ${format.data.format}, this version reads up to ${FOLDER_FORMAT}: use a newer Rejoin`,
    )
  }
  const marker = markerSchema.safeParse(json)
  if (marker.success) return marker.data
  if (existsSync(join(folder, 'db', 'CURRENT'))) {
    throw new SyncError(
      'STORE_CORRUPT',
      `${folder} has a damaged ${MARKER}, beside a database that may be whole: \`rejoin repair\` writes it anew of what the database says; else restore a hub from a backup (rejoin restore), and let a replica fetch what it had into a new folder`,
    )
  }
  throw new SyncError(
    'FOLDER_FOREIGN',
    `${folder} is not a Rejoin folder: its ${MARKER} does not read as one. Choose another folder`,
  )
}

/** Says, before anything else is there, that this folder is being made into one of ours. */
export async function markMaking(folder: string): Promise<void> {
  await writeFile(join(folder, MAKING), '')
  await syncFolder(folder)
}

/** The last step of making a folder. */
export async function writeMarker(folder: string, marker: Marker): Promise<void> {
  const draft = await open(join(folder, DRAFT), 'w')
  try {
    await draft.writeFile(`${JSON.stringify(marker, null, 2)}\n`)
    await draft.sync()
  } finally {
    await draft.close()
  }
  await rename(join(folder, DRAFT), join(folder, MARKER))
  await rm(join(folder, MAKING), { force: true })
  await syncFolder(folder)
}
