/** Backups of a hub's folder: one moment whatever is appended, whole or not at all, and restored under another name. */
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { Level } from 'level'
import type { HubStore } from '@rejoin/core'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  examineHubFolder,
  folderKind,
  openHubFolder,
  restoreHub,
  type HubFolder,
  type RestoreOptions,
} from '../src/node.ts'
import { Ballast } from '../src/folder/ballast.ts'
import { flipByte, withFolder } from './databases.ts'
import { batchesOnDisk, noSpace } from './level-faults.ts'

const all = { records: 100_000, bytes: 100_000_000 }
const at = 1_700_000_000_000

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a backup', () => {
  test('holds everything of the store, also what is closed by damage, and says when it was made', async () => {
    await withFolder(async (folder) => {
      const data = join(folder, 'hub')
      const hub = await filledHub(data)
      const expected = await contentOf(hub.store)
      const backup = await hub.backUp(join(folder, 'backup'), { at })
      expect(backup).toMatchObject({ at, namespaces: ['other', 'support'], damaged: [] })
      await hub.close()
      const examined = await examineHubFolder(join(folder, 'backup'))
      expect(examined.fault).toBeNull()
      expect(await contentOf(examined.store)).toEqual(expected)
      expect(examined.store.incarnation).toBe(hub.store.incarnation)
      await examined.close()
    })
  })

  test('takes files of others along where that is asked for, with their rights, and restoring does too', async () => {
    await withFolder(async (folder) => {
      const hub = await filledHub(join(folder, 'hub'))
      await writeFile(join(folder, 'hub', 'mine'), 'secret', { mode: 0o600 })
      await writeFile(join(folder, 'hub', 'other'), 'stays')
      const beside = ['mine', 'missing']
      await hub.backUp(join(folder, 'backup'), { at, beside })
      await hub.close()
      const again = { newIncarnation: () => 'restored', finish: async () => {}, beside }
      await restoreHub(join(folder, 'backup'), join(folder, 'again'), again)
      for (const place of ['backup', 'again']) {
        expect(await readFile(join(folder, place, 'mine'), 'utf8')).toBe('secret')
        expect((await stat(join(folder, place, 'mine'))).mode & 0o777).toBe(0o600)
        expect(await readdir(join(folder, place))).not.toContain('other')
      }
    })
  })

  test('is one moment: batches that come meanwhile are in it whole or not at all', async () => {
    await withFolder(async (folder) => {
      const hub = await filledHub(join(folder, 'hub'))
      let appended = 0
      let isOver = false
      // Both in one batch, always: a copy that has one without the other is no moment.
      const writing = (async () => {
        while (!isOver) {
          const [a, b] = await Promise.all([appendTo(hub.store, 'left'), appendTo(hub.store, 'right')])
          expect(a).toBe(b)
          appended += 1
        }
      })()
      await vi.waitUntil(() => appended > 5)
      const before = appended
      await hub.backUp(join(folder, 'backup'), { at })
      const during = appended - before
      isOver = true
      await writing
      await hub.close()
      expect(during).toBeGreaterThan(0)
      const examined = await examineHubFolder(join(folder, 'backup'))
      const heads = await examined.store.heads(['left', 'right'])
      expect(heads.get('left')).toEqual(heads.get('right'))
      expect(heads.get('left')?.head).toBeGreaterThanOrEqual(before)
      expect(heads.get('left')?.head).toBeLessThanOrEqual(before + during)
      await examined.close()
    })
  })

  test('of a damaged namespace is as damaged, and says so; the others are whole', async () => {
    await withFolder(async (folder) => {
      const data = join(folder, 'hub')
      await (await filledHub(data)).close()
      const key = `hub!record!support!${(3).toString(16).padStart(14, '0')}`
      await strike(data, key)
      const hub = await openHubFolder(data)
      // Not met yet: found by the copy.
      expect(await hub.backUp(join(folder, 'first'), { at })).toMatchObject({ damaged: ['support'] })
      await expect(hub.store.readTail('support', 2, all)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
      expect(await hub.closedBy('support')).toMatchObject({ path: key })
      expect(await hub.closedBy('other')).toBeNull()
      await hub.close()
      const examined = await examineHubFolder(join(folder, 'first'))
      await expect(examined.store.readTail('support', 2, all)).rejects.toMatchObject({ path: key })
      expect(await examined.store.readTail('other', 0, all)).toMatchObject({ more: false })
      await examined.close()
    })
  })

  test('is not served, not written over, and not made where something is', async () => {
    await withFolder(async (folder) => {
      const hub = await filledHub(join(folder, 'hub'))
      const place = join(folder, 'backup')
      await mkdir(place)
      await hub.backUp(place, { at })
      await expect(openHubFolder(place)).rejects.toMatchObject({
        code: 'FOLDER_FOREIGN',
        message: expect.stringMatching(/is a backup .*rejoin restore/) as string,
      })
      await expect(hub.backUp(place, { at })).rejects.toMatchObject({ code: 'INPUT_INVALID' })
      await writeFile(join(folder, 'file'), '')
      await expect(hub.backUp(join(folder, 'file'), { at })).rejects.toMatchObject({ code: 'INPUT_INVALID' })
      await mkdir(join(folder, 'next.partial'))
      await expect(hub.backUp(join(folder, 'next'), { at })).rejects.toMatchObject({
        code: 'INPUT_INVALID',
        message: expect.stringMatching(/next\.partial is there/) as string,
      })
      await hub.close()
      expect(await readdir(folder)).toEqual(['backup', 'file', 'hub', 'next.partial'])
    })
  })

  test('that is ended, or for which there is no room, leaves nothing', async () => {
    await withFolder(async (folder) => {
      const hub = await filledHub(join(folder, 'hub'))
      const ended = new AbortController()
      const why = new Error('enough')
      ended.abort(why)
      const place = join(folder, 'backup')
      await expect(hub.backUp(place, { at, signal: ended.signal })).rejects.toMatchObject({ cause: why })
      expect(await readdir(folder)).toEqual(['hub'])
      batchesOnDisk(() => Promise.reject(new Error(noSpace)))
      await expect(hub.backUp(place, { at })).rejects.toMatchObject({ code: 'STORE_FULL' })
      vi.restoreAllMocks()
      expect(await readdir(folder)).toEqual(['hub'])
      await hub.backUp(place, { at })
      await hub.close()
    })
  })

  test('gives way where the database has to be opened anew', async () => {
    await withFolder(async (folder) => {
      const hub = await filledHub(join(folder, 'hub'))
      for (let i = 0; i < 40; i++) await hub.store.append('large', i, new Uint8Array(100_000).fill(i))
      const probing = vi.spyOn(Ballast.prototype, 'probe')
      let isStruck = false
      let isAsked = false
      // A copy is synced at its end alone.
      batchesOnDisk(async (write, synced) => {
        await write()
        if (synced && !isStruck) {
          isStruck = true
          throw new Error('IO error: disk on fire')
        }
        if (synced || isAsked) return
        isAsked = true
        await expect(appendTo(hub.store, 'other')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
        // The next writer opens the database anew, as soon as nobody reads it.
        appended = hub.store.append('other', 2, new Uint8Array(1))
        await vi.waitUntil(() => probing.mock.settledResults.length > 0)
        await setImmediate()
      })
      let appended: Promise<unknown> = Promise.resolve()
      const backingUp = hub.backUp(join(folder, 'backup'), { at })
      await expect(backingUp).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        message: expect.stringMatching(/opened anew after a failed write/) as string,
      })
      expect(await readdir(folder)).toEqual(['hub'])
      expect(await appended).toEqual({ kind: 'appended', seq: 3 })
      await hub.close()
    })
  })
})

describe('a restored hub', () => {
  test('holds what the backup holds, under another incarnation; the backup stays as it is', async () => {
    await withFolder(async (folder) => {
      const hub = await filledHub(join(folder, 'hub'))
      const expected = await contentOf(hub.store)
      await hub.backUp(join(folder, 'backup'), { at })
      await hub.close()
      const files = await readdir(join(folder, 'backup'))
      const restored = await restore(join(folder, 'backup'), join(folder, 'again'))
      expect(restored).toMatchObject({ at })
      expect((await readdir(join(folder, 'backup'))).sort()).toEqual(files.sort())
      const again = await openHubFolder(join(folder, 'again'))
      expect(again.store.incarnation).toBe('restored')
      expect(again.found.isClosedInOrder).toBe(true)
      expect(await contentOf(again.store)).toEqual(expected)
      expect(await appendTo(again.store, 'other')).toBe(2)
      await again.close()
      // Any hub folder that nobody has open will do.
      await restore(join(folder, 'again'), join(folder, 'third'))
      expect(await folderKind(join(folder, 'third'))).toBe('hub')
    })
  })

  test('is not there before its last work is done, and never where something is', async () => {
    await withFolder(async (folder) => {
      const hub = await filledHub(join(folder, 'hub'))
      await hub.backUp(join(folder, 'backup'), { at })
      const place = join(folder, 'again')
      const failed = restore(join(folder, 'backup'), place, async () => {
        expect(await readdir(folder)).toEqual(['again.partial', 'backup', 'hub'])
        throw new Error('no')
      })
      await expect(failed).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      expect(await readdir(folder)).toEqual(['backup', 'hub'])
      await expect(restore(join(folder, 'backup'), join(folder, 'hub'))).rejects.toMatchObject({
        code: 'INPUT_INVALID',
      })
      await expect(restore(join(folder, 'hub'), place)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
      await expect(restore(folder, place)).rejects.toMatchObject({ code: 'FOLDER_FOREIGN' })
      await hub.close()
    })
  })

  test('is refused of a backup that is damaged as a whole', async () => {
    await withFolder(async (folder) => {
      const hub = await filledHub(join(folder, 'hub'))
      const place = join(folder, 'backup')
      await hub.backUp(place, { at })
      await hub.close()
      const note = await readFile(join(place, 'rejoin.backup'), 'utf8')
      await writeFile(join(place, 'rejoin.backup'), note.slice(0, -5))
      await expect(restore(place, join(folder, 'again'))).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
      await writeFile(join(place, 'rejoin.backup'), note)
      await strike(place, 'hub!store')
      await expect(restore(place, join(folder, 'again'))).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
      expect(await readdir(folder)).toEqual(['backup', 'hub'])
    })
  })
})

async function filledHub(path: string): Promise<HubFolder> {
  const hub = await openHubFolder(path)
  const { store } = hub
  for (let i = 0; i < 8; i++) await appendTo(store, 'support')
  await store.installCheckpoint('support', {
    seq: 4,
    marks: new Uint8Array([1]),
    snapshot: new Uint8Array([2]),
  })
  await store.trim('support', 2)
  await appendTo(store, 'other')
  await appendTo(store, 'gone')
  await store.remove('gone')
  return hub
}

async function appendTo(store: HubStore, namespace: string): Promise<number> {
  const head = (await store.heads([namespace])).get(namespace)?.head ?? 0
  const result = await store.append(namespace, head, new Uint8Array([head % 256]))
  if (result.kind === 'moved') throw new Error('somebody else appends')
  return result.seq
}

async function contentOf(store: HubStore): Promise<unknown> {
  const content: unknown[] = [await store.state('gone')]
  for (const namespace of await store.namespaces()) {
    const range = (await store.heads([namespace])).get(namespace)
    const checkpoint = await store.checkpoint(namespace)
    content.push([
      namespace,
      range,
      await store.readTail(namespace, range?.floor ?? 0, all),
      checkpoint && [checkpoint.seq, checkpoint.marks, await checkpoint.snapshot()],
    ])
  }
  return content
}

async function restore(backup: string, place: string, finish: RestoreOptions['finish'] = async () => {}) {
  return await restoreHub(backup, place, { newIncarnation: () => 'restored', finish })
}

async function strike(folder: string, key: string): Promise<void> {
  const database = new Level<string, string>(join(folder, 'db'))
  await database.open()
  await flipByte(database, key, -1)
  await database.close()
}
