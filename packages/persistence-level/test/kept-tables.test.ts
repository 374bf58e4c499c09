// LevelDB's list of its files, cut at every record and amid each: LevelDB deletes the tables that it does not name any more.
import { createHash, randomBytes } from 'node:crypto'
import { cp, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SyncError, type ReplicaIdentity } from '@rejoin/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { liveFiles } from '../src/log/live-files.ts'
import {
  examineHubFolder,
  examineReplicaFolder,
  logFaultText,
  openHubFolder,
  openReplicaFolder,
  type LogFault,
} from '../src/node.ts'

const identity: ReplicaIdentity = {
  replica: 'replica-of-22-letters_',
  clientId: 4_000,
  domain: 'todo',
  domainVersion: 1,
}
const small = { ballastBytes: 0, sync: 'never' } as const
/** Of 100 kB each: LevelDB begins a table every 4 MB. */
const writes = 180
const kinds = ['hub', 'replica'] as const
type Kind = (typeof kinds)[number]

describe.each(kinds)('the tables of a %s', (kind) => {
  let root: string
  let whole: string
  let intact: string
  let copies = 0

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'rejoin-test-'))
    whole = join(root, 'whole')
    await fill(kind, whole)
    // Read from a copy, since an opening begins another list.
    intact = (await reading(kind, await copied())).content ?? ''
  }, 120_000)

  afterAll(() => rm(root, { recursive: true, force: true }))

  async function copied(): Promise<string> {
    const copy = join(root, `copy-${copies++}`)
    await cp(whole, copy, { recursive: true })
    return copy
  }

  test('[13] are all there, or not needed, after opening with a list that is cut anywhere', async () => {
    const outcomes: string[] = []
    const { manifest } = await manifestOf(whole)
    for (const length of await places(join(whole, 'db', manifest))) {
      const copy = await copied()
      const tables = await hashesIn(join(copy, 'db'))
      expect(tables.size).toBeGreaterThan(2)
      await truncate(join(copy, 'db', manifest), length)
      const { content, told } = await reading(kind, copy)
      const kept = await hashesIn(join(copy, 'rejoin.damaged', 'tables'))
      expect({ length, told: told.includes(join(copy, 'rejoin.damaged', 'tables')) }).toEqual({
        length,
        told: kept.size > 0,
      })
      expect(told).not.toContain('cut short by a crash')
      const there = new Set([...(await hashesIn(join(copy, 'db'))), ...kept])
      const gone = [...tables].filter((table) => !there.has(table))
      expect({ length, gone: content === intact ? [] : gone }).toEqual({ length, gone: [] })
      outcomes.push(content === intact ? 'whole' : kept.size > 0 ? 'kept' : 'refused as it was')
      await rm(copy, { recursive: true })
    }
    expect(outcomes).toEqual(expect.arrayContaining(['kept', 'refused as it was']))
  }, 300_000)

  test('are kept by whoever only looks, and named again by whoever opens it next', async () => {
    const copy = await copied()
    await dropEdits(copy)
    const folder = await (kind === 'hub' ? examineHubFolder(copy) : examineReplicaFolder(copy))
    await folder.close()
    const [fault] = unlisted(folder.found.logFaults)
    const names = await namesIn(join(copy, 'rejoin.damaged', 'tables'))
    expect(fault).toEqual({ kind: 'unlisted', tables: tablesIn(names).length, kept: 'rejoin.damaged/tables' })
    expect(names.some((name) => name.startsWith('MANIFEST-'))).toBe(true)
    expect(fault && logFaultText(fault, 'X')).toMatch(
      /^LevelDB's list of its files has lost its end: .* in X\/rejoin\.damaged\/tables; .*`rejoin repair` makes use of them$/,
    )
    await reading(kind, copy)
    expect(await namesIn(join(copy, 'rejoin.damaged', 'tables'))).toEqual(names)
  })

  test('that a crash amid a compaction left are obsolete, and go', async () => {
    const copy = await copied()
    const { tables } = await manifestOf(copy)
    const [one = ''] = tables
    for (const name of ['000001.ldb', '000900.ldb']) await cp(join(copy, 'db', one), join(copy, 'db', name))
    const { content, faults } = await reading(kind, copy)
    expect(content).toBe(intact)
    expect(faults).toEqual([])
    expect(await namesIn(copy)).not.toContain('rejoin.damaged')
    expect(await namesIn(join(copy, 'db'))).not.toContain('000900.ldb')
  })

  test('stay where they are when a listed one is missing', async () => {
    const copy = await copied()
    const { tables } = await manifestOf(copy)
    await cp(join(copy, 'db', tables[0] ?? ''), join(copy, 'db', '000900.ldb'))
    await rm(join(copy, 'db', tables[0] ?? ''))
    const before = await hashesIn(join(copy, 'db'))
    const { told } = await reading(kind, copy)
    expect(told).toMatch(/^STORE_CORRUPT: .*missing files/)
    expect(await hashesIn(join(copy, 'db'))).toEqual(before)
    expect(await namesIn(copy)).not.toContain('rejoin.damaged')
  })

  test('that LevelDB writes over are copied, not linked', async () => {
    const copy = await copied()
    const { manifest, tables } = await manifestOf(copy)
    const number = Number.parseInt(manifest.slice('MANIFEST-'.length), 10)
    const fake = randomBytes(5_000)
    // Whatever number the next table gets.
    const live = await liveFiles(join(copy, 'db'))
    for (let next = number + 1; next < number + 60; next++) {
      const name = `${String(next).padStart(6, '0')}.ldb`
      if (live?.tables.every((table) => table.name !== name)) await writeFile(join(copy, 'db', name), fake)
    }
    // The log that the list names is gone; a newer one is replayed, into a table.
    const [log = ''] = live?.logs ?? []
    await rename(join(copy, 'db', log), join(copy, 'db', '000800.log'))
    await reading(kind, copy)
    const kept = join(copy, 'rejoin.damaged', 'tables')
    const names = tablesIn(await namesIn(kept))
    const fakes = names.filter((name) => !tables.includes(name))
    expect(fakes.length).toBeGreaterThan(20)
    for (const name of fakes) expect((await readFile(join(kept, name))).equals(fake)).toBe(true)
  })
})

async function fill(kind: Kind, path: string): Promise<void> {
  if (kind === 'hub') {
    const folder = await openHubFolder(path, small)
    for (let i = 0; i < writes; i++) await folder.store.append('support', i, randomBytes(100_000))
    await folder.close()
    return
  }
  const folder = await openReplicaFolder(path, small)
  const store = folder.replica('support')
  await store.record([{ kind: 'create', identity }])
  for (let seq = 1; seq < writes; seq++) {
    const cursor = { epoch: 1, seq, tag: '00000000000000aa' }
    await store.record([{ kind: 'remote', updates: [randomBytes(100_000)], settled: [], cursor, hlc: null }])
  }
  await folder.close()
}

interface Read {
  /** Of all that is there; null where it does not read. */
  readonly content: string | null
  /** What people are told. */
  readonly told: string
  readonly faults: readonly LogFault[]
}

async function reading(kind: Kind, path: string): Promise<Read> {
  let faults: readonly LogFault[] = []
  try {
    const folder = await (kind === 'hub' ? openHubFolder(path, small) : openReplicaFolder(path, small))
    faults = folder.found.logFaults
    try {
      return { content: await contentOf(folder), told: textOf(faults, path), faults }
    } finally {
      await folder.close()
    }
  } catch (error) {
    if (!(error instanceof SyncError)) throw error
    return { content: null, told: `${error.code}: ${error.message} ${textOf(faults, path)}`, faults }
  }
}

async function contentOf(
  folder: Awaited<ReturnType<typeof openHubFolder>> | Awaited<ReturnType<typeof openReplicaFolder>>,
): Promise<string> {
  const hash = createHash('sha256')
  if ('replica' in folder) {
    for (const update of (await folder.replica('support').load())?.base ?? []) hash.update(update)
    return hash.digest('hex')
  }
  const { store } = folder
  for (let after = 0; after < writes;) {
    const tail = await store.readTail('support', after, { records: 10, bytes: 10_000_000 })
    if (tail.kind !== 'records' || tail.records.length === 0) break
    for (const { body } of tail.records) hash.update(body)
    after = tail.records.at(-1)?.seq ?? writes
  }
  return hash.digest('hex')
}

function textOf(faults: readonly LogFault[], path: string): string {
  return faults.map((fault) => logFaultText(fault, path)).join('; ')
}

function unlisted(faults: readonly LogFault[]): readonly LogFault[] {
  return faults.filter(({ kind }) => kind === 'unlisted')
}

async function manifestOf(path: string): Promise<{ manifest: string; tables: readonly string[] }> {
  const live = await liveFiles(join(path, 'db'))
  if (live === null) throw new Error('the list is whole')
  const { name } = live.manifest
  return { manifest: name, tables: live.tables.filter(({ isListed }) => isListed).map((table) => table.name) }
}

/** The latest cut that LevelDB opens and that has lost a table. */
async function dropEdits(path: string): Promise<void> {
  const { manifest } = await manifestOf(path)
  const file = join(path, 'db', manifest)
  const bytes = await readFile(file)
  for (const length of (await begins(file)).toReversed()) {
    await writeFile(file, bytes.subarray(0, length))
    const live = await liveFiles(join(path, 'db'))
    const listed = live?.tables.filter(({ isListed }) => isListed) ?? []
    if (live !== null && live.manifest.missingLog !== null && listed.length < live.tables.length) return
  }
  throw new Error('no cut loses a table')
}

/** Each beginning of a record, and a place amid it. */
async function places(file: string): Promise<readonly number[]> {
  const all = await begins(file)
  return all.flatMap((begin, i) => {
    const next = all[i + 1]
    return next === undefined ? [] : [begin, Math.floor((begin + next) / 2)]
  })
}

/** With the end of the file; it is shorter than a block. */
async function begins(file: string): Promise<readonly number[]> {
  const bytes = await readFile(file)
  const all = [0]
  for (let at = 0; at < bytes.length;) {
    at += 7 + bytes.readUInt16LE(at + 4)
    all.push(at)
  }
  return all
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return await readdir(folder).catch(() => [])
}

function tablesIn(names: readonly string[]): readonly string[] {
  return names.filter((name) => name.includes('.ldb'))
}

async function hashesIn(folder: string): Promise<ReadonlySet<string>> {
  const hashes = new Set<string>()
  for (const name of tablesIn(await namesIn(folder)))
    hashes.add(
      createHash('sha256')
        .update(await readFile(join(folder, name)))
        .digest('hex'),
    )
  return hashes
}
