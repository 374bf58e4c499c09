/** A disk that takes no more writes: reads go on, answers say why, and it mends itself (HAZARDS F3, F9, F10; St8). */
import { rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HubStore } from '@rejoin/core'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { openHubFolder, openReplicaFolder, type HubFolder } from '../src/node.ts'
import { withFolder } from './databases.ts'
import { batchesOnDisk, failFiles, levelNoSpace, noSpace, openingsOnDisk } from './level-faults.ts'

const bytes = (...values: number[]) => new Uint8Array(values)
const all = { records: 100, bytes: 1_000_000 }
const full = { code: 'STORE_FULL', retryable: true }

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a hub on a full disk', () => {
  test.each([true, false])(
    '[3] reads on, refuses writes with STORE_FULL, and goes on once there is room (failed batch written: %s)',
    (isWritten) =>
      withHub(async ({ path, folder, store }) => {
        const hasRoom = await failFiles(noSpace)
        failOnce(isWritten)
        const openings = openingsOnDisk()
        await expect(store.append('support', 1, bytes(2))).rejects.toMatchObject(full)
        const written = batchesOnDisk()
        for (let i = 0; i < 3; i++) {
          await expect(store.append('support', 1, bytes(2))).rejects.toMatchObject(full)
          await expect(store.append('other', 0, bytes(2))).rejects.toMatchObject(full)
          expect((await bodies(store, 'support'))[0]).toBe(1)
        }
        // LevelDB, which would lose what it took now, is not even asked.
        expect(written()).toBe(0)
        expect(openings()).toBe(0)
        hasRoom()
        const again = await store.append('support', 1, bytes(2))
        expect(again).toEqual(isWritten ? { kind: 'moved', head: 2 } : { kind: 'appended', seq: 2 })
        expect(openings()).toBe(1)
        expect(await bodies(store, 'support')).toEqual([1, 2])
        await folder.close()
        const reopened = await openHubFolder(path)
        expect(reopened.found).toEqual({ isClosedInOrder: true, batchesLost: 0, logFaults: [] })
        expect(await bodies(reopened.store, 'support')).toEqual([1, 2])
        await reopened.close()
      }),
  )

  test('[St8] plans on what a failed batch left, though it shows only after reopening', () =>
    withFolder(async (path) => {
      const folder = await openHubFolder(path)
      const { store } = folder
      await store.append('a', 0, bytes(1))
      let appear = () => Promise.resolve()
      let failed = false
      batchesOnDisk(async (write) => {
        if (failed) return await write()
        failed = true
        appear = write
        throw new Error(levelNoSpace)
      })
      const lost = [store.append('a', 1, bytes(2)), store.append('b', 0, bytes(3))]
      for (const outcome of await Promise.allSettled(lost)) expect(outcome.status).toBe('rejected')
      // Readers come before anyone reopens it, and see what was there before.
      expect(await bodies(store, 'a')).toEqual([1])
      expect(await bodies(store, 'b')).toEqual([])
      openingsOnDisk(async (reallyOpen) => {
        await reallyOpen()
        await appear()
      })
      // Planned on what was read before, this would write a second record 2, and a sum that is wrong.
      expect(await store.append('a', 1, bytes(9))).toEqual({ kind: 'moved', head: 2 })
      expect(await store.append('c', 0, bytes(4))).toEqual({ kind: 'appended', seq: 1 })
      await folder.close()
      vi.restoreAllMocks()
      const again = await openHubFolder(path)
      expect(await bodies(again.store, 'a')).toEqual([1, 2])
      expect(await bodies(again.store, 'b')).toEqual([3])
      await again.close()
    }))

  test('[3] is damaged, not full, when what was answered is gone after reopening', () =>
    withFolder(async (path) => {
      const folder = await openHubFolder(path)
      const { store } = folder
      batchesOnDisk(() => Promise.resolve())
      await store.append('support', 0, bytes(1))
      vi.restoreAllMocks()
      failOnce(false)
      await expect(store.append('support', 1, bytes(2))).rejects.toMatchObject(full)
      await expect(store.append('support', 1, bytes(2))).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringMatching(/counts 1 batches where 2 were written/) as string,
      })
      await folder.close()
    }))

  test('reads that run while it is reopened are answered', () =>
    withFolder(async (path) => {
      const folder = await openHubFolder(path)
      const { store } = folder
      // Larger than what an iterator fetches at once, so that readers are under way when the database closes.
      for (let i = 0; i < 40; i++) await store.append('support', i, new Uint8Array(20_000).fill(i))
      let reads = 0
      for (let round = 0; round < 3; round++) {
        failOnce(false)
        await expect(store.append('support', 40 + round, bytes(1))).rejects.toMatchObject(full)
        let isWriting = true
        const readers = Array.from({ length: 8 }, async () => {
          for (; isWriting; reads++)
            expect((await bodies(store, 'support')).length).toBeGreaterThanOrEqual(40)
        })
        expect(await store.append('support', 40 + round, bytes(1))).toMatchObject({ kind: 'appended' })
        isWriting = false
        await Promise.all(readers)
      }
      expect(reads).toBeGreaterThan(20)
      await folder.close()
    }))

  test('[13] is never made anew by reopening: a database that lost CURRENT meanwhile is refused', () =>
    withHub(async ({ path, folder, store }) => {
      failOnce(false)
      await expect(store.append('support', 1, bytes(2))).rejects.toMatchObject(full)
      const current = join(path, 'db', 'CURRENT')
      await rename(current, join(path, 'kept'))
      await expect(store.append('support', 1, bytes(2))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      await expect(stat(current)).rejects.toThrow('ENOENT')
      await rename(join(path, 'kept'), current)
      expect(await store.append('support', 1, bytes(2))).toEqual({ kind: 'appended', seq: 2 })
      await folder.close()
    }))

  test('that cannot be reopened says so to readers too, and is reopened by a later write', () =>
    withHub(async ({ folder, store }) => {
      failOnce(false)
      await expect(store.append('support', 1, bytes(2))).rejects.toMatchObject(full)
      let fails = true
      openingsOnDisk(async (reallyOpen) => {
        if (fails) throw new Error(levelNoSpace)
        await reallyOpen()
      })
      await expect(store.append('support', 1, bytes(2))).rejects.toMatchObject(full)
      await expect(bodies(store, 'support')).rejects.toMatchObject(full)
      fails = false
      expect(await store.append('support', 1, bytes(2))).toEqual({ kind: 'appended', seq: 2 })
      expect(await bodies(store, 'support')).toEqual([1, 2])
      await folder.close()
    }))

  test('[3] gives up for good where another one came in while it was being reopened', () =>
    withHub(async ({ path, folder, store }) => {
      failOnce(false)
      await expect(store.append('support', 1, bytes(2))).rejects.toMatchObject(full)
      openingsOnDisk(async (reallyOpen) => {
        await reallyOpen()
        await writeFile(join(path, 'rejoin.lease'), 'another')
      })
      const written = batchesOnDisk()
      await expect(store.append('support', 1, bytes(2))).rejects.toMatchObject({ code: 'STORE_LOCKED' })
      await expect(bodies(store, 'support')).rejects.toMatchObject({ code: 'STORE_LOCKED' })
      expect(written()).toBe(0)
      await folder.close()
    }))
})

test.each([
  [
    'STORE_UNAVAILABLE',
    'IO error: /data/000005.log: Read-only file system',
    'EROFS: read-only file system, open',
  ],
  ['STORE_FULL', 'IO error: /data/000005.log: File too large', 'EFBIG: file too large, write'],
  ['STORE_UNAVAILABLE', 'IO error: /data/000005.log: Input/output error', 'EIO: i/o error, write'],
])('a disk that refuses otherwise is %s until it takes writes: %s', (code, said, probed) =>
  withHub(async ({ folder, store }) => {
    const isMended = await failFiles(probed)
    failOnce(false, said)
    for (let i = 0; i < 2; i++) {
      await expect(store.append('support', 1, bytes(2))).rejects.toMatchObject({ code, retryable: true })
      expect(await bodies(store, 'support')).toEqual([1])
    }
    isMended()
    expect(await store.append('support', 1, bytes(2))).toEqual({ kind: 'appended', seq: 2 })
    await folder.close()
  }),
)

test('[4] replicas on a full disk keep what was recorded, load it, and record on once there is room', () =>
  withFolder(async (path) => {
    const folder = await openReplicaFolder(path)
    const [a, b] = [folder.replica('a'), folder.replica('b')]
    const identity = { replica: 'replica-of-22-letters_', clientId: 1, domain: 'todo', domainVersion: 1 }
    await a.record([{ kind: 'create', identity }])
    await b.record([{ kind: 'create', identity }])
    const hasRoom = await failFiles(noSpace)
    failOnce(true)
    const version = { kind: 'domainVersion', domainVersion: 2 } as const
    await expect(a.record([version])).rejects.toMatchObject(full)
    await expect(b.record([version])).rejects.toMatchObject(full)
    expect((await b.load())?.identity.domainVersion).toBe(1)
    hasRoom()
    await b.record([version])
    await a.record([version])
    for (const store of [a, b]) expect((await store.load())?.identity.domainVersion).toBe(2)
    await folder.close()
    const again = await openReplicaFolder(path)
    expect((await again.replica('a').load())?.identity.domainVersion).toBe(2)
    expect(again.found.isClosedInOrder).toBe(true)
    await again.close()
  }))

describe('a replica whose batch failed', () => {
  const identity = { replica: 'replica-of-22-letters_', clientId: 1, domain: 'todo', domainVersion: 1 }
  const cursor = { epoch: 5, seq: 1, tag: '00000000000000aa' }
  const remote = { kind: 'remote', updates: [bytes(7)], settled: [], cursor, hlc: null } as const

  test('[6] records onto what it left, though it shows only after reopening', () =>
    withFolder(async (path) => {
      const folder = await openReplicaFolder(path)
      const store = folder.replica('a')
      await store.record([{ kind: 'create', identity }])
      let appear = () => Promise.resolve()
      batchesOnDisk((write) => {
        appear = write
        return Promise.reject(new Error(levelNoSpace))
      })
      await expect(store.record([remote])).rejects.toMatchObject(full)
      expect((await store.load())?.base).toEqual([])
      batchesOnDisk()
      openingsOnDisk(async (reallyOpen) => {
        await reallyOpen()
        await appear()
      })
      await store.record([{ kind: 'domainVersion', domainVersion: 2 }])
      const stored = await store.load()
      expect(stored?.base).toEqual([bytes(7)])
      expect(stored?.identity.domainVersion).toBe(2)
      await folder.close()
    }))

  test('[4] is damaged when what was recorded is gone after reopening', () =>
    withFolder(async (path) => {
      const folder = await openReplicaFolder(path)
      const store = folder.replica('a')
      await store.record([{ kind: 'create', identity }])
      batchesOnDisk(() => Promise.resolve())
      await store.record([remote])
      failOnce(false)
      await expect(store.record([remote])).rejects.toMatchObject(full)
      await expect(store.record([remote])).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringMatching(/counts 1 batches where 2 were written/) as string,
      })
      await folder.close()
    }))
})

describe('the ballast', () => {
  test('[3] lets a folder open on a full disk, and is made again once there is room', () =>
    withFolder(async (path) => {
      const first = await openHubFolder(path, { ballastBytes: 100_000 })
      await first.store.append('support', 0, bytes(1))
      expect((await stat(join(path, 'rejoin.ballast'))).size).toBe(100_000)
      await first.close()
      const hasRoom = await failFiles(noSpace)
      const sizes: (number | null)[] = []
      openingsOnDisk(async (reallyOpen) => {
        const size = (await stat(join(path, 'rejoin.ballast')).catch(() => null))?.size ?? null
        sizes.push(size)
        if (size !== null) throw new Error(levelNoSpace)
        await reallyOpen()
      })
      const second = await openHubFolder(path, { ballastBytes: 100_000 })
      expect(sizes).toEqual([100_000, null])
      expect(await bodies(second.store, 'support')).toEqual([1])
      await second.close()
      hasRoom()
      await (await openHubFolder(path, { ballastBytes: 100_000 })).close()
      expect((await stat(join(path, 'rejoin.ballast'))).size).toBe(100_000)
    }))

  test('may be left out', () =>
    withFolder(async (path) => {
      await (await openHubFolder(path, { ballastBytes: 0 })).close()
      await expect(stat(join(path, 'rejoin.ballast'))).rejects.toThrow('ENOENT')
    }))
})

/** A folder whose hub holds one record of the namespace `support`. */
function withHub(run: (hub: OpenedHub) => Promise<void>): Promise<void> {
  return withFolder(async (path) => {
    const folder = await openHubFolder(path)
    await folder.store.append('support', 0, bytes(1))
    await run({ path, folder, store: folder.store })
  })
}

interface OpenedHub {
  readonly path: string
  readonly folder: HubFolder
  readonly store: HubStore
}

/** The next batch fails as on a full disk, written all the same or not. */
function failOnce(isWritten: boolean, message = levelNoSpace): void {
  let failed = false
  batchesOnDisk(async (write) => {
    if (failed || isWritten) await write()
    if (failed) return
    failed = true
    throw new Error(message)
  })
}

async function bodies(store: HubStore, namespace: string): Promise<readonly (number | undefined)[]> {
  const tail = await store.readTail(namespace, 0, all)
  return tail.kind === 'records' ? tail.records.map(({ body }) => body[0]) : []
}
