/** Of which kind a folder is, without opening it. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError } from '@rejoin/core'
import { MARKER, readMarker, type FolderKind, type Marker } from './marker.ts'

/** Null where there is no folder of ours. @throws SyncError FOLDER_FOREIGN where its marker does not read, FORMAT_TOO_NEW */
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

async function findMarker(path: string): Promise<Marker | null> {
  const isThere = await access(join(path, MARKER)).then(
    () => true,
    () => false,
  )
  return isThere ? await readMarker(path) : null
}
