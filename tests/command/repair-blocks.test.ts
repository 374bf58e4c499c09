// One byte of a table is another one, so that LevelDB cannot read the block: `repair` makes the database anew in its place of all that
// can be read, keeps the one that was there, and gives up nothing unasked.
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Level } from 'level'
import { rebuildReadable } from '@rejoin/persistence-level/node'
import { intents, openClient, repairFolder, startHub, SyncError, verifyFolder, type RunningHub } from 'rejoin'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TableFile } from '../../packages/persistence-level/src/log/table-file.ts'
import { keysIn } from '../support/strike.ts'
import { until, within } from '../support/until.ts'

const before = path.join('rejoin.damaged', 'before-repair')
let root: string
let digests: ReadonlyMap<string, string | null>
let copies = 0

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'rejoin-test-'))
  const [hub, laptop] = [path.join(root, 'hub'), path.join(root, 'laptop')]
  await withHub(hub, async ({ url }) => {
    const client = await openClient({ data: laptop, hub: url })
    for (const namespace of ['aa', 'bb']) {
      const replica = await client.open(intents, namespace)
      await replica.apply({ type: 'IntentAdded', id: 'a', phrasesByLang: {} }).acked
      for (let i = 0; i < 100; i++) await replica.apply(phrase(`${i} ${'over and over '.repeat(20)}`)).acked
      await until('nothing waits', () => replica.status.pending === 0)
    }
    await client.close()
  })
  digests = await digestsOf(hub)
  // Opened once more all of it is in tables.
  if ((await digestsOf(laptop)).get('bb') !== digests.get('bb')) throw new Error('they have not converged')
}, 120_000)

afterAll(() => rm(root, { recursive: true, force: true }))

test(
  '[3] [13] the namespace of a hub of which a block cannot be read is closed and told, the others are served, and replicas make it whole',
  { timeout: 240_000 },
  async () => {
    const [hub, laptop] = [await copyOf('hub'), await copyOf('laptop')]
    await flipIn(hub, 'hub!record!bb!')
    const unasked = await repairFolder(hub)
    expect(unasked.namespaces).toMatchObject([
      {
        namespace: null,
        outcome: 'repaired',
        faults: [expect.stringMatching(/bytes at \d+ of db\/\d+\.ldb in .* not what was written/) as string],
        steps: [`make the database anew of all that can be read; what was there is in ${before}`],
      },
      { namespace: 'aa', outcome: 'whole' },
      { namespace: 'bb', outcome: 'needs discard', lost: { to: 101 } },
    ])
    // All that can be read is in both.
    expect(await readdir(path.join(hub, before, 'db'))).toContain('CURRENT')
    const records = await keysIn(hub, 'hub!record!bb!')
    expect(records.length).toBeGreaterThan(70)
    expect(await digestsOf(hub)).toEqual(new Map([...digests, ['bb', null]]))
    await withHub(hub, async (running) => {
      expect(await said(running, laptop, 'aa')).toBe('acked')
      expect(await said(running, laptop, 'bb')).toBe('STORE_CORRUPT')
    })
    const { namespaces } = await verifyFolder(laptop)

    const asked = await repairFolder(hub, { discard: true })
    expect(asked.namespaces).toMatchObject([
      { namespace: 'aa', outcome: 'whole' },
      { namespace: 'bb', outcome: 'repaired' },
    ])
    await withHub(hub, (running) => said(running, laptop, 'bb'))
    await withHub(hub, (running) => said(running, laptop, 'bb'))
    const healed = await digestsOf(hub)
    expect(healed).toEqual(await digestsOf(laptop))
    expect(healed.get('aa')).toBe(namespaces.find(({ namespace }) => namespace === 'aa')?.digest)
  },
)

test(
  '[13] where the record of the store itself stands in such a block, nothing is changed unasked',
  { timeout: 240_000 },
  async () => {
    const [hub, laptop] = [await copyOf('hub'), await copyOf('laptop')]
    await flipIn(hub, 'hub!store', 'with others')
    const unasked = await repairFolder(hub)
    expect(unasked.namespaces[0]).toMatchObject({ namespace: null, outcome: 'needs discard' })
    expect(unasked.namespaces.map(({ outcome }) => outcome)).not.toContain('impossible')
    expect(await readdir(hub)).not.toContain('rejoin.damaged')
    const asked = await repairFolder(hub, { discard: true })
    expect(asked.namespaces.filter(({ outcome }) => outcome !== 'repaired')).toEqual([])
    for (const namespace of ['aa', 'bb', 'aa', 'bb'])
      expect(await withHub(hub, (running) => said(running, laptop, namespace))).toBe('acked')
    expect(await digestsOf(hub)).toEqual(await digestsOf(laptop))
  },
)

test(
  '[4] the content of a replica in such a block is fetched again where that is asked for, and what waits is pushed',
  { timeout: 240_000 },
  async () => {
    const [hub, laptop] = [await copyOf('hub'), await copyOf('laptop')]
    await offline(laptop, 'bb', 'this waits', 'and this')
    await flipIn(laptop, 'replica!update!bb!')
    const unasked = await repairFolder(laptop)
    expect(unasked.namespaces).toMatchObject([
      { namespace: null, outcome: 'needs discard' },
      { namespace: 'aa', outcome: 'whole' },
      { namespace: 'bb', outcome: 'needs discard' },
    ])
    expect(await readdir(laptop)).not.toContain('rejoin.damaged')
    const asked = await repairFolder(laptop, { discard: true })
    expect(asked.namespaces).toMatchObject([
      { namespace: null, outcome: 'repaired' },
      { namespace: 'aa', outcome: 'whole' },
      { namespace: 'bb', outcome: 'repaired', commits: [] },
    ])
    expect(await readdir(path.join(laptop, before, 'db'))).toContain('CURRENT')
    await withHub(hub, async (running) => {
      expect(await said(running, laptop, 'bb')).toBe('acked')
      const client = await openClient({ data: path.join(root, `phone-${copies++}`), hub: running.url })
      const replica = await client.open(intents, 'bb')
      await replica.syncOnce()
      const phrases = JSON.stringify([...replica.tables.phrases.entries()])
      expect(phrases).toContain('this waits')
      expect(phrases).toContain('and this')
      await client.close()
    })
    expect(await digestsOf(hub)).toEqual(await digestsOf(laptop))
  },
)

test(
  '[4] a commit that waits in such a block is named, and those that can be read are kept',
  { timeout: 240_000 },
  async () => {
    const laptop = await copyOf('laptop')
    await offline(
      laptop,
      'bb',
      ...Array.from({ length: 60 }, (_, i) => `${i} ${'waits and waits '.repeat(20)}`),
    )
    await verifyFolder(laptop)
    await flipIn(laptop, 'replica!outbox!bb!', 'first')
    const { namespaces } = await repairFolder(laptop, { discard: true })
    expect(namespaces[2]).toMatchObject({ namespace: 'bb', outcome: 'repaired' })
    const [, found] = (await verifyFolder(laptop)).namespaces
    if (found === undefined || !('outbox' in found)) throw new Error('a replica is verified')
    expect(found.faults).toEqual([])
    const lost = namespaces[2]?.faults.filter((fault) =>
      fault.includes('is missing, and commits after'),
    ).length
    expect(lost).toBeGreaterThan(2)
    expect(found.outbox + found.rejected + (lost ?? 0)).toBe(60)
  },
)

test('a crash at any step of changing the databases is harmless', { timeout: 240_000 }, async () => {
  const crashes: readonly ((hub: string) => Promise<unknown>)[] = [
    // Amid the copying.
    async (hub) => {
      await mkdir(path.join(hub, 'rejoin.damaged', 'rebuilt', 'db'), { recursive: true })
      await mkdir(path.join(hub, 'rejoin.damaged', 'rebuilt', 'db.source'))
      await writeFile(path.join(hub, 'rejoin.damaged', 'rebuilt', 'db', 'CURRENT'), 'MANIFEST-')
    },
    // Before it takes the other one's place.
    (hub) => rebuildReadable(hub, 'hub', 'a block'),
    // With none in its place.
    async (hub) => {
      await rebuildReadable(hub, 'hub', 'a block')
      await mkdir(path.join(hub, before))
      await rename(path.join(hub, 'db'), path.join(hub, before, 'db'))
    },
    // Before what is left of the making is gone.
    async (hub) => {
      await rebuildReadable(hub, 'hub', 'a block')
      await mkdir(path.join(hub, before))
      await rename(path.join(hub, 'db'), path.join(hub, before, 'db'))
      await rename(path.join(hub, 'rejoin.damaged', 'rebuilt', 'db'), path.join(hub, 'db'))
    },
  ]
  const struck = await copyOf('hub')
  await flipIn(struck, 'hub!record!bb!')
  for (const crash of crashes) {
    const [hub, laptop] = [path.join(root, `hub-${copies++}`), await copyOf('laptop')]
    await cp(struck, hub, { recursive: true })
    await crash(hub)
    const { namespaces } = await repairFolder(hub)
    expect(namespaces.slice(-2)).toMatchObject([
      { namespace: 'aa', outcome: 'whole' },
      { namespace: 'bb', outcome: 'needs discard' },
    ])
    const { namespaces: asked } = await repairFolder(hub, { discard: true })
    expect(asked.map(({ outcome }) => outcome)).toEqual(['whole', 'repaired'])
    expect(await readdir(path.join(hub, before, 'db'))).toContain('CURRENT')
    await withHub(hub, (running) => said(running, laptop, 'bb'))
    await withHub(hub, (running) => said(running, laptop, 'bb'))
    expect(await digestsOf(hub)).toEqual(await digestsOf(laptop))
  }
})

function phrase(text: string) {
  return { type: 'PhraseAdded', intentId: 'a', phrase: text, lang: 'en' } as const
}

async function copyOf(kind: 'hub' | 'laptop'): Promise<string> {
  const copy = path.join(root, `${kind}-${copies++}`)
  await cp(path.join(root, kind), copy, { recursive: true })
  return copy
}

async function digestsOf(data: string): Promise<ReadonlyMap<string, string | null>> {
  const { namespaces } = await verifyFolder(data)
  return new Map(
    namespaces.flatMap(({ namespace, digest }) => (namespace === null ? [] : [[namespace, digest]])),
  )
}

async function withHub<R>(data: string, use: (hub: RunningHub) => Promise<R>): Promise<R> {
  const hub = await startHub({ data, domains: [intents], port: 0 })
  try {
    return await use(hub)
  } finally {
    await hub.close()
  }
}

/** One commit of a replica: `acked`, or the code with which it hears of its hub. */
async function said({ url }: RunningHub, data: string, namespace: string): Promise<string> {
  const client = await openClient({ data, hub: url })
  try {
    const replica = await client.open(intents, namespace)
    await within('it is synced', replica.syncOnce())
    const receipt = replica.apply(phrase(`said ${copies++}`))
    if (receipt.kind === 'unchanged') throw new Error('it is new')
    await within('it is synced', replica.syncOnce())
    return replica.status.pending === 0 ? 'acked' : (replica.status.lastError?.code ?? 'it waits')
  } catch (error) {
    if (error instanceof SyncError) return error.code
    throw error
  } finally {
    await client.close()
  }
}

async function offline(data: string, namespace: string, ...texts: readonly string[]): Promise<void> {
  const client = await openClient({ data })
  const replica = await client.open(intents, namespace)
  for (const text of texts) await replica.apply(phrase(text)).saved
  await client.close()
}

type Which = 'first' | 'last' | 'with others'

/** Changes one byte of a table, so that LevelDB cannot read the first or last block of such values alone, or one with others. */
async function flipIn(data: string, prefix: string, which: Which = 'last'): Promise<void> {
  await compact(data)
  const whole = await keysOf(data)
  const [table] = (await readdir(path.join(data, 'db'))).filter((name) => name.endsWith('.ldb'))
  const file = path.join(data, 'db', table ?? '')
  const bytes = await readFile(file)
  const places = which === 'with others' ? await placesOf(file, prefix) : placesIn(bytes, prefix, which)
  for (const at of places) {
    const struck = Uint8Array.from(bytes)
    struck[at] = (struck[at] ?? 0) ^ 0xff
    await writeFile(file, struck)
    const found = new Set(await keysOf(data))
    const lost = whole.filter((key) => !found.has(key))
    const isIt = (key: string): boolean => key.startsWith(prefix)
    if (which !== 'with others' ? lost.length > 0 && lost.every(isIt) : found.size > 0 && lost.some(isIt))
      return
  }
  throw new Error(`${data} has no block with ${prefix}`)
}

/** In the block that holds the key. */
async function placesOf(file: string, key: string): Promise<readonly number[]> {
  const table = await TableFile.open(file)
  const name = Buffer.from(key)
  const block = table.blocks.find(({ to }) => to !== null && Buffer.compare(name, to) <= 0)
  await table.close()
  return Array.from({ length: block?.bytes ?? 0 }, (_, i) => (block?.at ?? 0) + i)
}

/** Around where blocks begin, whose first key is written in full. */
function placesIn(bytes: Buffer, prefix: string, which: 'first' | 'last'): readonly number[] {
  const down = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from - i)
  const keys: number[] = []
  for (let at = bytes.indexOf(prefix); at >= 0; at = bytes.indexOf(prefix, at + 1)) keys.push(at)
  return (which === 'last' ? keys.toReversed() : keys).flatMap((at) => down(at - 1, 12))
}

/** Into one table, without anything that was replaced. */
async function compact(data: string): Promise<void> {
  const database = new Level<string, Uint8Array>(path.join(data, 'db'))
  await database.open()
  const inNode = database as unknown as { compactRange(from: string, to: string): Promise<void> }
  await inNode.compactRange('!', '~')
  await database.close()
}

/** Those that LevelDB shows, of a copy, since it tidies what it opens. */
async function keysOf(data: string): Promise<readonly string[]> {
  const copy = path.join(root, `looked-at-${copies++}`)
  await cp(path.join(data, 'db'), copy, { recursive: true })
  const database = new Level<string, Uint8Array>(copy)
  await database.open()
  const iterator = database.keys()
  const keys: string[] = []
  try {
    for (let next = await iterator.nextv(1); next.length > 0; next = await iterator.nextv(1))
      keys.push(...next)
  } catch {
    // Some block was passed over.
  } finally {
    await database.close()
    await rm(copy, { recursive: true })
  }
  return keys
}
