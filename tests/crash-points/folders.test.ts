// The process ends at every call of a data folder that reaches the disk: of the marker, lease, count and ballast files, and of
// LevelDB. What it leaves is moved as it stands then, as a killed process leaves it, and opened. Folders of release 0.1 are
// opened and written to in the same way: there is no migration, so old and new values stand side by side at each point.
import assert from 'node:assert/strict'
import { cp, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatHlc, type Commit, type HubStore, type ReplicaStep } from '@rejoin/core'
import { openHubStore } from '@rejoin/persistence-level'
import { openHubFolder, openReplicaFolder } from '@rejoin/persistence-level/node'
import { Level } from 'level'
import { MemoryLevel } from 'memory-level'
import { afterAll, expect, test, vi } from 'vitest'
import { Tally } from './every-point.ts'
import type { Fuse } from './fuse.ts'
import { append, install, plain, readWhole, remove, trim, type HubCall } from './hub-calls.ts'

const tally = new Tally('data folders')
afterAll(() => tally.tell())

/** The process under way. */
const disk = vi.hoisted(() => ({ fuse: null as Fuse | null }))

vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<Record<string, unknown>>()
  const { throughFuse } = await import('./mortal-files.ts')
  return throughFuse(original, () => disk.fuse)
})

const { mortalLevels } = await import('./mortal-files.ts')
const levels = mortalLevels(Level, () => disk.fuse)

/** Little enough to be written at each point. */
const small = { ballastBytes: 4_096 }
const kept = join(import.meta.dirname, '..', 'upgrade', '0.1')
const RAW = { keyEncoding: 'utf8', valueEncoding: 'view' } as const

test('[13] ended at any call while a hub folder is made, opened, written to and closed', async () => {
  const calls = [
    append('a', 0, '1'),
    append('a', 1, '2'),
    install('a', 1),
    trim('a', 1),
    append('b', 0, '1'),
    remove('b'),
  ]
  const { points } = await tally.add('a new hub folder', (fuse) => playHub(fuse, null, calls, ['a', 'b']))
  await withFolder(async (folder) => {
    const made = await openHubFolder(folder, small)
    for (const call of calls) await call.run(made.store)
    await made.close()
    const more = [append('a', 2, '3'), append('b', 0, 'anew')]
    await tally.add('a hub folder that is opened again', (fuse) => playHub(fuse, folder, more, ['a', 'b']))
  })
  expect(points).toBeGreaterThan(0)
}, 240_000)

test('[13] ended at any call while a hub folder of release 0.1 is opened and written to', async () => {
  const calls = [
    append('support', 6, 'of this release'),
    append('support', 7, 'and one more'),
    append('gone', 0, 'made anew'),
    trim('support', 6),
    install('support', 8),
    trim('support', 7),
    remove('sales'),
  ]
  const { points } = await tally.add('a hub folder of release 0.1', (fuse) =>
    playHub(fuse, join(kept, 'hub'), calls, ['gone', 'sales', 'support']),
  )
  expect(points).toBeGreaterThan(0)
}, 240_000)

test('[4] [13] ended at any call while a replica folder is made, opened and written to', async () => {
  const batches: readonly (readonly ReplicaStep[])[] = [[create, local(1)], [local(2)], [remote(1, 1)]]
  const { points } = await tally.add('a new replica folder', (fuse) =>
    playReplica(fuse, null, 'home', batches),
  )
  expect(points).toBeGreaterThan(0)
}, 240_000)

test('[4] [13] ended at any call while a replica folder of release 0.1 is opened and written to', async () => {
  const { points } = await tally.add('a replica folder of release 0.1', (fuse) =>
    playReplica(fuse, join(kept, 'replica'), 'steps', [[local(3)], [remote(9, 2)], [fold], [local(4)]]),
  )
  expect(points).toBeGreaterThan(0)
}, 240_000)

async function playHub(
  fuse: Fuse,
  from: string | null,
  calls: readonly HubCall[],
  names: readonly string[],
): Promise<'survived' | 'died'> {
  return await withFolders(async (folder, moved) => {
    if (from !== null) await cp(from, folder, { recursive: true })
    const before = await contentsOf(from)
    const answers: string[] = []
    let asked = 0
    disk.fuse = fuse
    const how = await fuse.during(async () => {
      const mortal = await openHubFolder(folder, { ...small, newIncarnation: () => 'drawn first' })
      for (const call of calls) {
        asked++
        answers.push(plain(await call.run(mortal.store)))
      }
      await mortal.close()
    })
    await leave(folder, moved)

    const opened = await openHubFolder(moved, { ...small, newIncarnation: () => 'drawn again' })
    const found = await readWhole(opened.store, names)
    const possible: HubStore[] = []
    for (let count = answers.length; count <= asked; count++) {
      const model = await modelOf(before, calls.slice(0, count))
      if ((await readWhole(model, names)) === found) possible.push(model)
    }
    assert.ok(possible.length > 0, `${answers.length} of ${asked} calls were answered, and left is ${found}`)
    if (from !== null || answers.length > 0) assert.notEqual(opened.store.incarnation, 'drawn again')
    // What was not answered is called again, and so on to the end.
    const rest = calls.slice(answers.length)
    const told = await tellOf(opened.store, rest, names)
    const expected = await Promise.all(possible.map((model) => tellOf(model, rest, names)))
    assert.ok(expected.includes(told), told)
    await opened.close()
    return how
  })
}

async function playReplica(
  fuse: Fuse,
  from: string | null,
  namespace: string,
  batches: readonly (readonly ReplicaStep[])[],
): Promise<'survived' | 'died'> {
  return await withFolders(async (folder, moved) => {
    if (from !== null) await cp(from, folder, { recursive: true })
    const others = from === null ? [] : ['gone', 'sales', 'support']
    let answered = 0
    disk.fuse = fuse
    const how = await fuse.during(async () => {
      const opened = await openReplicaFolder(folder, small)
      const store = opened.replica(namespace)
      await store.load()
      for (const batch of batches) {
        await store.record(batch)
        answered++
      }
      await opened.close()
    })
    await leave(folder, moved)

    const opened = await openReplicaFolder(moved, small)
    const stored = plain(await storedIn(opened.replica(namespace)))
    const possible = await Promise.all(
      [answered, Math.min(answered + 1, batches.length)].map((count) =>
        storedAfter(from, namespace, batches.slice(0, count)),
      ),
    )
    assert.ok(possible.includes(stored), stored)
    for (const other of others) {
      assert.equal(plain(await storedIn(opened.replica(other))), await storedAfter(from, other, []))
    }
    await opened.close()
    return how
  })
}

async function storedIn(
  store: ReturnType<Awaited<ReturnType<typeof openReplicaFolder>>['replica']>,
): Promise<unknown> {
  const stored = await store.load()
  await store.close()
  return stored
}

const remembered = new Map<string, string>()

/** What a process that lives leaves. */
async function storedAfter(
  from: string | null,
  namespace: string,
  batches: readonly (readonly ReplicaStep[])[],
): Promise<string> {
  const name = plain([from, namespace, batches.length])
  const known = remembered.get(name)
  if (known !== undefined) return known
  return await withFolder(async (folder) => {
    if (from !== null) await cp(from, folder, { recursive: true })
    const opened = await openReplicaFolder(folder, small)
    const store = opened.replica(namespace)
    for (const batch of batches) await store.record(batch)
    const stored = plain(await store.load())
    await opened.close()
    remembered.set(name, stored)
    return stored
  })
}

/** The process is over: what it had open is given up as it is, and its files are moved to where they are no one's. */
async function leave(folder: string, moved: string): Promise<void> {
  disk.fuse = null
  await levels.giveUp()
  await rename(folder, moved)
}

/** The same calls on the same contents, in memory, where nobody ends. */
async function modelOf(
  contents: ReadonlyMap<string, Uint8Array>,
  calls: readonly HubCall[],
): Promise<HubStore> {
  const database = new MemoryLevel<string, string>()
  await database.open()
  const operations = [...contents].map(([key, value]) => ({ type: 'put' as const, key, value }))
  if (operations.length > 0) await database.batch<string, Uint8Array>(operations, RAW)
  const store = await openHubStore(database, { incarnation: 'of the model' })
  for (const call of calls) await call.run(store)
  return store
}

async function tellOf(store: HubStore, calls: readonly HubCall[], names: readonly string[]): Promise<string> {
  const told: string[] = []
  for (const call of calls) told.push(`${call.name}: ${plain(await call.run(store))}`)
  return [...told, await readWhole(store, names)].join('\n')
}

const held = new Map<string, ReadonlyMap<string, Uint8Array>>()

/** What a hub's folder holds; nothing where there is none. */
async function contentsOf(from: string | null): Promise<ReadonlyMap<string, Uint8Array>> {
  if (from === null) return new Map()
  const known = held.get(from)
  if (known !== undefined) return known
  return await withFolder(async (folder) => {
    await cp(join(from, 'db'), join(folder, 'db'), { recursive: true })
    const database = new Level<string, string>(join(folder, 'db'))
    const entries = await database.iterator<string, Uint8Array>(RAW).all()
    await database.close()
    held.set(from, new Map(entries))
    return new Map(entries)
  })
}

async function withFolders<T>(run: (folder: string, moved: string) => Promise<T>): Promise<T> {
  return await withFolder((folder) => withFolder((moved) => run(folder, moved)))
}

async function withFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'rejoin-crash-'))
  try {
    return await run(folder)
  } finally {
    disk.fuse = null
    await rm(folder, { recursive: true, force: true })
  }
}

const REPLICA = 'replica-of-22-letters_'
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const hlc = formatHlc({ ms: 5, counter: 0, author: 'abcde' })
const create: ReplicaStep = {
  kind: 'create',
  identity: { replica: REPLICA, clientId: 4_000, domain: 'notes', domainVersion: 1 },
}
function commit(counter: number): Commit {
  const id = { replica: REPLICA, counter }
  return {
    id,
    prev: counter - 1,
    hlc,
    domainVersion: 1,
    ops: [{ type: 'Noted' }],
    update: bytes(`${counter}`),
  }
}
function local(counter: number): ReplicaStep {
  return { kind: 'local', commit: commit(counter) }
}
function remote(seq: number, ...settled: number[]): ReplicaStep {
  const cursor = { epoch: 5, seq, tag: '00000000000000bb' }
  return { kind: 'remote', updates: [bytes(`u${seq}`)], settled, cursor, hlc }
}
const fold: ReplicaStep = {
  kind: 'snapshot',
  snapshot: bytes('folded'),
  cursor: { epoch: 5, seq: 9, tag: '00000000000000bb' },
  hlc: null,
}
