/**
 * LevelDB's list of its files loses its end: it deletes the tables that it no longer names, and a folder is told to be damaged.
 * `rejoin repair` makes the database anew of those tables, which were kept, and nothing is missing then.
 */
import { createHash, randomBytes } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { rebuildFolder } from '@rejoin/persistence-level/node'
import { intents, openClient, repairFolder, startHub, verifyFolder } from 'rejoin'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hubKey, keysIn } from '../support/strike.ts'
import { until } from '../support/until.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rejoin-test-'))
  const hub = await startHub({ data: path.join(folder, 'hub'), domains: [intents], port: 0 })
  const client = await openClient({ data: path.join(folder, 'replica'), hub: hub.url })
  // So little that no checkpoint covers it.
  const other = await client.open(intents, 'other')
  await other.apply({ type: 'IntentAdded', id: 'a', phrasesByLang: {} }).acked
  const replica = await client.open(intents, 'support')
  await replica.apply({ type: 'IntentAdded', id: 'a', phrasesByLang: {} }).acked
  // LevelDB begins a table every 4 MB.
  for (let i = 0; i < 130; i++)
    await replica.apply(
      Array.from({ length: 50 }, () => ({
        type: 'PhraseAdded' as const,
        intentId: 'a',
        phrase: randomBytes(760).toString('base64'),
        lang: 'en',
      })),
    ).acked
  await until('nothing waits', () => replica.status.pending + other.status.pending === 0)
  await client.close()
  await hub.close()
}, 120_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

test.for(['hub', 'replica'] as const)(
  '[13] the tables of a %s that its list has lost are kept, and a repair brings them back',
  { timeout: 240_000 },
  async (kind) => {
    const whole = await copyOf(kind)
    const digests = await digestsOf(whole)
    const outcomes: string[] = []
    for (const length of await cuts(kind)) {
      const data = await copyOf(kind)
      await truncate(path.join(data, 'db', await manifestIn(data)), length)
      // Nothing is dropped, and whoever looks at it first takes nothing away.
      const before = await verifyFolder(data)
      const isWhole = before.fault === null && before.namespaces.every(({ faults }) => faults.length === 0)
      const { namespaces } = await repairFolder(data)
      outcomes.push(isWhole ? 'whole' : (namespaces[0]?.outcome ?? 'nothing'))
      expect(await digestsOf(data), `cut to ${length}`).toEqual(digests)
      if (isWhole) continue
      expect(namespaces[0]?.steps[0]).toMatch(
        /^make the database anew .* what was there is in rejoin\.damaged\/before-repair$/,
      )
      expect(await readdir(path.join(data, 'rejoin.damaged'))).not.toContain('rebuilt')
      expect((await repairFolder(data)).namespaces).toMatchObject([wholeOne, wholeOne])
      await rm(data, { recursive: true })
    }
    expect(outcomes).toContain('repaired')
  },
)

test('a repair that a crash ended while it changed databases goes on where it was', async () => {
  const data = await copyOf('hub')
  const digests = await digestsOf(await copyOf('hub'))
  await truncate(path.join(data, 'db', await manifestIn(data)), 0)
  expect(await rebuildFolder(data, 'LevelDB does not open it')).not.toBeNull()
  const before = path.join(data, 'rejoin.damaged', 'before-repair')
  await mkdir(before)
  await rename(path.join(data, 'db'), path.join(before, 'db'))
  expect((await repairFolder(data)).namespaces).toMatchObject([wholeOne, wholeOne])
  expect(await digestsOf(data)).toEqual(digests)
  expect(await readdir(path.join(data, 'rejoin.damaged'))).toEqual(['before-repair'])
})

test(
  '[3] [13] whichever table is missing, the database made anew is taken where nothing is lost for it, and else all stays as it is',
  { timeout: 240_000 },
  async () => {
    const whole = await hubIn(await copyOf('hub'))
    // What is in which one is for LevelDB's compaction to say.
    const tables = (await readdir(path.join(folder, 'hub', 'db'))).filter((name) => name.endsWith('.ldb'))
    const outcomes: string[] = []
    for (const table of tables) {
      const data = await copyOf('hub')
      await rm(path.join(data, 'db', table))
      const before = await hashesIn(path.join(data, 'db'))
      const { namespaces } = await repairFolder(data, { discard: true })
      const outcome = namespaces[0]?.outcome ?? 'nothing'
      outcomes.push(outcome)
      const isTaken = outcome === 'repaired'
      const names = await readdir(data)
      expect([table, outcome, names.includes('rejoin.damaged')]).toEqual([
        table,
        isTaken ? 'repaired' : 'impossible',
        isTaken,
      ])
      const isSame = isEqual(await hashesIn(path.join(data, 'db')), before)
      expect([table, isSame]).toEqual([table, !isTaken])
      // Nothing is lost, so no log says that something may be: the heads are where they were.
      const after = isTaken ? await hubIn(data) : whole
      expect([table, after.heads, after.digests]).toEqual([table, whole.heads, whole.digests])
      const gone = whole.records.filter((key) => !after.records.includes(key))
      expect([table, gone.filter((key) => !isCovered(key, after.floors))]).toEqual([table, []])
      expect([table, namespaces.filter(({ lost }) => isTaken && lost !== null)]).toEqual([table, []])
      await rm(data, { recursive: true })
    }
    // What no checkpoint covers is in one of them.
    expect(outcomes).toContain('impossible')
    console.log(`one of ${tables.length} tables missing: ${outcomes.join(', ')}`)
  },
)

interface HubContent {
  readonly heads: readonly number[]
  readonly floors: ReadonlyMap<string, number>
  readonly digests: readonly (string | null)[]
  readonly records: readonly string[]
}

async function hubIn(data: string): Promise<HubContent> {
  const { fault, namespaces } = await verifyFolder(data)
  const found = namespaces.flatMap((each) => ('floor' in each ? [each] : []))
  const faults = [fault, ...found.flatMap((each) => each.faults)].filter((each) => each !== null)
  if (faults.length > 0) throw new Error(`${data} is not sound: ${JSON.stringify(faults)}`)
  return {
    heads: found.map(({ head }) => head),
    floors: new Map(found.map(({ namespace, floor }) => [namespace, floor])),
    digests: found.map(({ digest }) => digest),
    records: await keysIn(data, 'hub!record!'),
  }
}

function isCovered(key: string, floors: HubContent['floors']): boolean {
  const [, , namespace = ''] = key.split('!')
  return key <= hubKey('record', namespace, floors.get(namespace) ?? 0)
}

function isEqual(some: ReadonlyMap<string, string>, others: ReadonlyMap<string, string>): boolean {
  return some.size === others.size && [...some].every(([name, hash]) => others.get(name) === hash)
}

const wholeOne = { outcome: 'whole' }

let copies = 0

async function copyOf(kind: 'hub' | 'replica'): Promise<string> {
  const copy = path.join(folder, `${kind}-${copies++}`)
  await cp(path.join(folder, kind), copy, { recursive: true })
  return copy
}

async function digestsOf(data: string): Promise<readonly (string | null)[]> {
  const { fault, namespaces } = await verifyFolder(data)
  expect(fault).toBeNull()
  expect(namespaces.map(({ faults }) => faults)).toEqual([[], []])
  return namespaces.map(({ digest }) => digest)
}

/** Of all but LevelDB's diary. */
async function hashesIn(database: string): Promise<ReadonlyMap<string, string>> {
  const files = (await readdir(database, { withFileTypes: true })).filter((each) => each.isFile())
  const names = files.map(({ name }) => name).filter((name) => !/^(?:LOG|LOG\.old|LOCK)$/.test(name))
  const hashes = new Map<string, string>()
  for (const name of names.toSorted()) {
    const bytes = await readFile(path.join(database, name))
    hashes.set(name, createHash('sha256').update(bytes).digest('hex'))
  }
  return hashes
}

async function manifestIn(data: string): Promise<string> {
  const name = (await readdir(path.join(data, 'db'))).find((each) => each.startsWith('MANIFEST-'))
  if (name === undefined) throw new Error('there is a list')
  return name
}

/** Where its records begin, and places amid them. It is shorter than a block. */
async function cuts(kind: 'hub' | 'replica'): Promise<readonly number[]> {
  const bytes = await readFile(path.join(folder, kind, 'db', await manifestIn(path.join(folder, kind))))
  const places: number[] = []
  for (let at = 0; at < bytes.length;) {
    const next = at + 7 + bytes.readUInt16LE(at + 4)
    places.push(at, Math.floor((at + next) / 2))
    at = next
  }
  // Every one of them was tried: half a minute.
  return process.env['EVERY_CUT'] === undefined ? places.filter((_, i) => i % 4 === 0) : places
}
