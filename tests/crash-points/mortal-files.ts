/** Files and LevelDB databases whose process can end at any call; what they hold then stays where it is. */
import type { Fuse } from './fuse.ts'

type Method = (...args: unknown[]) => unknown

/** Of `node:fs/promises`, what a data folder uses. */
const functions = ['mkdir', 'open', 'rename', 'rm', 'writeFile']
/** Of it, what changes nothing. */
const reads = ['access', 'readFile', 'readdir', 'realpath', 'stat']
const handleReads = ['read', 'stat']
/** What processes that ended had open. */
const handles = new Set<{ close(): Promise<void> }>()

/** The module, with every call in the way of whichever process is under way. */
export function throughFuse(
  original: Record<string, unknown>,
  fuseNow: () => Fuse | null,
): Record<string, unknown> {
  const fused = [...functions, ...reads].map((name) => {
    const call = original[name] as Method
    return [
      name,
      async (...args: unknown[]): Promise<unknown> => {
        const fuse = fuseNow()
        if (fuse === null) return await call(...args)
        if (reads.includes(name)) return await fuse.throughRead(name, () => call(...args))
        const answer = await fuse.through(name, async () => {
          const opened = await call(...args)
          if (name === 'open') handles.add(opened as { close(): Promise<void> })
          return opened
        })
        return name === 'open' ? mortalHandle(answer as object, fuse) : answer
      },
    ] as const
  })
  return { ...original, ...Object.fromEntries(fused) }
}

/** It belongs to the process that opened it. */
function mortalHandle(handle: object, fuse: Fuse): object {
  return new Proxy(handle, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) =>
        handleReads.includes(String(name))
          ? fuse.throughRead(`handle.${String(name)}`, () => Reflect.apply(value, target, args) as unknown)
          : fuse.through(`handle.${String(name)}`, () => Reflect.apply(value, target, args) as unknown)
    },
  })
}

const calls = ['_open', '_close', '_get', '_batch', '_clear'] as const
const cursors = ['_iterator', '_keys'] as const
const steps = ['_next', '_nextv', '_all', '_close'] as const
const isRead = (name: string): boolean => ['_get', ...steps].includes(name)

/** Puts every database of the class in the way of the process that opened it. */
export function mortalLevels(
  Level: { readonly prototype: object },
  fuseNow: () => Fuse | null,
): { giveUp: () => Promise<void> } {
  const prototype = Level.prototype
  const owners = new Map<object, Fuse>()
  const opened = new Set<{ close(): Promise<void> }>()
  const through = (owner: Fuse | undefined, name: string, call: () => unknown): unknown =>
    owner === undefined
      ? call()
      : isRead(name)
        ? owner.throughRead(`level.${name.slice(1)}`, call)
        : owner.through(`level.${name.slice(1)}`, call)
  for (const name of calls) {
    const call = Reflect.get(prototype, name) as Method
    Reflect.set(prototype, name, function mortal(this: { close(): Promise<void> }, ...args: unknown[]) {
      const fuse = fuseNow()
      if (name === '_open' && fuse !== null) {
        owners.set(this, fuse)
        opened.add(this)
      }
      return through(owners.get(this), name, () => call.apply(this, args))
    })
  }
  for (const name of cursors) {
    const open = Reflect.get(prototype, name) as Method
    Reflect.set(prototype, name, function mortal(this: object, ...args: unknown[]) {
      const cursor = open.apply(this, args) as object
      const owner = owners.get(this)
      if (owner === undefined) return cursor
      for (const step of steps) {
        const call = Reflect.get(cursor, step) as Method
        Reflect.set(cursor, step, (...given: unknown[]) =>
          through(owner, step, () => call.apply(cursor, given)),
        )
      }
      return cursor
    })
  }
  return {
    giveUp: async () => {
      owners.clear()
      const closed = [...opened, ...handles].map((each) => each.close().catch(() => {}))
      opened.clear()
      handles.clear()
      // One that was ended while it was opening stays as it is, until this process ends.
      await Promise.race([Promise.all(closed), new Promise((resolve) => setTimeout(resolve, 20))])
    },
  }
}
