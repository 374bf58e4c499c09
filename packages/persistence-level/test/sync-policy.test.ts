/** When batches are brought to the disk, what an answer stands for, and what a power cut leaves (St1, HAZARDS F1). */
import { fstatSync } from 'node:fs'
import { appendFile, cp, open, readdir, readFile, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { VirtualClock } from '@rejoin/testkit'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openHubStore } from '../src/index.ts'
import { openHubFolder, openReplicaFolder, type SyncPolicy } from '../src/node.ts'
import { TestDatabase, withFolder } from './databases.ts'
import { batchesOnDisk } from './level-faults.ts'

const bytes = (...values: number[]) => new Uint8Array(values)
const all = { records: 100, bytes: 1_000_000 }

/** By file number, how many bytes of the file were synced by us. */
const synced = new Map<number, number>()

beforeEach(async () => {
  synced.clear()
  const handle = await open(import.meta.filename)
  const prototype = Object.getPrototypeOf(handle) as { datasync: (this: { fd: number }) => Promise<void> }
  await handle.close()
  const { datasync } = prototype
  vi.spyOn(prototype, 'datasync').mockImplementation(async function (this: { fd: number }) {
    const { ino, size } = fstatSync(this.fd)
    await datasync.call(this)
    synced.set(ino, size)
  })
})

afterEach(() => {
  vi.restoreAllMocks()
})

describe('each batch', () => {
  test('[3] is the default: every batch is synced before it is answered, and answers stand for `durable`', () =>
    withFolder(async (path) => {
      const flags: boolean[] = []
      batchesOnDisk(async (write, isSynced) => {
        flags.push(isSynced)
        await write()
      })
      const folder = await openHubFolder(path)
      const { store } = folder
      expect(store.durability).toBe('durable')
      await store.append('support', 0, bytes(1))
      await folder.close()
      expect(flags).toEqual([true, true])
    }))

  test('[3] the torn end of a batch that was never answered is cut, and what was answered is whole', () =>
    withFolder(async (root) => {
      const path = join(root, 'data')
      const folder = await openHubFolder(path)
      const { store } = folder
      for (let i = 0; i < 5; i++) await store.append('support', i, new Uint8Array(300).fill(i))
      const before = join(root, 'before')
      await cp(path, before, { recursive: true })
      const { size } = await stat(await newestLog(path))
      await store.append('support', 5, new Uint8Array(300).fill(5))
      const record = (await readFile(await newestLog(path))).subarray(size)
      for (const length of [1, 6, 7, 8, 100, record.length - 1]) {
        const copy = join(root, `torn-${length}`)
        await cp(before, copy, { recursive: true })
        await appendFile(await newestLog(copy), record.subarray(0, length))
        const torn = await openHubFolder(copy)
        const fault = { kind: 'cut', at: size, bytes: length, how: 'short', mayHold: 'nothing', kept: null }
        expect(torn.found).toMatchObject({ isClosedInOrder: false, batchesLost: 0, logFaults: [fault] })
        expect(await bodiesOf(torn.store)).toEqual([0, 1, 2, 3, 4])
        expect(await torn.store.append('support', 5, bytes(5))).toEqual({ kind: 'appended', seq: 6 })
        await torn.close()
      }
      await folder.close()
    }))
})

describe('every so many milliseconds', () => {
  test('[3] batches are answered unsynced as `applied`, and all are synced that long after the first', () =>
    withFolder(async (path) => {
      const flags: boolean[] = []
      const clock = new VirtualClock(1)
      const folder = await openHubFolder(path, { sync: { everyMs: 50, clock } })
      const { store } = folder
      expect(store.durability).toBe('applied')
      clock.advance(50)
      await settled(path, { synced: 1, written: 1 })
      batchesOnDisk(async (write, isSynced) => {
        flags.push(isSynced)
        await write()
      })
      for (let i = 0; i < 3; i++) {
        await store.append('support', i, bytes(i))
        clock.advance(10)
      }
      expect(flags).toEqual([false, false, false])
      await settled(path, { synced: 1, written: 4 })
      clock.advance(19)
      await settled(path, { synced: 1, written: 4 })
      clock.advance(1)
      await settled(path, { synced: 4, written: 4 })
      expect(await syncedBytes(path)).toBe((await stat(await newestLog(path))).size)
      // Nothing was written since, so nobody waits to sync again.
      expect(clock.advanceToNext()).toBe(false)
      await store.append('support', 3, bytes(3))
      clock.advance(50)
      await settled(path, { synced: 5, written: 5 })
      await folder.close()
    }))

  test('[3] a power cut loses what was not synced, tells how much, and nothing that was', () =>
    withFolder(async (root) => {
      const path = join(root, 'data')
      const clock = new VirtualClock(1)
      const folder = await openHubFolder(path, { sync: { everyMs: 50, clock } })
      const { store } = folder
      for (let i = 0; i < 4; i++) await store.append('support', i, new Uint8Array(300).fill(i))
      clock.advance(50)
      await settled(path, { synced: 5, written: 5 })
      const size = await syncedBytes(path)
      for (let i = 4; i < 7; i++) await store.append('support', i, new Uint8Array(300).fill(i))
      await settled(path, { synced: 5, written: 8 })
      const whole = (await stat(await newestLog(path))).size
      // Where a record ends nobody sees that another one followed it.
      const cuts: [name: string, bytes: number, batchesLost: number, bodies: number[], torn: number][] = [
        ['nothing', whole, 0, [0, 1, 2, 3, 4, 5, 6], 0],
        ['the middle of the last', whole - 20, 1, [0, 1, 2, 3, 4, 5], 1],
        ['all that was not synced', size, 3, [0, 1, 2, 3], 0],
      ]
      for (const [name, left, batchesLost, bodies, torn] of cuts) {
        const copy = join(root, name)
        await cp(path, copy, { recursive: true })
        await truncate(await newestLog(copy), left)
        const cut = await openHubFolder(copy)
        const logFaults = Array.from({ length: torn }, () => ({ kind: 'cut', mayHold: 'applied' }))
        expect(cut.found, `${name}`).toMatchObject({ isClosedInOrder: false, batchesLost, logFaults })
        expect(await bodiesOf(cut.store), `${name}`).toEqual(bodies)
        await cut.store.append('support', bodies.length, bytes(1))
        await cut.close()
        const again = await openHubFolder(copy)
        expect(again.found, `${name}`).toEqual({ isClosedInOrder: true, batchesLost: 0, logFaults: [] })
        await again.close()
      }
      const copy = join(root, 'below')
      await cp(path, copy, { recursive: true })
      await truncate(await newestLog(copy), size - 20)
      await expect(openHubFolder(copy)).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringMatching(/counts 4 batches where 5 were written/) as string,
      })
      await folder.close()
    }))

  test('[3] syncs a log that LevelDB has closed meanwhile', () =>
    withFolder(async (path) => {
      const clock = new VirtualClock(1)
      const folder = await openHubFolder(path, { sync: { everyMs: 50, clock } })
      const { store } = folder
      const logs = new Set<string>()
      for (let i = 0; i < 4; i++) {
        await store.append('support', i, new Uint8Array(1_500_000).fill(i))
        for (const name of await logsIn(path)) logs.add(name)
      }
      expect(logs.size).toBeGreaterThan(1)
      const left = await logsIn(path)
      // LevelDB removes one when all of it is in a synced table: then there is nothing left to sync.
      const files = await Promise.all(
        left.map((name) =>
          stat(join(path, 'db', name)).then(
            ({ ino }) => ino,
            () => null,
          ),
        ),
      )
      clock.advance(50)
      await settled(path, { synced: 5, written: 5 })
      const now = await logsIn(path)
      for (const [i, name] of left.entries()) {
        const ino = files[i] ?? null
        expect(ino === null || synced.has(ino) || !now.includes(name), `${name}`).toBe(true)
      }
      await folder.close()
    }))
})

describe('never', () => {
  test.each([['never'], [{ everyMs: 1_000, clock: new VirtualClock(1) }]] satisfies [SyncPolicy][])(
    '[3] closing syncs what was not: %j',
    (sync) =>
      withFolder(async (path) => {
        const folder = await openHubFolder(path, { sync })
        const { store } = folder
        expect(store.durability).toBe('applied')
        await store.append('support', 0, bytes(1))
        expect(await syncedBytes(path)).toBe(0)
        await folder.close()
        expect(await syncedBytes(path)).toBe((await stat(await newestLog(path))).size)
        expect(await countsIn(path)).toEqual({ synced: 2, written: 2 })
        const again = await openHubFolder(path)
        expect(again.found).toEqual({ isClosedInOrder: true, batchesLost: 0, logFaults: [] })
        await again.close()
      }),
  )

  test('[3] closing rejects where it cannot sync, and the next one to open is told', () =>
    withFolder(async (path) => {
      const folder = await openHubFolder(path, { sync: 'never' })
      const { store } = folder
      await store.append('support', 0, bytes(1))
      vi.restoreAllMocks()
      const handle = await open(path)
      const prototype = Object.getPrototypeOf(handle) as { datasync: () => Promise<void> }
      await handle.close()
      vi.spyOn(prototype, 'datasync').mockRejectedValueOnce(new Error('EIO: i/o error, fdatasync'))
      await expect(folder.close()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      const again = await openHubFolder(path)
      expect(again.found).toEqual({ isClosedInOrder: false, batchesLost: 0, logFaults: [] })
      await again.close()
    }))

  test('holds for a replica folder and for a database of your own too', () =>
    withFolder(async (path) => {
      const flags: boolean[] = []
      batchesOnDisk(async (write, isSynced) => {
        flags.push(isSynced)
        await write()
      })
      const folder = await openReplicaFolder(path, { sync: 'never' })
      const identity = { replica: 'replica-of-22-letters_', clientId: 1, domain: 'todo', domainVersion: 1 }
      await folder.replica('support').record([{ kind: 'create', identity }])
      await folder.close()
      // Its making, its place, the batch, and its place at closing.
      expect(flags).toEqual([false, false, false, false])
      expect(await syncedBytes(path)).toBe((await stat(await newestLog(path))).size)
      const held = new TestDatabase()
      const store = await openHubStore(held.database, { incarnation: 'x', sync: 'never' })
      expect(store.durability).toBe('applied')
      expect(held.synced).toEqual([false])
    }))
})

async function bodiesOf(store: Awaited<ReturnType<typeof openHubFolder>>['store']): Promise<unknown> {
  const tail = await store.readTail('support', 0, all)
  return tail.kind === 'records' ? tail.records.map(({ body }) => body[0]) : tail
}

async function logsIn(path: string): Promise<readonly string[]> {
  return (await readdir(join(path, 'db'))).filter((name) => name.endsWith('.log')).sort()
}

async function newestLog(path: string): Promise<string> {
  return join(path, 'db', (await logsIn(path)).at(-1) ?? '')
}

/** How much of LevelDB's newest log we have synced. */
async function syncedBytes(path: string): Promise<number> {
  return synced.get((await stat(await newestLog(path))).ino) ?? 0
}

/** `rejoin.count` says after the fact, so it may take some turns. */
async function settled(path: string, counts: object): Promise<void> {
  for (let turn = 0; turn < 100_000; turn++) {
    if (JSON.stringify(await countsIn(path)) === JSON.stringify(counts)) return
  }
  expect(await countsIn(path)).toEqual(counts)
}

async function countsIn(path: string): Promise<object> {
  const value = await readFile(join(path, 'rejoin.count'))
  return value.length < 25
    ? {}
    : { synced: Number(value.readBigUInt64BE(9)), written: Number(value.readBigUInt64BE(17)) }
}
