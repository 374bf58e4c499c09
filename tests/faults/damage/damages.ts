/** One damage each: a byte flipped, a file or a value cut or taken away, at places drawn from a seed. */
import { readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Level } from 'level'
import type { Seeded } from '../../support/seeded.ts'
import type { Kind } from './content.ts'

export interface Damage {
  /** What is damaged: `MANIFEST`, `.log`, `hub!record` … */
  readonly part: string
  readonly how: 'flipped' | 'cut' | 'deleted'
  /** Carries it out on a copy. @returns where, for people. */
  readonly strike: (folder: string, random: Seeded) => Promise<string>
}

export const fileParts = ['CURRENT', 'MANIFEST', '.log', '.ldb', 'rejoin.json', 'rejoin.count'] as const
export const valueParts: Readonly<Record<Kind, readonly string[]>> = {
  hub: ['hub!store', 'hub!state', 'hub!record', 'hub!marks', 'hub!snapshot'],
  replica: [
    'replica!folder',
    'replica!meta',
    'replica!snapshot',
    'replica!update',
    'replica!outbox',
    'replica!rejected',
  ],
}

/** @param places how many bytes are flipped, and how many lengths cut, of each part. */
export function damagesOf(kind: Kind, places: number): readonly Damage[] {
  const parts = [
    ...fileParts.map((part) => ({ part, strike: strikeFile })),
    ...valueParts[kind].map((part) => ({ part, strike: strikeValue })),
  ]
  return parts.flatMap(({ part, strike }) =>
    (['flipped', 'cut', 'deleted'] as const).flatMap((how) =>
      Array.from({ length: how === 'deleted' ? 1 : places }, () => ({
        part,
        how,
        strike: (folder: string, random: Seeded) => strike(part, how, folder, random),
      })),
    ),
  )
}

async function strikeFile(part: string, how: Damage['how'], folder: string, random: Seeded): Promise<string> {
  const file = random.pick(await filesOf(folder, part))
  const name = path.relative(folder, file)
  const { size } = await stat(file)
  switch (how) {
    case 'flipped': {
      const bytes = await readFile(file)
      const where = flip(bytes, random)
      await writeFile(file, bytes)
      return `${name} of ${size} bytes, ${where}`
    }
    case 'cut': {
      const length = random.whole(0, size - 1)
      await truncate(file, length)
      return `${name} of ${size} bytes, to ${length}`
    }
    case 'deleted':
      await rm(file)
      return name
  }
}

async function filesOf(folder: string, part: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  const files = entries
    .filter(
      (entry) =>
        entry.isFile() && (part.startsWith('.') ? entry.name.endsWith(part) : entry.name.startsWith(part)),
    )
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size))
  return files.filter((_, i) => sizes[i] !== 0)
}

async function strikeValue(
  part: string,
  how: Damage['how'],
  folder: string,
  random: Seeded,
): Promise<string> {
  const database = new Level<string, Uint8Array>(path.join(folder, 'db'), { valueEncoding: 'view' })
  await database.open()
  try {
    const keys = await database.keys({ gte: part, lt: `${part}~` }).all()
    const key = random.pick(keys)
    const value = Uint8Array.from((await database.get(key)) ?? [])
    switch (how) {
      case 'flipped': {
        const where = flip(value, random)
        await database.put(key, value)
        return `${key}, ${where}`
      }
      case 'cut': {
        const length = random.whole(0, value.length - 1)
        await database.put(key, value.subarray(0, length))
        return `${key} of ${value.length} bytes, to ${length}`
      }
      case 'deleted':
        await database.del(key)
        return key
    }
  } finally {
    await database.close()
  }
}

/** One bit of one byte. */
function flip(bytes: Uint8Array, random: Seeded): string {
  const [at, bit] = [random.whole(0, bytes.length - 1), random.whole(0, 7)]
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
  return `bit ${bit} of byte ${at}`
}
