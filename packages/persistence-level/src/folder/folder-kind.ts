/** Of which kind a folder is, without opening it. */
import { existsSync } from 'node:fs'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError } from '@rejoin/core'
import { COUNT } from './count-file.ts'
import { MAKING, MARKER, readMarker, type FolderKind, type Marker } from './marker.ts'

/** Null where there is no folder of ours. @throws SyncError FOLDER_FOREIGN, STORE_CORRUPT where its marker does not read or is lost, FORMAT_TOO_NEW */
export async function folderKind(path: string): Promise<FolderKind | null> {
  return (await findMarker(path))?.kind ?? null
}

/** Of a folder that must be there and of that kind. @throws SyncError FOLDER_FOREIGN, FORMAT_TOO_NEW */
export async function markerOf(path: string, kind: FolderKind): Promise<Marker> {
  const marker = await findMarker(path)
  if (marker?.kind === kind) return marker
  const what = marker === null ? 'no folder of ours' : `the folder of a ${marker.kind}`
  throw new SyncError('FOLDER_FOREIGN', `${path} is ${what}, and not of a ${kind}: is the path right?`)
}

/** Without a marker it is ours by what stands beside a database. One that is being made has none yet. */
export function hasLostMarker(path: string): boolean {
  const has = (name: string): boolean => existsSync(join(path, name))
  return !has(MARKER) && !has(MAKING) && has(COUNT) && has('db')
}

async function findMarker(path: string): Promise<Marker | null> {
  const isThere = await access(join(path, MARKER)).then(
    () => true,
    () => false,
  )
  if (isThere) return await readMarker(path)
  if (!hasLostMarker(path)) return null
  throw new SyncError(
    'STORE_CORRUPT',
    `${path} has lost its ${MARKER}: \`rejoin repair\` writes it anew of what the database says`,
  )
}
