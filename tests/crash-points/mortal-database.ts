/** A database in memory whose process can end at any call; what it held then can be opened again by another. */
import { MemoryLevel } from 'memory-level'
import type { Fuse } from './fuse.ts'

export type Contents = ReadonlyMap<string, Uint8Array>

const RAW = { keyEncoding: 'utf8', valueEncoding: 'view' } as const

type Method = (...args: unknown[]) => unknown

/** Of the private half of an abstract-level database, which its types leave out. */
const calls = ['_open', '_close', '_get', '_getMany', '_has', '_put', '_del', '_batch'] as const
const cursors = ['_iterator', '_keys', '_values'] as const
const steps = ['_next', '_nextv', '_all', '_close'] as const

export class MortalDatabase {
  readonly database = new MemoryLevel<string, string>()
  readonly #openCursor: Method

  private constructor(fuse: Fuse) {
    const { database } = this
    this.#openCursor = methodOf(database, '_iterator')
    for (const name of calls) wrap(database, name, fuse)
    for (const name of cursors) {
      const open = methodOf(database, name)
      Reflect.set(database, name, (...args: unknown[]) => {
        const cursor = open.apply(database, args) as object
        for (const step of steps) wrap(cursor, step, fuse, `${name.slice(1)}.${step.slice(1)}`)
        return cursor
      })
    }
    const clear = methodOf(database, '_clear')
    Reflect.set(database, '_clear', (range: object) =>
      fuse.through(
        'clear',
        () => clear.call(database, range),
        // As far as it came: a range is cleared key by key.
        async () => clear.call(database, { ...range, limit: 1 }),
      ),
    )
  }

  /** Holding what another one left. */
  static async of(fuse: Fuse, contents: Contents = new Map()): Promise<MortalDatabase> {
    const mortal = new MortalDatabase(fuse)
    await mortal.database.open()
    if (contents.size > 0) {
      const operations = [...contents].map(([key, value]) => ({ type: 'put' as const, key, value }))
      await mortal.database.batch<string, Uint8Array>(operations, RAW)
    }
    return mortal
  }

  /** What is there, past the fuse. */
  async contents(): Promise<Contents> {
    const everything = { keys: true, values: true, limit: -1, reverse: false }
    const cursor = this.#openCursor.call(this.database, everything) as Cursor
    const entries = await cursor._all({})
    return new Map(entries.map(([key, value]) => [new TextDecoder().decode(key), value.slice()]))
  }
}

interface Cursor {
  _all(options: object): Promise<readonly (readonly [key: Uint8Array, value: Uint8Array])[]>
}

function wrap(target: object, name: string, fuse: Fuse, told: string = name.slice(1)): void {
  const call = methodOf(target, name)
  Reflect.set(target, name, (...args: unknown[]) => fuse.through(told, () => call.apply(target, args)))
}

function methodOf(target: object, name: string): Method {
  return Reflect.get(target, name) as Method
}
