// Real tables of LevelDB, whole and damaged: what our reader says of them, and what LevelDB itself shows.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { expect, test } from 'vitest'
import { liveFiles } from '../src/log/live-files.ts'
import { unpacked } from '../src/log/snappy.ts'
import { readTable, tableDamage, type DamagedBlock, type TableEntry } from '../src/log/table-file.ts'
import { withFolder } from './databases.ts'

const decoder = new TextDecoder()

test.each([true, false])(
  'entries of all tables, the newest of each key, are what LevelDB shows (packed: %s)',
  (compression) =>
    withFolder(async (root) => {
      const path = join(root, 'db')
      // Each opening makes a table of its own of the log of the one before.
      for (const round of [0, 1, 2])
        await write(path, { compression }, async (database) => {
          for (let i = round * 1300; i < (round + 1) * 1300; i++) {
            const key = `key ${(i * 7919) % 1500}`
            if (i % 9 === 0) await database.del(key)
            else await database.put(key, valueOf(i, i % 50 === 0 ? 9000 : i % 300))
          }
        })
      const shown = await shownBy(path)
      const tables = await tablesOf(path)
      expect(tables.length).toBeGreaterThan(1)
      const newest = new Map<string, TableEntry>()
      for (const table of tables) {
        expect(await tableDamage(table)).toEqual([])
        for (const [key, entry] of (await read(table)).entries.map((each) => [textOf(each), each] as const))
          if ((newest.get(key)?.sequence ?? -1) < entry.sequence) newest.set(key, entry)
      }
      const found = Array.from(newest).flatMap(([key, { value }]) =>
        value === null ? [] : [[key, decoder.decode(value)]],
      )
      expect(found.sort(([a = ''], [b = '']) => (a < b ? -1 : 1))).toEqual(shown)
    }),
)

test.each([true, false])(
  '[13] each bit of a table that is flipped is told, and nothing is shown that was not written (packed: %s)',
  (compression) =>
    withFolder(async (root) => {
      const table = await smallTable(join(root, 'db'), compression)
      const bytes = await readFile(table)
      const { entries } = await read(table)
      const written = new Set(entries.map(lineOf))
      const flipped = join(root, 'flipped.ldb')
      const kinds = new Map<DamagedBlock['kind'], number>()
      for (let at = 0; at < bytes.length; at++) {
        const bit = 1 << (at % 8)
        await writeFile(flipped, bytes.with(at, (bytes[at] ?? 0) ^ bit))
        const told = await tableDamage(flipped)
        const shown = await read(flipped)
        expect(shown.damaged, `${at}`).toEqual(told)
        for (const entry of shown.entries) expect(written.has(lineOf(entry)), `${at}`).toBe(true)
        const isPadding = at >= bytes.length - 48 && at < bytes.length - 8
        const isHarmless = told.length === 0 && isPadding && shown.entries.length === entries.length
        expect(isHarmless || told.length === 1, `${at} of ${bytes.length}`).toBe(true)
        const [block] = told
        if (block === undefined) continue
        kinds.set(block.kind, (kinds.get(block.kind) ?? 0) + 1)
        expect(at, `a block of ${block.kind}`).toBeGreaterThanOrEqual(block.at)
        expect(at).toBeLessThan(block.at + block.bytes)
        const isMissing = (entry: TableEntry): boolean =>
          !shown.entries.some((each) => lineOf(each) === lineOf(entry))
        const missing = entries.filter(isMissing)
        expect(missing.length > 0).toBe(block.kind === 'data')
        for (const { key } of missing) expect(isWithin(key, block), `${at}`).toBe(true)
      }
      expect([...kinds.keys()].sort()).toEqual(['data', 'filter', 'footer', 'index', 'metaindex'])
    }),
)

test('two blocks of a table that are damaged are both told, and so is a table that is cut, or empty', () =>
  withFolder(async (root) => {
    const table = await smallTable(join(root, 'db'), true)
    const bytes = await readFile(table)
    const { entries } = await read(table)
    const damaged = join(root, 'damaged.ldb')
    await writeFile(damaged, bytes.with(20, 7).with(500, 7))
    expect((await tableDamage(damaged)).map(({ kind }) => kind)).toEqual(['data', 'data'])
    // The index and what it says of a block that is damaged too.
    await writeFile(damaged, bytes.with(500, 7).with(bytes.length - 60, 7))
    const both = await read(damaged)
    expect(both.damaged.map(({ kind }) => kind)).toEqual(['data', 'index'])
    expect(both.entries).toEqual(entries.slice(0, both.entries.length))
    for (let length = 0; length < bytes.length; length += 13) {
      await writeFile(damaged, bytes.subarray(0, length))
      const cut = await read(damaged)
      expect(cut.damaged.length, `${length}`).toBeGreaterThan(0)
      expect(cut.entries).toEqual(entries.slice(0, cut.entries.length))
    }
  }))

test('what is packed is unpacked whole or not at all', () => {
  const short = Uint8Array.of(11, 0x10, 97, 98, 99, 100, 101, 0x09, 5, 0x00, 97)
  expect(() => unpacked(short, 100)).toThrow('more is packed')
  const whole = Uint8Array.of(12, 0x10, 97, 98, 99, 100, 101, 0x09, 5, 0x00, 97)
  expect(decoder.decode(unpacked(whole, 100))).toBe('abcdeabcdeaa')
  expect(() => unpacked(whole, 11)).toThrow('more than 11')
  for (let length = 0; length < whole.length; length++)
    expect(() => unpacked(whole.subarray(0, length), 100)).toThrow(/\S/)
  // A copy from before the beginning.
  expect(() => unpacked(Uint8Array.of(5, 0x00, 97, 0x01, 2), 100)).toThrow('a copy')
})

/** Some blocks, of some entries each, and a deletion. */
async function smallTable(path: string, compression: boolean): Promise<string> {
  await write(path, { compression, blockSize: 256 }, async (database) => {
    for (let i = 0; i < 60; i++)
      await database.put(`namespace!${String(i).padStart(3, '0')}`, valueOf(i, 10 + (i % 30)))
    await database.del('namespace!900')
  })
  const [table = '', ...more] = await tablesOf(path)
  expect(more).toEqual([])
  return table
}

function valueOf(i: number, length: number): string {
  return `${i} ${'abcdefghij'.repeat(Math.ceil(length / 10))}`.slice(0, length)
}

/** `level` leaves out of its types what browsers have none of. */
type Options = {
  readonly compression: boolean
  readonly blockSize?: number
}

/** All of it is in tables afterwards. */
async function write(
  path: string,
  options: Options,
  work: (database: Level) => Promise<void>,
): Promise<void> {
  for (const each of [work, () => Promise.resolve()]) {
    const database = new Level(path, options)
    await database.open()
    await each(database)
    await database.close()
  }
}

async function shownBy(path: string): Promise<[string, string][]> {
  const database = new Level(path, { createIfMissing: false })
  await database.open()
  const shown = await database.iterator().all()
  await database.close()
  return shown
}

async function tablesOf(path: string): Promise<readonly string[]> {
  const tables = (await liveFiles(path))?.tables ?? []
  return tables.flatMap(({ name, isListed }) => (isListed ? [join(path, name)] : []))
}

async function read(
  path: string,
): Promise<{ readonly entries: readonly TableEntry[]; readonly damaged: readonly DamagedBlock[] }> {
  const [entries, damaged]: [TableEntry[], DamagedBlock[]] = [[], []]
  for await (const entry of readTable(path, (block) => damaged.push(block))) entries.push(entry)
  return { entries, damaged }
}

function textOf({ key }: TableEntry): string {
  return decoder.decode(key)
}

function lineOf({ key, sequence, value }: TableEntry): string {
  return `${decoder.decode(key)} ${sequence} ${value === null ? 'deleted' : decoder.decode(value)}`
}

function isWithin(key: Uint8Array, { from, to }: DamagedBlock): boolean {
  return (from === null || Buffer.compare(key, from) >= 0) && (to === null || Buffer.compare(key, to) <= 0)
}
