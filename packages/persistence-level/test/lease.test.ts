/** Who lost the folder stops for good (HAZARDS F8): no write of that store reaches the disk, and every call says why. */
import { once } from 'node:events'
import { cp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { openHubFolder, openReplicaFolder } from '../src/node.ts'
import { withFolder } from './databases.ts'
import { firstLine, runHolder } from './holder.ts'
import { batchesOnDisk } from './level-faults.ts'

const bytes = (...values: number[]) => new Uint8Array(values)
const all = { records: 100, bytes: 1_000_000 }
const locked = { code: 'STORE_LOCKED' }

afterEach(() => {
  vi.restoreAllMocks()
})

/** Ways to lose a folder, each done to one that is open. */
const losses: Record<string, (path: string) => Promise<void>> = {
  'another owner, by rename': async (path) => {
    await writeFile(join(path, 'other'), '{"owner":"another"}\n')
    await rename(join(path, 'other'), join(path, 'rejoin.lease'))
  },
  'another owner, in place': (path) => writeFile(join(path, 'rejoin.lease'), '{"owner":"another"}\n'),
  'no owner': (path) => rm(join(path, 'rejoin.lease')),
  'the folder moved away': (path) => rename(path, `${path}-moved`),
  'a copy of the folder put in its place, lease and all': async (path) => {
    await cp(path, `${path}-copy`, { recursive: true, preserveTimestamps: true })
    await rename(path, `${path}-moved`)
    await rename(`${path}-copy`, path)
  },
}

describe('a hub that lost its folder', () => {
  test.each(Object.entries(losses))('[3] stops for good: %s', (_name, lose) =>
    withFolder(async (root) => {
      const path = join(root, 'data')
      const folder = await openHubFolder(path)
      const { store } = folder
      await store.append('support', 0, bytes(1))
      await store.installCheckpoint('support', { seq: 1, marks: bytes(1), snapshot: bytes(1) })
      const held = await store.checkpoint('support')
      await lose(path)
      const written = batchesOnDisk()
      const first = store.append('support', 1, bytes(2))
      await expect(first).rejects.toMatchObject({
        ...locked,
        message: expect.stringMatching(/data is no longer ours \(.*nothing more is written to it/) as string,
      })
      const calls = [
        () => store.append('support', 1, bytes(2)),
        () => store.append('other', 0, bytes(2)),
        () => store.installCheckpoint('support', { seq: 1, marks: bytes(1), snapshot: bytes(1) }),
        () => store.trim('support', 1),
        () => store.remove('support'),
        () => store.readTail('support', 0, all),
        () => store.namespaces(),
        () => held?.snapshot() ?? Promise.resolve(),
      ]
      for (const call of calls) await expect(call()).rejects.toMatchObject(locked)
      expect(written()).toBe(0)
      const left = await readdir(root, { recursive: true })
      await folder.close()
      expect(written()).toBe(0)
      // Another's lease is not ours to remove.
      expect((await readdir(root, { recursive: true })).filter((name) => name.endsWith('lease'))).toEqual(
        left.filter((name) => name.endsWith('lease')),
      )
    }),
  )

  test('[3] answers nobody whose batch was written while the folder was taken over', () =>
    withFolder(async (root) => {
      const path = join(root, 'data')
      const folder = await openHubFolder(path)
      const { store } = folder
      await store.append('support', 0, bytes(1))
      batchesOnDisk(async (write) => {
        await write()
        await writeFile(join(path, 'rejoin.lease'), '{"owner":"another"}\n')
      })
      await expect(store.append('support', 1, bytes(2))).rejects.toMatchObject(locked)
      await folder.close()
    }))

  test("[3] whose process dropped LevelDB's lock does not write over the one who came in", () =>
    withFolder(async (root) => {
      const path = join(root, 'data')
      const folder = await openHubFolder(path)
      const { store } = folder
      await store.append('support', 0, bytes(1))
      // F8: this open fails, and in failing closes a descriptor of LOCK, which gives up the lock of the whole process.
      await expect(new Level(join(path, 'db')).open()).rejects.toThrow('failed to open')
      const other = runHolder(path)
      expect(await firstLine(other)).toBe('open')
      await expect(store.append('support', 1, bytes(2))).rejects.toMatchObject(locked)
      await folder.close()
      other.kill('SIGKILL')
      await once(other, 'exit')
      const again = await openHubFolder(path)
      expect(again.found).toEqual({ isClosedInOrder: false, batchesLost: 0, logFaults: [] })
      expect(await again.store.namespaces()).toEqual(['held', 'support'])
      expect(await again.store.readTail('support', 0, all)).toMatchObject({ records: [{ seq: 1 }] })
      await again.close()
    }))
})

test('[3] a replica that lost its folder stops for good, in all its namespaces', () =>
  withFolder(async (root) => {
    const path = join(root, 'data')
    const folder = await openReplicaFolder(path)
    const identity = { replica: 'replica-of-22-letters_', clientId: 1, domain: 'todo', domainVersion: 1 }
    const [a, b] = [folder.replica('a'), folder.replica('b')]
    await a.record([{ kind: 'create', identity }])
    await rm(join(path, 'rejoin.lease'))
    const written = batchesOnDisk()
    await expect(a.record([{ kind: 'settle', upTo: 1 }])).rejects.toMatchObject(locked)
    for (const store of [a, b]) {
      await expect(store.record([{ kind: 'create', identity }])).rejects.toMatchObject(locked)
      await expect(store.load()).rejects.toMatchObject(locked)
    }
    await expect(folder.namespaces()).rejects.toMatchObject(locked)
    await folder.close()
    expect(written()).toBe(0)
  }))

describe('a lease', () => {
  test('that was touched, not changed, is still ours', () =>
    withFolder(async (root) => {
      const path = join(root, 'data')
      const folder = await openHubFolder(path)
      const { store } = folder
      for (let i = 0; i < 3; i++) {
        await utimes(join(path, 'rejoin.lease'), i, i)
        expect(await store.append('support', i, bytes(i))).toMatchObject({ kind: 'appended' })
      }
      await folder.close()
    }))

  test('is given up by closing, and one that a dead process left is taken over and told', () =>
    withFolder(async (root) => {
      const path = join(root, 'data')
      const first = await openHubFolder(path)
      const owner = await readFile(join(path, 'rejoin.lease'), 'utf8')
      await first.close()
      expect(await readdir(path)).not.toContain('rejoin.lease')
      const second = await openHubFolder(path)
      expect(second.found.isClosedInOrder).toBe(true)
      expect(await readFile(join(path, 'rejoin.lease'), 'utf8')).not.toBe(owner)
      await second.close()

      const killed = runHolder(path)
      expect(await firstLine(killed)).toBe('open')
      killed.kill('SIGKILL')
      await once(killed, 'exit')
      expect(await readdir(path)).toContain('rejoin.lease')
      const third = await openHubFolder(path)
      expect(third.found.isClosedInOrder).toBe(false)
      expect(await third.store.append('support', 0, bytes(1))).toMatchObject({ kind: 'appended' })
      await third.close()
    }))

  test('of a folder that was copied while open leaves both copies usable', () =>
    withFolder(async (root) => {
      const [path, copy] = [join(root, 'data'), join(root, 'copy')]
      const original = await openHubFolder(path)
      await original.store.append('support', 0, bytes(1))
      await cp(path, copy, { recursive: true })
      const copied = await openHubFolder(copy)
      for (const { store } of [original, copied]) {
        expect(await store.append('support', 1, bytes(2))).toEqual({ kind: 'appended', seq: 2 })
      }
      await copied.close()
      await original.close()
    }))
})
