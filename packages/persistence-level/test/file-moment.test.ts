/** A database read from its files alone: what LevelDB shows where they are whole, and never an older value where they are not. */
import { once } from 'node:events'
import { cp, readdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { Level } from 'level'
import { expect, test } from 'vitest'
import { FileMoment } from '../src/folder/file-moment.ts'
import { damagedTables, damagedTablesError, isAllRead } from '../src/folder/table-damage.ts'
import { withDatabaseLock } from '../src/folder/damaged-tables.ts'
import { examineHubFolder, openHubFolder } from '../src/node.ts'
import { isCorrupt } from '../src/sealed-value.ts'
import { withFolder } from './databases.ts'
import { firstLine, runHolder } from './holder.ts'

const all = { gt: 'key ', lt: 'key~' }

test.each([1, 2, 3])('logs and tables together hold what LevelDB shows, in any range (%i)', (seed) =>
  withFolder(async (root) => {
    const path = join(root, 'db')
    const shown = await made(path, seed)
    const moment = await FileMoment.open(path)
    expect(moment.isWhole).toBe(true)
    expect(await shownBy(moment, all)).toEqual(shown)
    const keys = [...shown.keys()]
    const [from = '', to = ''] = [keys[100], keys[200]]
    expect([...(await shownBy(moment, { gte: from, lte: to })).keys()]).toEqual(keys.slice(100, 201))
    expect([...(await shownBy(moment, { gt: from, lt: to })).keys()]).toEqual(keys.slice(101, 200))
    for (const key of keys.slice(0, 20)) expect(await textAt(moment, key)).toBe(shown.get(key))
    expect(await moment.sealed('key none')).toBeNull()
    // It is in none of the values, and LevelDB finds them all still.
    expect(await damagedTables(path)).toEqual([])
    expect(await contentsOf(path)).toEqual(shown)
  }),
)

test('[13] with any bytes of a table damaged each key has its newest value, or is told to be unreadable', () =>
  withFolder(async (root) => {
    const path = join(root, 'db')
    const truth = await made(path, 7)
    const tables = (await readdir(path)).filter((name) => name.endsWith('.ldb'))
    const damage = fc.tuple(
      fc.nat(tables.length - 1),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      fc.nat(7),
    )
    let [readable, unreadable, older] = [0, 0, 0]
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (flips) => {
        const copy = await copyOf(path)
        for (const [table, place, bit] of flips) await flip(join(copy, tables[table] ?? ''), place, bit)
        const moment = await FileMoment.open(copy)
        expect(moment.isWhole).toBe(isAllRead(await damagedTables(copy)))
        const found = new Map<string, string | null>()
        for await (const [key, shown] of moment.entries(all)) {
          const newest = await textAt(moment, key)
          found.set(key, newest)
          if (newest === 'unreadable' && new TextDecoder().decode(shown) !== truth.get(key)) older += 1
        }
        for (const key of truth.keys()) if (!found.has(key)) found.set(key, await textAt(moment, key))
        const told = [...found].filter(([, text]) => text === 'unreadable').map(([key]) => key)
        for (const key of told) found.set(key, truth.get(key) ?? null)
        // Of one that is deleted no more may be said than that it may be there.
        expect(new Map([...found].filter(([, text]) => text !== null))).toEqual(truth)
        expect(moment.isWhole && told.length > 0).toBe(false)
        unreadable += told.length
        readable += truth.size - told.length
      }),
      { numRuns: 30 },
    )
    expect(unreadable).toBeGreaterThan(0)
    expect(older).toBeGreaterThan(0)
    expect(readable).toBeGreaterThan(5 * unreadable)
  }))

test('an error of damaged tables names the first place, and how many more there are', () => {
  const block = { kind: 'data', at: 17, bytes: 1234, from: null, to: null } as const
  const { code, message } = damagedTablesError('data/hub', [{ file: '000005.ldb', blocks: [block, block] }])
  expect(code).toBe('STORE_CORRUPT')
  expect(message).toContain(
    '1234 bytes at 17 of db/000005.ldb in data/hub, and 1 more blocks, are not what was written',
  )
})

const KEYS = 300

function keyOf(i: number): string {
  return `key ${String(i).padStart(4, '0')}`
}

/** Tables on several levels, a log that is not in one yet, older values and deletions. @returns what is there */
async function made(path: string, seed: number): Promise<ReadonlyMap<string, string>> {
  const truth = new Map<string, string>()
  let state = seed
  const random = (below: number): number => (state = (state * 48271) % 2147483647) % below
  // Each opening makes a table of its own of the log of the one before; of four or more LevelDB would make one.
  for (let round = 0; round < 4; round++) {
    const database = new Level(path, { blockSize: 1024, compression: false } as object)
    await database.open()
    for (let i = 0; i < (round < 3 ? 500 : 100); i++) {
      const key = keyOf(random(KEYS))
      const value = `${round} ${i} ${'x'.repeat(random(200))}${i}`
      if (random(4) === 0) {
        await database.del(key)
        truth.delete(key)
      } else {
        await database.batch([
          { type: 'put', key, value: 'older in the same batch' },
          { type: 'put', key, value },
        ])
        truth.set(key, value)
      }
    }
    await database.close()
  }
  const names = await readdir(path)
  expect(names.filter((name) => name.endsWith('.ldb')).length).toBe(3)
  return new Map([...truth].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

let copies = 0

async function copyOf(path: string): Promise<string> {
  const copy = `${path}-${(copies += 1)}`
  await cp(path, copy, { recursive: true })
  return copy
}

async function flip(file: string, place: number, bit: number): Promise<void> {
  const bytes = await readFile(file)
  const at = Math.floor(place * bytes.length)
  await writeFile(file, bytes.with(at, (bytes[at] ?? 0) ^ (1 << bit)))
}

async function shownBy(
  moment: FileMoment,
  range: Parameters<FileMoment['entries']>[0],
): Promise<Map<string, string>> {
  const shown = new Map<string, string>()
  for await (const [key, value] of moment.entries(range)) shown.set(key, new TextDecoder().decode(value))
  return shown
}

async function textAt(moment: FileMoment, key: string): Promise<string | null> {
  try {
    const value = await moment.sealed(key)
    return value === null ? null : new TextDecoder().decode(value)
  } catch (error) {
    if (isCorrupt(error)) return 'unreadable'
    throw error
  }
}

async function contentsOf(path: string): Promise<ReadonlyMap<string, string>> {
  const database = new Level(path, { createIfMissing: false })
  await database.open()
  const shown = await database.iterator().all()
  await database.close()
  return new Map(shown)
}

test('[13] a folder with a damaged table that was not closed in order stays shut, naming file and place', () =>
  withFolder(async (root) => {
    const hub = await damagedHub(join(root, 'hub'))
    await writeFile(join(hub, 'rejoin.lease'), '{"owner":"killed","durability":"durable"}\n')
    const before = await readdir(join(hub, 'db'))
    await expect(openHubFolder(hub)).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringMatching(/^\d+ bytes at 0 of db\/\d+\.ldb in /) as string,
    })
    expect(await readdir(join(hub, 'db'))).toEqual(before)
  }))

test('[13] what can be read of it is looked at as a copy, under the lock of the folder, which stays as it was', () =>
  withFolder(async (root) => {
    const hub = await damagedHub(join(root, 'hub'))
    const before = await readdir(hub)
    const examined = await examineHubFolder(hub)
    expect(examined.path).toBe(await realpath(hub))
    expect((await examined.unreadable())?.fault).toMatchObject({ code: 'STORE_CORRUPT' })
    await expect(examined.store.append('support', 1, new Uint8Array(1))).rejects.toMatchObject({
      code: 'STORE_CLOSED',
    })
    await examined.close()
    expect((await readdir(hub)).toSorted()).toEqual(before.toSorted())
    await expect(examineHubFolder(hub, 'mends')).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    const healthy = join(root, 'healthy')
    await (await openHubFolder(healthy)).close()
    const holder = runHolder(healthy)
    await firstLine(holder)
    // Whoever has it open has the lock of its database.
    await expect(withDatabaseLock(healthy, () => Promise.resolve())).rejects.toMatchObject({
      code: 'STORE_LOCKED',
    })
    const ended = once(holder, 'exit')
    holder.kill('SIGKILL')
    await ended
    expect(await withDatabaseLock(healthy, () => Promise.resolve('free'))).toBe('free')
    await (await openHubFolder(healthy)).close()
  }))

async function damagedHub(path: string): Promise<string> {
  for (let seq = 0; seq < 3; seq++) {
    const folder = await openHubFolder(path)
    await folder.store.append('support', seq, new Uint8Array(100))
    await folder.close()
  }
  const [table = ''] = (await readdir(join(path, 'db'))).filter((name) => name.endsWith('.ldb'))
  await flip(join(path, 'db', table), 0, 0)
  return path
}
