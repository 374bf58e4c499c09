/**
 * Tables that LevelDB deletes when it opens a database, since its list of files does not name them: obsolete after a crash amid
 * a compaction, content where the list has lost its end. Which of the two a log tells: LevelDB deletes one only when a newer list
 * says so, and what a list from before a log's end does not name was made of that log. Where the log that the list names last is
 * there nothing is lost with the rest; where it is gone, tables are kept in `rejoin.damaged/tables/`, and nothing takes them away.
 */
import { link, mkdir, readdir, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { nullWhereMissing, type LiveFiles, type LiveTable } from '../log/live-files.ts'
import { copyWhole, DAMAGED, freeName } from './damaged-shelf.ts'
import { syncFolder } from './durable-files.ts'

export const TABLES = join(DAMAGED, 'tables')

/**
 * `whole`: everything that opening looks at was there. `short`: so it was, but fewer batches than were written, as the sync
 * policy allows, or nobody can count them. `damaged`: something that was acknowledged is missing. `unknown`: it ended before that.
 */
export type OpeningEnd = 'whole' | 'short' | 'damaged' | 'unknown'

export interface KeptFiles {
  readonly tables: number
  /** Where in the folder. */
  readonly kept: string
}

interface Kept {
  readonly original: string
  readonly path: string
  readonly stamp: string
}

export class KeptTables {
  readonly #folder: string
  readonly #kept: Kept[] = []

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** @param live null where LevelDB opens nothing, so deletes nothing. */
  static async keep(folder: string, live: LiveFiles | null): Promise<KeptTables> {
    const tables = new KeptTables(folder)
    try {
      await tables.#keepAll(live === null ? [] : atRisk(live))
    } catch (error) {
      await tables.undo()
      throw error
    }
    return tables
  }

  /** @returns what is kept, of earlier openings too where this one was not whole; null where nothing is. */
  async settle(end: OpeningEnd): Promise<KeptFiles | null> {
    if ((end === 'whole' || end === 'short') && this.#kept.length === 0) return null
    for (const { original, path, stamp } of this.#kept)
      if ((await stampOf(original)) === stamp) await rm(path, { force: true })
    const names = await this.#names()
    const tables = names.filter(isTable).length
    // A list alone says nothing.
    if (tables === 0) await this.undo()
    return tables === 0 || end === 'unknown' ? null : { tables, kept: TABLES }
  }

  async undo(): Promise<void> {
    for (const { path } of this.#kept) await rm(path, { force: true })
    // Where nothing is in them.
    for (const folder of [TABLES, DAMAGED]) await rmdir(join(this.#folder, folder)).catch(() => {})
  }

  async #keepAll(files: readonly FileAtRisk[]): Promise<void> {
    if (files.length === 0) return
    await mkdir(join(this.#folder, TABLES), { recursive: true })
    const names = [...(await this.#names())]
    for (const file of files) await this.#keep(file, names)
    for (const folder of [TABLES, DAMAGED, '']) await syncFolder(join(this.#folder, folder))
  }

  async #keep({ name, isFree }: FileAtRisk, names: string[]): Promise<void> {
    const original = join(this.#folder, 'db', name)
    const stamp = await stampOf(original)
    // Of a process that has the folder, and will keep us out of it.
    if (stamp === null) return
    const free = freeName(name, names)
    const path = join(this.#folder, TABLES, free)
    names.push(free)
    this.#kept.push({ original, path, stamp })
    // A link would be written over together with its original.
    if (isFree) await copyWhole(original, path).catch(() => link(original, path))
    // Takes no room on a full disk. Not every file system has them.
    else await link(original, path).catch(() => copyWhole(original, path))
  }

  async #names(): Promise<readonly string[]> {
    return (await readdir(join(this.#folder, TABLES)).catch(nullWhereMissing)) ?? []
  }
}

type FileAtRisk = Pick<LiveTable, 'name' | 'isFree'>

/** All tables, since LevelDB may merge those that it has without what was to be merged; and the list, which it writes anew. */
function atRisk({ manifest, tables }: LiveFiles): readonly FileAtRisk[] {
  const isBehind = manifest.missingLog !== null && tables.some(({ isListed }) => !isListed)
  return isBehind ? [...tables, { name: manifest.name, isFree: false }] : []
}

export function isTable(name: string): boolean {
  return /\.(?:ldb|sst)(?:\.\d+)?$/.test(name)
}

/** Changes when it is written to, or another file takes its place; null where there is none. */
async function stampOf(path: string): Promise<string | null> {
  const found = await stat(path, { bigint: true }).catch(nullWhereMissing)
  return found === null ? null : `${found.dev} ${found.ino} ${found.size} ${found.mtimeNs}`
}
