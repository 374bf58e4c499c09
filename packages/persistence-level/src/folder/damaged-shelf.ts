/**
 * `rejoin.damaged/` in a folder: files of LevelDB as they were before it was to open them, for whoever looks into what happened.
 * Some are held for one opening alone, under a name that ends in `.opening`: they go where it finds all that was written, and
 * else get a name of their own. What an opening that was killed held, the next one settles.
 */
import { constants } from 'node:fs'
import { copyFile, link, mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { nullWhereMissing } from '../log/live-files.ts'
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
    return await this.#put(path, file, (name) => isOf(file, name))
  }

  /** Until `release` or `confirm`. @returns as `keep`, for `confirm`. */
  async hold(path: string, file: string): Promise<string | null> {
    return await this.#put(path, `${file}${HELD}`, (name) => isOf(`${file}${HELD}`, name))
  }

  /** Nothing that is held is needed; what an earlier opening held neither. */
  async release(): Promise<void> {
    const held = (await this.#names()).filter(isHeld)
    for (const name of held) await rm(join(this.#folder, DAMAGED, name), { force: true })
    if (held.length > 0) await this.#removeEmpty()
  }

  /** All that is held is kept, under the names that it has from now on. */
  async confirm(): Promise<ReadonlyMap<string, string>> {
    const shelf = join(this.#folder, DAMAGED)
    const names = [...(await this.#names())]
    const confirmed = new Map<string, string>()
    for (const held of names.filter(isHeld)) {
      const file = held.slice(0, held.indexOf(HELD))
      const same = await sameAs(join(shelf, held), shelf, (name) => isOf(file, name))
      const name = same ?? freeName(file, names)
      names.push(name)
      if (same === null) await rename(join(shelf, held), join(shelf, name))
      else await rm(join(shelf, held), { force: true })
      confirmed.set(join(DAMAGED, held), join(DAMAGED, name))
    }
    if (confirmed.size > 0) await syncFolder(shelf)
    return confirmed
  }

  /** Logs and lists that are kept, by whichever opening. */
  async files(): Promise<readonly ShelvedFile[]> {
    return (await this.#names()).flatMap((name) => {
      const file = /^(\d+\.log|MANIFEST-\d+)(?:\.\d+)?$/.exec(name)?.[1]
      return file === undefined ? [] : [{ file, kept: join(DAMAGED, name) }]
    })
  }

  async undo(): Promise<void> {
    for (const path of this.#made) await rm(path, { force: true })
    if (this.#made.length > 0) await this.#removeEmpty()
  }

  async #put(path: string, wanted: string, isLike: (name: string) => boolean): Promise<string | null> {
    const shelf = join(this.#folder, DAMAGED)
    await mkdir(shelf, { recursive: true })
    const same = await sameAs(path, shelf, isLike)
    if (same !== null) return join(DAMAGED, same)
    const names = await this.#names()
    if (names.length >= keptMax) return null
    const name = freeName(wanted, names)
    this.#made.push(join(shelf, name))
    await linkOrCopy(path, join(shelf, name))
    await syncFolder(shelf)
    await syncFolder(this.#folder)
    return join(DAMAGED, name)
  }

  async #names(): Promise<readonly string[]> {
    return (await readdir(join(this.#folder, DAMAGED)).catch(nullWhereMissing)) ?? []
  }

  /** Where nothing else is in it. */
  async #removeEmpty(): Promise<void> {
    await rmdir(join(this.#folder, DAMAGED)).catch(() => {})
  }
}

export interface ShelvedFile {
  /** Of the database. */
  readonly file: string
  /** Where in the folder. */
  readonly kept: string
}

const HELD = '.opening'

function isHeld(name: string): boolean {
  return name.includes(HELD)
}

/** That name, or one that `freeName` made of it. */
function isOf(wanted: string, name: string): boolean {
  return name === wanted || (name.startsWith(`${wanted}.`) && /^\d+$/.test(name.slice(wanted.length + 1)))
}

/** Of a name that is taken: a database that was put back from an older copy may give a number twice. */
export function freeName(file: string, names: readonly string[]): string {
  for (let n = 2, name = file; ; n++) {
    if (!names.includes(name)) return name
    name = `${file}.${n}`
  }
}

/** An opening that failed left it where it was. @returns its name on the shelf */
async function sameAs(
  path: string,
  shelf: string,
  isLike: (name: string) => boolean,
): Promise<string | null> {
  const one = await stat(path, { bigint: true })
  for (const name of (await readdir(shelf)).filter(isLike)) {
    const other = await stat(join(shelf, name), { bigint: true }).catch(nullWhereMissing)
    if (other !== null && one.ino === other.ino && one.dev === other.dev) return name
  }
  return null
}

/** For files that LevelDB never writes to again. A link takes no room on a full disk; not every file system has them. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyWhole(from, to))
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
