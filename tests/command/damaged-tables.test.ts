// One bit of a table is another one, anywhere in it: LevelDB looks at no checksum and would end the process over some of them, so it is
// shown none. Whatever bit it is, `verify`, `repair`, `restore` and the start of a hub that was killed go to their end, and say so.
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { intents, openClient, startHub } from 'rejoin'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Outcome, Place } from '../support/damaged-tables.ts'
import { startScript } from '../support/script.ts'
import { Seeded } from '../support/seeded.ts'
import { until } from '../support/until.ts'

const script = fileURLToPath(new URL('../support/damaged-tables.ts', import.meta.url))
let root: string

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'rejoin-test-'))
  const hub = path.join(root, 'hub')
  // Each opening makes a table of its own of the log of the one before.
  for (const round of ['first', 'second', 'third', 'last']) {
    const running = await startHub({ data: hub, domains: [intents], port: 0 })
    const client = await openClient({ data: path.join(root, 'laptop'), hub: running.url })
    for (const namespace of ['aa', 'bb']) {
      const replica = await client.open(intents, namespace)
      replica.apply({ type: 'IntentAdded', id: 'a', phrasesByLang: {} })
      for (let i = 0; i < 30; i++) replica.apply(phrase(`${round} ${i} ${'over and over '.repeat(20)}`))
      await replica.syncOnce()
      await until('nothing waits', () => replica.status.pending === 0)
    }
    await client.close()
    await running.close()
  }
  // It only takes time to copy.
  await rm(path.join(hub, 'rejoin.ballast'))
}, 120_000)

afterAll(() => rm(root, { recursive: true, force: true }))

test(
  '[3] [13] whichever bit of a table is another one, no process is ended by it, and all say so',
  { timeout: 400_000 },
  async () => {
    const hub = path.join(root, 'hub')
    const places = await placesIn(path.join(hub, 'db'))
    expect(places.length).toBeGreaterThanOrEqual(60)
    const lines: string[] = []
    const child = startScript(script, [hub, JSON.stringify(places)], { onLine: (line) => lines.push(line) })
    expect([await child.ended, child.stderr()]).toEqual([0, ''])
    const outcomes = lines.map((line) => JSON.parse(line) as Outcome)
    expect(outcomes.map(({ place }) => place)).toEqual(places)
    for (const { place, start, fault, repair, after, restore } of outcomes) {
      const told = new RegExp(String.raw`^STORE_CORRUPT \d+ bytes at \d+ of db/${place.table} in `)
      const whole = { start: 'served', repair: ['whole', 'whole'], after: [], restore: 'whole' }
      // Of the footer some bytes are filled up with zeros, which nobody reads.
      const isHarmless = fault === null && isDeepStrictEqual({ start, repair, after, restore }, whole)
      const isTold = fault !== null && told.test(start) && repair.includes('repaired') && after.length === 0
      expect({ place, isSaid: isHarmless || isTold, start, fault, after }).toMatchObject({ isSaid: true })
    }
    expect(new Set(outcomes.map(({ restore }) => restore.slice(0, 13)))).toContain('told')
  },
)

/** All over each table. */
async function placesIn(database: string): Promise<readonly Place[]> {
  const random = new Seeded(20261122)
  const tables = (await readdir(database)).filter((name) => name.endsWith('.ldb')).toSorted()
  const each = tables.map(async (table) => {
    const { size } = await stat(path.join(database, table))
    const count = Math.ceil(60 / tables.length)
    return Array.from({ length: count }, (_, i) => ({
      table,
      at: Math.floor(((i + random.unit()) / count) * size),
      bit: random.whole(0, 7),
    }))
  })
  return (await Promise.all(each)).flat()
}

function phrase(text: string) {
  return { type: 'PhraseAdded', intentId: 'a', phrase: text, lang: 'en' } as const
}
