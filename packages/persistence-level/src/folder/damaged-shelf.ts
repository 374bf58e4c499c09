/** `rejoin.damaged/` in a folder: files of LevelDB as they were before it was to open them, for whoever looks into what happened. */
import { constants } from 'node:fs'
import { copyFile, link, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFile, syncFolder } from './durable-files.ts'

export const DAMAGED = 'rejoin.damaged'

/** Files kept aside; of more, those are enough to tell what happened. */
const keptMax = 64

export class DamagedShelf {
  readonly #folder: string
  readonly #made: string[] = []

  constructor(folder: string) {
    this.#folder = folder
  }

  /** @returns its name in the folder. A file that LevelDB has written is never written again, so another name will do. */
  async keep(path: string, file: string): Promise<string | null> {
    const shelf = join(this.#folder, DAMAGED)
    await mkdir(shelf, { recursive: true })
    const names = await readdir(shelf)
    for (const name of names)
      if (name.startsWith(file) && (await isSame(path, join(shelf, name)))) return join(DAMAGED, name)
    if (names.length >= keptMax) return null
    const name = freeName(file, names)
    this.#made.push(join(shelf, name))
    // Takes no room on a full disk. Not every file system has them.
    await link(path, join(shelf, name)).catch(() => copyWhole(path, join(shelf, name)))
    await syncFolder(shelf)
    await syncFolder(this.#folder)
    return join(DAMAGED, name)
  }

  async undo(): Promise<void> {
    for (const path of this.#made) await rm(path, { force: true })
  }
}

/** Of a name that is taken: a database that was put back from an older copy may give a number twice. */
export function freeName(file: string, names: readonly string[]): string {
  for (let n = 2, name = file; ; n++) {
    if (!names.includes(name)) return name
    name = `${file}.${n}`
  }
}

/** An opening that failed left it where it was. */
async function isSame(path: string, kept: string): Promise<boolean> {
  const [one, other] = await Promise.all([stat(path, { bigint: true }), stat(kept, { bigint: true })])
  return one.ino === other.ino && one.dev === other.dev
}

/** Or not at all. */
export async function copyWhole(from: string, to: string): Promise<void> {
  try {
    // Takes no room where the file system shares blocks.
    await copyFile(from, to, constants.COPYFILE_FICLONE)
    await syncFile(to)
  } catch (error) {
    await rm(to, { force: true })
    throw error
  }
}
