/**
 * LevelDB's list of its files loses its end: it deletes the tables that it no longer names, and a folder is told to be damaged.
 * `rejoin repair` makes the database anew of those tables, which were kept, and nothing is missing then.
 */
import { randomBytes } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { rebuildFolder } from '@rejoin/persistence-level/node'
import { intents, openClient, repairFolder, startHub, verifyFolder } from 'rejoin'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../support/until.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rejoin-test-'))
  const hub = await startHub({ data: path.join(folder, 'hub'), domains: [intents], port: 0 })
  const client = await openClient({ data: path.join(folder, 'replica'), hub: hub.url })
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
  await until('nothing waits', () => replica.status.pending === 0)
  await client.close()
  await hub.close()
}, 120_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

test.for(['hub', 'replica'] as const)(
  '[13] the tables of a %s that its list has lost are kept, and a repair brings them back',
  { timeout: 240_000 },
  async (kind) => {
    const whole = await copyOf(kind)
    const digest = await digestOf(whole)
    const outcomes: string[] = []
    for (const length of await cuts(kind)) {
      const data = await copyOf(kind)
      await truncate(path.join(data, 'db', await manifestIn(data)), length)
      // Nothing is dropped, and whoever looks at it first takes nothing away.
      const before = await verifyFolder(data)
      const isWhole = before.fault === null && before.namespaces.every(({ faults }) => faults.length === 0)
      const { namespaces } = await repairFolder(data)
      outcomes.push(isWhole ? 'whole' : (namespaces[0]?.outcome ?? 'nothing'))
      expect(await digestOf(data), `cut to ${length}`).toBe(digest)
      if (isWhole) continue
      expect(namespaces[0]?.steps[0]).toMatch(
        /^make the database anew .* what was there is in rejoin\.damaged\/before-repair$/,
      )
      expect(await readdir(path.join(data, 'rejoin.damaged'))).not.toContain('rebuilt')
      expect((await repairFolder(data)).namespaces).toMatchObject([{ outcome: 'whole' }])
      await rm(data, { recursive: true })
    }
    expect(outcomes).toContain('repaired')
  },
)

test('a repair that a crash ended while it changed databases goes on where it was', async () => {
  const data = await copyOf('hub')
  const digest = await digestOf(await copyOf('hub'))
  await truncate(path.join(data, 'db', await manifestIn(data)), 0)
  expect(await rebuildFolder(data, 'LevelDB does not open it')).not.toBeNull()
  const before = path.join(data, 'rejoin.damaged', 'before-repair')
  await mkdir(before)
  await rename(path.join(data, 'db'), path.join(before, 'db'))
  expect((await repairFolder(data)).namespaces).toMatchObject([{ outcome: 'whole' }])
  expect(await digestOf(data)).toBe(digest)
  expect(await readdir(path.join(data, 'rejoin.damaged'))).toEqual(['before-repair'])
})

test('[13] a database made anew from which something is missing is not taken', async () => {
  const data = await copyOf('hub')
  // Of older ones a checkpoint may have all that was in them.
  const table =
    (await readdir(path.join(data, 'db'))).toSorted().findLast((name) => name.endsWith('.ldb')) ?? ''
  await rm(path.join(data, 'db', table))
  const files = await readdir(path.join(data, 'db'))
  const { namespaces } = await repairFolder(data, { discard: true })
  expect(namespaces).toMatchObject([{ outcome: 'impossible' }])
  expect(await readdir(path.join(data, 'db'))).toEqual(
    expect.arrayContaining(files.filter((name) => /^\d/.test(name))),
  )
  expect(await readdir(data)).not.toContain('rejoin.damaged')
})

let copies = 0

async function copyOf(kind: 'hub' | 'replica'): Promise<string> {
  const copy = path.join(folder, `${kind}-${copies++}`)
  await cp(path.join(folder, kind), copy, { recursive: true })
  return copy
}

async function digestOf(data: string): Promise<string | null> {
  const { fault, namespaces } = await verifyFolder(data)
  expect(fault).toBeNull()
  const [found] = namespaces
  expect(found?.faults).toEqual([])
  return found?.digest ?? null
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
