/** Folders that are damaged as a whole, or by a table of LevelDB: told as damage, looked at past it, accepted where that is asked for. */
import { readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatHlc, type Commit, type ReplicaStore } from '@rejoin/core'
import { Level } from 'level'
import { describe, expect, test } from 'vitest'
import type { LevelHubStore } from '../src/index.ts'
import {
  examineHubFolder,
  examineReplicaFolder,
  openHubFolder,
  openReplicaFolder,
  planHubRepair,
  planReplicaRepair,
} from '../src/node.ts'
import { deleteRaw, flipByte, withFolder } from './databases.ts'

const all = { records: 100_000, bytes: 100_000_000 }

describe('a table of LevelDB that was cut short', () => {
  test('[13] closes the namespace that is in it, naming the key, and the others are served', async () => {
    await withFolder(async (folder) => {
      const data = join(folder, 'hub')
      const hub = await openHubFolder(data)
      for (let seq = 0; seq < 40; seq++) await hub.store.append('big', seq, random(150_000))
      await hub.store.append('other', 0, new Uint8Array([9]))
      await hub.close()
      await inDatabase(data, compact)
      const [first] = await tablesOf(data)
      await truncate(first ?? '', 1_000)

      const opened = await openHubFolder(data)
      const { store } = opened
      expect(await store.append('other', 1, new Uint8Array(1))).toEqual({ kind: 'appended', seq: 2 })
      await expect(store.readTail('big', 0, all)).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringMatching(/hub!record!big!.* breaks the chain of namespace big/) as string,
      })
      await expect(store.append('big', 40, new Uint8Array(1))).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringMatching(/namespace big is closed for writing/) as string,
      })
      await expect((store as LevelHubStore).record('big', 1)).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        path: `hub!record!big!${text(1)}`,
      })
      await expect((store as LevelHubStore).findings('big')).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
      await opened.close()
    })
  })

  test('[13] of what opening reads keeps the folder shut, as damage', async () => {
    for (const length of [0, 50, 3_000]) {
      await withFolder(async (folder) => {
        const data = join(folder, 'hub')
        await fillHub(data)
        for (const table of await tablesOf(data)) await truncate(table, length)
        await expect(openHubFolder(data)).rejects.toMatchObject({ code: 'STORE_CORRUPT', path: 'hub!store' })
        const examined = await examineHubFolder(data)
        expect(examined.fault).toMatchObject({ code: 'STORE_CORRUPT' })
        await examined.close()
      })
    }
  })
})

describe('a hub that is damaged as a whole', () => {
  test('[13] is looked at without a write, and served by nobody', async () => {
    for (const damage of damages) {
      await withFolder(async (folder) => {
        const data = join(folder, 'hub')
        await fillHub(data)
        await inDatabase(data, damage.strike)
        await expect(openHubFolder(data)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
        const before = await keysOf(data)
        const examined = await examineHubFolder(data)
        expect(examined.fault).toMatchObject({ code: 'STORE_CORRUPT' })
        expect((await examined.namespaces()).names).toEqual(damage.names)
        expect(await examined.store.readTail('support', 0, all)).toMatchObject({ more: false })
        await expect(examined.store.append('support', 20, new Uint8Array(1))).rejects.toMatchObject({
          code: 'STORE_CLOSED',
        })
        await examined.close()
        expect(await keysOf(data)).toEqual(before)
        await expect(openHubFolder(data)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
      })
    }
  })

  test('is accepted as what it holds where that is asked for, and opens from then on', async () => {
    for (const { strike } of damages) {
      await withFolder(async (folder) => {
        const data = join(folder, 'hub')
        await fillHub(data)
        await inDatabase(data, strike)
        const accepted = await examineHubFolder(data, 'accepts')
        expect(accepted.fault).toMatchObject({ code: 'STORE_CORRUPT' })
        // Closed in the same batch, so that no crash leaves it open without having been told.
        await expect(accepted.store.append('support', 20, new Uint8Array(1))).rejects.toMatchObject({
          code: 'STORE_CORRUPT',
        })
        expect(planHubRepair(await accepted.store.findings('support'))).toMatchObject({ kind: 'mend' })
        await accepted.store.reopen('support')
        expect(await accepted.store.append('support', 20, new Uint8Array(1))).toMatchObject({ seq: 21 })
        await accepted.close()
        const again = await openHubFolder(data)
        expect(await again.store.heads(['support'])).toEqual(new Map([['support', { floor: 0, head: 21 }]]))
        await again.close()
      })
    }
  })

  const damages = [
    {
      strike: (database: Level<string, string>) => flipByte(database, 'hub!store', -1),
      names: ['other', 'support'],
    },
    {
      strike: (database: Level<string, string>) => deleteRaw(database, 'hub!store'),
      names: ['other', 'support'],
    },
    {
      strike: async (database: Level<string, string>) => {
        await deleteRaw(database, 'hub!state!other')
        await deleteRaw(database, `hub!record!other!${text(1)}`)
      },
      names: ['support'],
    },
    // Its records still say that it was there.
    {
      strike: (database: Level<string, string>) => deleteRaw(database, 'hub!state!other'),
      names: ['other', 'support'],
    },
  ]
})

describe('a replica', () => {
  test('of which nothing is damaged is found as it is, and its folder stays as it is', async () => {
    await withReplica(async (data) => {
      const before = await keysOf(data)
      const folder = await examineReplicaFolder(data)
      expect(folder.fault).toBeNull()
      expect(await folder.namespaces()).toEqual(['other', 'support'])
      const findings = await folder.examine('support')
      expect(findings).toMatchObject({ values: 8, faults: [] })
      expect([findings.base.length, findings.outbox.length, findings.rejected.length]).toEqual([3, 3, 1])
      expect(planReplicaRepair(findings)).toEqual({ kind: 'whole' })
      await folder.close()
      expect(await keysOf(data)).toEqual(before)
    })
  })

  test('[13] every value that is flipped or missing is found', async () => {
    await withReplica(async (data) => {
      const keys = (await keysOf(data)).filter((key) => key.includes('!support'))
      expect(keys.length).toBe(8)
      for (const key of keys) {
        for (const strike of [flipByte, deleteRaw]) {
          const value = await inDatabase(data, async (database) => {
            const bytes = await database.get<string, Uint8Array>(key, { valueEncoding: 'view' })
            await strike(database, key, -1)
            return bytes
          })
          const folder = await examineReplicaFolder(data)
          const { faults } = await folder.examine('support')
          expect([key, faults.length]).toEqual([key, 1])
          expect(planReplicaRepair(await folder.examine('other'))).toEqual({ kind: 'whole' })
          await folder.close()
          await inDatabase(data, (database) =>
            database.put<string, Uint8Array>(key, value ?? new Uint8Array(), { valueEncoding: 'view' }),
          )
        }
      }
    })
  })

  test('[4] whose base is damaged loses the base and its cursor, keeps what waits, and goes on under another client id', async () => {
    for (const key of ['replica!snapshot!support', `replica!update!support!${text(1)}`]) {
      await withReplica(async (data) => {
        await inDatabase(data, (database) => flipByte(database, key, -1))
        await mend(data, 'support', { kind: 'mend', dropsBase: true, lost: [], rejected: [] })
        const stored = await load(data, 'support')
        expect(stored).toMatchObject({
          identity: { clientId: 4_000 },
          counter: 4,
          cursor: null,
          base: [],
          outbox: [{ id: { counter: 2 } }, { id: { counter: 3 } }, { id: { counter: 4 } }],
          rejected: [{ commit: { id: { counter: 1 } } }],
        })
      })
    }
  })

  test('[4] whose outbox is damaged loses that commit alone; those made after it can be applied anew', async () => {
    await withReplica(async (data) => {
      const key = `replica!outbox!support!${text(3)}`
      await inDatabase(data, (database) => flipByte(database, key, -1))
      await mend(data, 'support', { kind: 'mend', dropsBase: false, lost: [3], rejected: [commit(4)] })
      const stored = await load(data, 'support')
      expect(stored).toMatchObject({
        identity: { clientId: 4_000 },
        counter: 4,
        cursor: { seq: 2 },
        outbox: [{ id: { counter: 2 } }],
        rejected: [
          { commit: { id: { counter: 1 } } },
          { commit: { id: { counter: 4 } }, code: 'STORE_CORRUPT' },
        ],
      })
      expect(stored?.base).toHaveLength(3)
    })
  })

  test('[4] of whose outbox a value is missing loses that commit alone, and keeps its base', async () => {
    for (const [lost, rejected] of [
      [[3], [4]],
      [[2], [3, 4]],
      [[2, 3], [4]],
    ] as const) {
      await withReplica(async (data) => {
        for (const counter of lost) await loseOutbox(data, counter)
        await mend(data, 'support', {
          kind: 'mend',
          dropsBase: false,
          lost: [...lost],
          rejected: rejected.map(commit),
        })
        expect(await load(data, 'support')).toMatchObject({ cursor: { seq: 2 }, base: { length: 3 } })
      })
    }
  })

  test('[4] of whose outbox a value is missing beside a damaged one loses both', async () => {
    await withReplica(async (data) => {
      await loseOutbox(data, 3)
      await inDatabase(data, (database) => flipByte(database, `replica!outbox!support!${text(2)}`, -1))
      await mend(data, 'support', { kind: 'mend', dropsBase: false, lost: [2, 3], rejected: [commit(4)] })
      expect(await load(data, 'support')).toMatchObject({ cursor: { seq: 2 }, outbox: [] })
    })
  })

  test('[4] of whose outbox a value is missing and one of its base loses both', async () => {
    await withReplica(async (data) => {
      await loseOutbox(data, 3)
      await inDatabase(data, (database) => deleteRaw(database, `replica!update!support!${text(1)}`))
      await mend(data, 'support', { kind: 'mend', dropsBase: true, lost: [3], rejected: [commit(4)] })
      expect(await load(data, 'support')).toMatchObject({ cursor: null, outbox: [{ id: { counter: 2 } }] })
    })
  })

  test('[4] whose outbox may have lost its last commit names it, and fetches its base again', async () => {
    await withReplica(async (data) => {
      await loseOutbox(data, 4)
      const folder = await examineReplicaFolder(data)
      const { faults } = await folder.examine('support')
      await folder.close()
      expect(faults).toMatchObject([
        { part: 'whole', message: expect.stringMatching(/the commit 4 may have been among them/) as string },
      ])
      await mend(data, 'support', { kind: 'mend', dropsBase: true, lost: [], rejected: [] })
    })
  })

  test('[4] whose own record is damaged keeps what waits and goes on as a copy, under another identity', async () => {
    for (const strike of [flipMeta, loseMeta]) {
      await withReplica(async (data) => {
        await strike(data)
        const folder = await examineReplicaFolder(data)
        const findings = await folder.examine('support')
        const plan = planReplicaRepair(findings)
        expect(plan).toEqual({ kind: 'renew', dropsBase: true, lost: [], rejected: [] })
        if (plan.kind !== 'renew') throw new Error('it is renewed')
        await folder.mend(findings, plan, 4_000, 'x')
        expect(planReplicaRepair(await folder.examine('support'))).toEqual({ kind: 'whole' })
        await folder.close()
        expect(await load(data, 'support')).toMatchObject({
          isCopy: true,
          identity: { replica: 'replica-of-22-letters_', clientId: 4_000, domain: 'x' },
          counter: 4,
          cursor: null,
          base: [],
          outbox: [2, 3, 4].map(commit),
          rejected: [{ commit: commit(1) }],
        })
      })
    }
  })

  test('[4] whose own record is damaged beside a commit that waits loses that one, and names it', async () => {
    for (const strike of [flipOutbox, loseOutbox]) {
      await withReplica(async (data) => {
        await flipMeta(data)
        await strike(data, 3)
        const folder = await examineReplicaFolder(data)
        expect(planReplicaRepair(await folder.examine('support'))).toEqual({
          kind: 'renew',
          dropsBase: true,
          lost: [3],
          rejected: [commit(4)],
        })
        await folder.close()
      })
    }
  })

  test('whose own record is damaged, and that holds no commit, is as one that never was', async () => {
    await withReplica(async (data) => {
      await flipMeta(data)
      for (const counter of [2, 3, 4]) await loseOutbox(data, counter)
      await inDatabase(data, (database) => flipByte(database, `replica!rejected!support!${text(1)}`, -1))
      const folder = await examineReplicaFolder(data)
      const findings = await folder.examine('support')
      const plan = planReplicaRepair(findings)
      expect(plan).toEqual({ kind: 'forget', dropsBase: true, lost: [1] })
      if (plan.kind !== 'forget') throw new Error('it is forgotten')
      await folder.mend(findings, plan, 4_000)
      expect(await folder.namespaces()).toEqual(['other'])
      await folder.close()
      expect(await load(data, 'support')).toBeNull()
      expect((await load(data, 'other'))?.outbox).toHaveLength(3)
    })
  })

  test('[4] whose folder lost its end is accepted as a copy is: each replica is told so', async () => {
    await withReplica(async (data) => {
      await inDatabase(data, async (database) => {
        for (const key of await database.keys().all()) if (key.includes('!other')) await database.del(key)
      })
      await expect(openReplicaFolder(data)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
      const folder = await examineReplicaFolder(data)
      expect(folder.fault).toMatchObject({ code: 'STORE_CORRUPT' })
      await folder.accept()
      await folder.close()
      expect((await load(data, 'support'))?.isCopy).toBe(true)
    })
  })

  test('whose folder lost its name is accepted too', async () => {
    await withReplica(async (data) => {
      await inDatabase(data, (database) => deleteRaw(database, 'replica!folder'))
      await expect(openReplicaFolder(data)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
      const folder = await examineReplicaFolder(data)
      await folder.accept()
      await folder.close()
      expect((await load(data, 'support'))?.outbox).toHaveLength(3)
    })
  })

  test('is examined in a folder that is one, and nowhere else', async () => {
    await withFolder(async (folder) => {
      await expect(examineReplicaFolder(folder)).rejects.toMatchObject({ code: 'FOLDER_FOREIGN' })
      await expect(examineHubFolder(folder)).rejects.toMatchObject({ code: 'FOLDER_FOREIGN' })
      await writeFile(join(folder, 'rejoin.json'), '{}')
      await expect(examineHubFolder(folder)).rejects.toMatchObject({ code: 'FOLDER_FOREIGN' })
      await rm(join(folder, 'rejoin.json'))
      expect(await readdir(folder)).toEqual([])
    })
  })
})

type Mending = Parameters<Awaited<ReturnType<typeof examineReplicaFolder>>['mend']>[1]

async function mend(data: string, namespace: string, expected: Mending): Promise<void> {
  const folder = await examineReplicaFolder(data)
  const findings = await folder.examine(namespace)
  const plan = planReplicaRepair(findings)
  expect(plan).toEqual(expected)
  if (plan.kind !== 'mend') throw new Error(`${plan.kind}, and not to be mended`)
  await folder.mend(findings, plan, 4_000)
  expect(planReplicaRepair(await folder.examine(namespace))).toEqual({ kind: 'whole' })
  await folder.close()
}

async function flipMeta(data: string): Promise<void> {
  await inDatabase(data, (database) => flipByte(database, 'replica!meta!support', -1))
}

async function loseMeta(data: string): Promise<void> {
  await inDatabase(data, (database) => deleteRaw(database, 'replica!meta!support'))
}

async function flipOutbox(data: string, counter: number): Promise<void> {
  await inDatabase(data, (database) => flipByte(database, `replica!outbox!support!${text(counter)}`, -1))
}

async function loseOutbox(data: string, counter: number): Promise<void> {
  await inDatabase(data, (database) => deleteRaw(database, `replica!outbox!support!${text(counter)}`))
}

async function load(data: string, namespace: string): ReturnType<ReplicaStore['load']> {
  const folder = await openReplicaFolder(data)
  const stored = await folder.replica(namespace).load()
  await folder.close()
  return stored
}

async function fillHub(path: string): Promise<void> {
  const hub = await openHubFolder(path)
  for (let seq = 0; seq < 20; seq++) await hub.store.append('support', seq, random(2_000))
  await hub.store.append('other', 0, new Uint8Array([9]))
  await hub.close()
  await inDatabase(path, compact)
}

async function withReplica(use: (data: string) => Promise<void>): Promise<void> {
  await withFolder(async (parent) => {
    const data = join(parent, 'replica')
    const folder = await openReplicaFolder(data)
    await fillReplica(folder.replica('support'))
    await fillReplica(folder.replica('other'))
    await folder.close()
    await use(data)
  })
}

/** A snapshot, two updates, one rejected commit and three that wait. */
async function fillReplica(store: ReplicaStore): Promise<void> {
  const identity = { replica: 'replica-of-22-letters_', clientId: 7, domain: 'x', domainVersion: 1 }
  await store.record([{ kind: 'create', identity }])
  await store.record([{ kind: 'snapshot', snapshot: new Uint8Array([1]), cursor: cursor(1), hlc: null }])
  const updates = [new Uint8Array([2]), new Uint8Array([3])]
  await store.record([{ kind: 'remote', updates, settled: [], cursor: cursor(2), hlc: null }])
  for (let counter = 1; counter <= 4; counter++)
    await store.record([{ kind: 'local', commit: commit(counter) }])
  const outbox = [2, 3, 4].map(commit)
  const rejected = [{ commit: commit(1), code: 'ENTRY_INVALID' as const, message: 'no', path: null }]
  await store.record([{ kind: 'recommit', clientId: 8, outbox, rejected }])
}

function cursor(seq: number): { epoch: number; seq: number; tag: string } {
  return { epoch: 5, seq, tag: '00000000000000aa' }
}

function commit(counter: number): Commit {
  return {
    id: { replica: 'replica-of-22-letters_', counter },
    prev: counter - 1,
    hlc: formatHlc({ ms: 5, counter, author: 'abcde' }),
    domainVersion: 1,
    ops: [{ type: 'X' }],
    update: new Uint8Array([counter]),
  }
}

async function inDatabase<R>(
  folder: string,
  use: (database: Level<string, string>) => Promise<R>,
): Promise<R> {
  const database = new Level<string, string>(join(folder, 'db'))
  await database.open()
  try {
    return await use(database)
  } finally {
    await database.close()
  }
}

async function keysOf(folder: string): Promise<readonly string[]> {
  return await inDatabase(folder, (database) => database.keys().all())
}

/** Moves everything into tables; only LevelDB on a disk can, so the type leaves it out. */
async function compact(database: Level<string, string>): Promise<void> {
  const compactRange = Reflect.get(database, 'compactRange') as (from: string, to: string) => Promise<void>
  await compactRange.call(database, 'a', 'z')
}

/** In the order of their keys. */
async function tablesOf(folder: string): Promise<readonly string[]> {
  const names = (await readdir(join(folder, 'db'))).filter((name) => name.endsWith('.ldb'))
  expect(names.length).toBeGreaterThan(0)
  return names.sort().map((name) => join(folder, 'db', name))
}

/** Bytes that no table makes smaller. */
function random(bytes: number): Uint8Array {
  const made = new Uint8Array(bytes)
  for (let at = 0; at < bytes; at += 65_536) crypto.getRandomValues(made.subarray(at, at + 65_536))
  return made
}

function text(seq: number): string {
  return seq.toString(16).padStart(14, '0')
}
