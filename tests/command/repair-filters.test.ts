// What LevelDB shows and does not find: no checksum guards its filters and indexes as it reads them, so a byte of one that is another
// one hides values that are whole. `repair` makes the database anew of what is shown, gives nothing up by that, and says that a
// folder is repaired only where it finds no fault in it afterwards. Where a table cannot be read at all, it says what nobody can say.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Level } from 'level'
import { intents, openClient, repairFolder, startHub, verifyFolder, type RepairReport } from 'rejoin'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { verifiedAfresh } from '../../packages/rejoin/src/wiring/repair-check.ts'
import { untouched, type RepairedNamespace } from '../../packages/rejoin/src/wiring/repair-report.ts'
import { flipValue, hubKey } from '../support/strike.ts'
import { until } from '../support/until.ts'

const kinds = ['hub', 'replica'] as const
type Kind = (typeof kinds)[number]

let root: string
let copies = 0

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'rejoin-test-'))
  const [hub, replica] = [path.join(root, 'hub'), path.join(root, 'replica')]
  const running = await startHub({ data: hub, domains: [intents], port: 0 })
  const client = await openClient({ data: replica, hub: running.url })
  for (const namespace of ['aa', 'bb']) {
    const opened = await client.open(intents, namespace)
    await opened.apply({ type: 'IntentAdded', id: 'a', phrasesByLang: {} }).acked
    for (let i = 0; i < 12; i++) await opened.apply(phrase(`${i} ${'over and over '.repeat(20)}`)).acked
    await until('nothing waits', () => opened.status.pending === 0)
  }
  await client.close()
  await running.close()
  const offline = await openClient({ data: replica })
  const opened = await offline.open(intents, 'bb')
  for (let i = 0; i < 5; i++) await opened.apply(phrase(`this waits ${i}`)).saved
  await offline.close()
  for (const folder of [hub, replica]) {
    await verifyFolder(folder)
    await compact(folder)
    // It only takes time to copy.
    await rm(path.join(folder, 'rejoin.ballast'))
  }
}, 120_000)

afterAll(() => rm(root, { recursive: true, force: true }))

for (const kind of kinds) {
  test(
    `[3] [4] [13] whatever byte of a ${kind}'s filter is another one, its values are found again and nothing is given up`,
    { timeout: 300_000 },
    async () => {
      const whole = await contentOf(path.join(root, kind))
      const { filter } = await blocksOf(path.join(root, kind))
      const told: string[] = []
      for (let at = filter.from; at < filter.to; at += 3) {
        const folder = await struck(kind, at)
        const { namespaces, remarks } = await repairFolder(folder)
        expect([at, namespaces.every(isSound), remarks]).toEqual([at, true, []])
        expect([at, await contentOf(folder)]).toEqual([at, whole])
        const made = namespaces.filter(({ namespace }) => namespace === null)
        told.push(...made.flatMap(({ faults }) => faults))
        const isKept = (await readdir(folder)).includes('rejoin.damaged')
        expect([at, isKept]).toEqual([at, made.length > 0])
        await rm(folder, { recursive: true })
      }
      expect(told.length).toBeGreaterThan(5)
      for (const fault of told)
        expect(fault).toMatch(
          /bytes at \d+ of db\/\d+\.ldb in .* an index or a filter is in them, and no value/,
        )
    },
  )

  test(
    `[13] whatever byte at the end of a ${kind}'s table is another one, it is not called repaired where it has faults`,
    { timeout: 300_000 },
    async () => {
      const { filter, end } = await blocksOf(path.join(root, kind))
      const nothing = { faults: [], digests: await digestsOf(path.join(root, kind)) }
      const seen = new Set<string>()
      for (let at = filter.to; at < end; at += 7)
        for (const discard of [false, true]) {
          const folder = await struck(kind, at)
          const { namespaces, remarks } = await repairFolder(folder, { discard })
          const isSaid = namespaces.every(isSound)
          const faults = isSaid ? await faultsOf(folder) : []
          // Unasked nothing is given up.
          const digests = isSaid && !discard ? await digestsOf(folder) : nothing.digests
          expect([at, discard, { faults, digests }]).toEqual([at, discard, nothing])
          const [first] = namespaces
          // What nobody can read, nobody can name.
          const isUncertain = kind === 'replica' && first?.faults[0]?.includes('cannot read all') === true
          expect([at, discard, !isUncertain || remarks.length === 1]).toEqual([at, discard, true])
          seen.add(first?.namespace === null ? first.outcome : 'whole')
          await rm(folder, { recursive: true })
        }
      expect(seen).toContain('repaired')
      // Not even the footer keeps from what is there: blocks are found by their checksums.
      expect(seen).not.toContain('needs discard')
    },
  )

  test(`[13] verify of a ${kind} names the place in the file of what LevelDB would not find by`, async () => {
    const { filter } = await blocksOf(path.join(root, kind))
    const told: string[] = []
    for (let at = filter.from; at < filter.to; at += 5) {
      const folder = await struck(kind, at)
      const { fault } = await verifyFolder(folder)
      if (fault !== null) told.push(fault)
      await rm(folder, { recursive: true })
    }
    expect(told.length).toBeGreaterThan(5)
    for (const fault of told) expect(fault).toMatch(/bytes at \d+ of db\/\d+\.ldb in .* an index or a filter/)
  })

  test(`[4] [13] where a table of a ${kind} cannot be read, it is said that nobody can say what was in it`, async () => {
    const { end } = await blocksOf(path.join(root, kind))
    // Of the first block, and of the index: nobody knows then where the next one begins.
    const folder = await struck(kind, 10, end - 60)
    const unasked = await repairFolder(folder)
    expect(unasked.namespaces[0]).toMatchObject({ namespace: null, outcome: 'needs discard' })
    const what = kind === 'hub' ? 'records, and whole' : 'commits that waited, and whole'
    expect(unasked.remarks).toEqual([expect.stringContaining(`${what} namespaces`)])
    expect(unasked.remarks).toEqual([expect.stringContaining('--discard keeps what is there in')])
    expect(await readdir(folder)).not.toContain('rejoin.damaged')
    const asked = await repairFolder(folder, { discard: true })
    expect(asked.remarks).toEqual([expect.stringContaining(`${what} namespaces`)])
    expect(asked.remarks).toEqual([expect.stringContaining('is kept in rejoin.damaged/before-repair')])
    const written = JSON.parse(await readFile(asked.report, 'utf8')) as RepairReport
    expect(written.remarks).toEqual(asked.remarks)
    expect(await faultsOf(folder)).toEqual([])
  })
}

test('[13] what has faults after a repair is not called repaired', async () => {
  const folder = path.join(root, `hub-${copies++}`)
  await cp(path.join(root, 'hub'), folder, { recursive: true })
  await flipValue(folder, hubKey('record', 'bb', 3))
  const done = ['aa', 'bb'].map((namespace) => ({ ...untouched(namespace), outcome: 'repaired' as const }))
  expect(await verifiedAfresh(folder, done, null)).toMatchObject([
    { namespace: 'aa', outcome: 'repaired', faults: [] },
    { namespace: 'bb', outcome: 'impossible', faults: [expect.stringContaining('not sound afterwards')] },
  ])
  expect(await verifiedAfresh(folder, done.slice(0, 1), 'aa')).toEqual(done.slice(0, 1))
  const [, bb] = await verifiedAfresh(folder, done.slice(0, 1), null)
  expect(bb).toMatchObject({ namespace: 'bb', outcome: 'impossible' })
  await flipValue(folder, 'hub!store')
  const [, , whole] = await verifiedAfresh(folder, done, null)
  expect(whole).toMatchObject({
    namespace: null,
    outcome: 'impossible',
    advice: expect.any(String) as string,
  })
  // Of what waits for an answer nobody expects it.
  const waiting = { ...untouched(null), outcome: 'needs discard' as const }
  expect(await verifiedAfresh(folder, [waiting], 'aa')).toEqual([waiting])
})

function phrase(text: string) {
  return { type: 'PhraseAdded', intentId: 'a', phrase: text, lang: 'en' } as const
}

/** A copy in which one byte of the table is another one. */
async function struck(kind: Kind, ...places: readonly number[]): Promise<string> {
  const folder = path.join(root, `${kind}-${copies++}`)
  await cp(path.join(root, kind), folder, { recursive: true })
  const file = await tableOf(folder)
  const bytes = Uint8Array.from(await readFile(file))
  for (const at of places) bytes[at] = (bytes[at] ?? 0) ^ 0xff
  await writeFile(file, bytes)
  return folder
}

async function faultsOf(folder: string): Promise<readonly string[]> {
  const { fault, namespaces } = await verifyFolder(folder)
  const each = namespaces.flatMap(({ faults }) => faults.map(({ message }) => message))
  return fault === null ? each : [fault, ...each]
}

function isSound({ outcome }: RepairedNamespace): boolean {
  return outcome === 'whole' || outcome === 'repaired'
}

async function digestsOf(folder: string): Promise<unknown> {
  return (await verifyFolder(folder)).namespaces.map(({ namespace, digest }) => [namespace, digest])
}

/** Of each namespace what it holds, and what waits. */
async function contentOf(folder: string): Promise<unknown> {
  const report = await verifyFolder(folder)
  return {
    faults: await faultsOf(folder),
    namespaces: report.namespaces.map((each) => [
      each.namespace,
      each.digest,
      'outbox' in each ? [each.outbox, each.rejected] : each.commits,
    ]),
  }
}

/** Where the filter is in the one table, and where that ends, as its footer and the index of its other blocks say. */
async function blocksOf(folder: string) {
  const bytes = await readFile(await tableOf(folder))
  let at = bytes.length - 48
  const number = (): number => {
    for (let n = 0, unit = 1; ; unit *= 128) {
      const byte = bytes[at++] ?? 0
      n += (byte & 127) * unit
      if (byte < 128) return n
    }
  }
  at = number()
  const [shared, rest] = [number(), number()]
  number()
  const name = bytes.subarray(at, at + rest).toString()
  if (shared !== 0 || !name.startsWith('filter.')) throw new Error(`${folder} has a table without a filter`)
  at += rest
  const from = number()
  return { filter: { from, to: from + number() }, end: bytes.length }
}

async function tableOf(folder: string): Promise<string> {
  const [name, ...others] = (await readdir(path.join(folder, 'db'))).filter((file) => file.endsWith('.ldb'))
  if (name === undefined || others.length > 0) throw new Error(`${folder} has no or several tables`)
  return path.join(folder, 'db', name)
}

/** Into one table, without anything that was replaced. */
async function compact(folder: string): Promise<void> {
  const database = new Level<string, Uint8Array>(path.join(folder, 'db'))
  await database.open()
  const inNode = database as unknown as { compactRange(from: string, to: string): Promise<void> }
  await inNode.compactRange('!', '~')
  await database.close()
}
