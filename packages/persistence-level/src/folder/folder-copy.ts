/**
 * A hub's folder made of the values of another one, beside its place under the name `PLACE.partial` and renamed when every
 * byte of it is on the disk: a copy is there whole or not at all. Values are copied as they are, damaged ones too.
 */
import { access, copyFile, mkdir, readdir, realpath, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { SyncError, type Namespace } from '@rejoin/core'
import { hubKeys } from '../hub/hub-keys.ts'
import { decodeState } from '../hub/namespace-state.ts'
import { decodeStoreRecord, encodeStoreRecord, type StoreRecord } from '../hub/store-record.ts'
import { storeError } from '../level-error.ts'
import { corrupt, isCorrupt, seal, unseal } from '../sealed-value.ts'
import { CountFile } from './count-file.ts'
import { writeDatabase, type CopyProgress, type Entry } from './database-copy.ts'
import { syncFile, syncFolder } from './durable-files.ts'
import { FOLDER_FORMAT, markMaking, writeMarker } from './marker.ts'

export interface FolderCopy {
  /** Where it will be. */
  readonly place: string
  /** What the copy is called. */
  readonly incarnationOf: (source: StoreRecord) => string
  /** Files of others in the source's folder that go along, where they are there. */
  readonly beside: { readonly folder: string; readonly names: readonly string[] }
  /** What it is of. */
  readonly store: CopiedStore
  /** Called about once for each MiB. */
  readonly onProgress?: (progress: CopyProgress) => void
  /** Ends it; nothing of it is left then. */
  readonly signal?: AbortSignal
  /** It stays at `partialOf(place)`, whole, until `putInPlace`. */
  readonly staysPartial?: boolean
  /** The last work in the folder, which is at `partial` still. */
  readonly finish: (partial: string, copied: CopiedValues) => Promise<void>
}

/** One moment's content. */
export interface CopiedStore {
  entries(): AsyncIterable<Entry>
  /** For where LevelDB cannot read all of it: what can be read, and for what cannot, that its namespace is damaged. */
  readableEntries(): AsyncIterable<Entry>
}

export interface CopiedValues extends CopyProgress {
  readonly namespaces: readonly Namespace[]
  /** Namespaces that are closed by damage, or hold a value that does not match its checksum. */
  readonly damaged: readonly Namespace[]
}

/** Where a copy is until it is done. */
export function partialOf(place: string): string {
  return `${resolve(place)}.partial`
}

/** @throws SyncError INPUT_INVALID where something is at the place, STORE_FULL, STORE_UNAVAILABLE, or why the signal aborted */
export async function copyFolder(copy: FolderCopy): Promise<CopiedValues> {
  const place = resolve(copy.place)
  const partial = partialOf(place)
  try {
    await checkOutside(place, copy.beside.folder)
    await checkFree(place)
    await makePartial(partial)
  } catch (error) {
    throw placeError(error, place)
  }
  try {
    await markMaking(partial)
    const { record, ...copied } = await copyReadable(join(partial, 'db'), copy)
    const count = await CountFile.open(partial, true, true)
    count.written(record.batches)
    await count.close(true)
    await writeMarker(partial, { format: FOLDER_FORMAT, kind: 'hub', incarnation: record.incarnation })
    await copyBeside(partial, copy)
    await copy.finish(partial, copied)
    copy.signal?.throwIfAborted()
    if (copy.staysPartial === true) await syncFolder(dirname(place))
    else await putInPlace(place)
    return copied
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => {})
    throw storeError(error, `${place} could not be written`)
  }
}

/** Gives a copy its name. @throws SyncError INPUT_INVALID where something has come to the place meanwhile */
export async function putInPlace(place: string): Promise<void> {
  const partial = partialOf(place)
  try {
    await syncFolder(partial)
    await rmdir(place).catch(ignoreMissing)
    await rename(partial, resolve(place))
    await syncFolder(dirname(resolve(place)))
  } catch (error) {
    throw placeError(error, place)
  }
}

/** With the rights that they have: they may be their owner's alone. */
async function copyBeside(partial: string, { beside }: FolderCopy): Promise<void> {
  for (const name of beside.names) {
    const copied = await copyFile(join(beside.folder, name), join(partial, name)).catch(ignoreMissing)
    if (copied !== null) await syncFile(join(partial, name))
  }
}

/** Written whole and synced: for what a finished copy says of itself. */
export async function writeNote(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flush: true })
}

/** From the beginning again where something cannot be read: it takes longer, and what was copied may be out of date. */
async function copyReadable(path: string, copy: FolderCopy): Promise<CopiedContent> {
  try {
    return await copyValues(path, copy, copy.store.entries())
  } catch (error) {
    if (!isCorrupt(error)) throw error
    await rm(path, { recursive: true, force: true })
    return await copyValues(path, copy, copy.store.readableEntries())
  }
}

interface CopiedContent extends CopiedValues {
  readonly record: StoreRecord
}

async function copyValues(
  path: string,
  { incarnationOf, onProgress, signal }: FolderCopy,
  entries: AsyncIterable<Entry>,
): Promise<CopiedContent> {
  const tally = new Tally()
  const renamed = async function* (): AsyncGenerator<Entry, void, undefined> {
    for await (const [key, sealed] of entries) {
      if (key === hubKeys.store) {
        const source = decodeStoreRecord(unseal(key, sealed))
        tally.record = { ...source, incarnation: incarnationOf(source) }
        yield [key, seal(key, encodeStoreRecord(tally.record))]
        continue
      }
      tally.take(key, sealed)
      yield [key, sealed]
    }
  }
  const written = await writeDatabase(path, renamed(), (progress) => {
    onProgress?.(progress)
    signal?.throwIfAborted()
  })
  const { record, found } = tally
  if (record === null) throw corrupt(hubKeys.store, 'is missing from what is copied')
  return { ...written, record, ...found }
}

/** What the keys and checksums of a hub's values say of its namespaces. */
class Tally {
  record: StoreRecord | null = null
  readonly #namespaces = new Set<Namespace>()
  readonly #damaged = new Set<Namespace>()

  take(key: string, sealed: Uint8Array): void {
    const namespace = hubKeys.namespaceIn(key)
    if (key.startsWith(hubKeys.damages.gt)) this.#damaged.add(namespace)
    try {
      const body = unseal(key, sealed)
      const isState = key.startsWith(hubKeys.states.gt)
      if (isState && decodeState(key, body).kind === 'present') this.#namespaces.add(namespace)
    } catch (error) {
      if (!isCorrupt(error)) throw error
      this.#namespaces.add(namespace)
      this.#damaged.add(namespace)
    }
  }

  get found(): Pick<CopiedValues, 'namespaces' | 'damaged'> {
    return { namespaces: [...this.#namespaces].sort(), damaged: [...this.#damaged].sort() }
  }
}

/** What is copied does not copy itself, and a copy does not go with the folder that it is of. */
async function checkOutside(place: string, folder: string): Promise<void> {
  let ancestor = place
  let real: string | null
  while ((real = await realpath(ancestor).catch(ignoreMissing)) === null && dirname(ancestor) !== ancestor)
    ancestor = dirname(ancestor)
  const [inside, source] = [relative(await realpath(folder), real ?? ancestor), resolve(folder)]
  if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) return
  throw new SyncError(
    'INPUT_INVALID',
    `${place} is inside ${source}, which is copied: name a folder elsewhere`,
  )
}

/** What a file system says of a place where no folder can be made. */
function placeError(error: unknown, place: string): SyncError {
  const known = storeError(error, `${place} cannot be made`)
  if (error instanceof SyncError || known.code === 'STORE_FULL') return known
  const why = error instanceof Error ? error.message : String(error)
  return new SyncError(
    'INPUT_INVALID',
    `${place} cannot be made (${why}): name a new folder in a place that may be written to`,
    { cause: error },
  )
}

async function checkFree(place: string): Promise<void> {
  const names = await readdir(place).catch(ignoreMissing)
  if (names === null || names.length === 0) return
  throw new SyncError('INPUT_INVALID', `${place} is there already, and not empty: name a new folder`)
}

async function makePartial(partial: string): Promise<void> {
  await mkdir(dirname(partial), { recursive: true })
  if ((await access(partial).catch(ignoreMissing)) !== null) {
    throw new SyncError(
      'INPUT_INVALID',
      `${partial} is there: somebody is writing it, or was interrupted; remove it, or name another folder`,
    )
  }
  await mkdir(partial)
}

function ignoreMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error) {
    if (error.code === 'ENOENT') return null
    if (error.code === 'ENOTDIR')
      throw new SyncError('INPUT_INVALID', 'a file is where a folder should be: name a new folder')
  }
  throw error
}
