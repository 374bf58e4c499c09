/** Damages single values of a folder that nobody has open, past every check. */
import path from 'node:path'
import { Level } from 'level'
import { seal } from '../../packages/persistence-level/src/sealed-value.ts'

export async function keysIn(folder: string, prefix = ''): Promise<readonly string[]> {
  return await inDatabase(folder, (database) => database.keys({ gte: prefix, lt: `${prefix}~` }).all())
}

/** Flips one bit of the value's last byte. */
export async function flipValue(folder: string, key: string): Promise<void> {
  await inDatabase(folder, async (database) => {
    const value = Uint8Array.from((await database.get(key)) ?? [])
    if (value.length === 0) throw new Error(`nothing is stored under ${key}`)
    value[value.length - 1] = (value.at(-1) ?? 0) ^ 1
    await database.put(key, value)
  })
}

/** Takes the second half of it away. */
export async function cutValue(folder: string, key: string): Promise<void> {
  await inDatabase(folder, async (database) => {
    const value = Uint8Array.from((await database.get(key)) ?? [])
    await database.put(key, value.subarray(0, Math.floor(value.length / 2)))
  })
}

export async function loseValue(folder: string, key: string): Promise<void> {
  await inDatabase(folder, (database) => database.del(key))
}

/** With a value that is whole and says something else. */
export async function replaceValue(folder: string, key: string, body: Uint8Array): Promise<void> {
  await inDatabase(folder, (database) => database.put(key, seal(key, body)))
}

/** A hub's key of a record, or a part of a checkpoint. */
export function hubKey(part: 'record' | 'marks' | 'snapshot', namespace: string, seq: number): string {
  return `hub!${part}!${namespace}!${seq.toString(16).padStart(14, '0')}`
}

async function inDatabase<R>(
  folder: string,
  use: (database: Level<string, Uint8Array>) => Promise<R>,
): Promise<R> {
  const database = new Level<string, Uint8Array>(path.join(folder, 'db'), { valueEncoding: 'view' })
  await database.open()
  try {
    return await use(database)
  } finally {
    await database.close()
  }
}
