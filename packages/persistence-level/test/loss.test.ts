/** What went with the power, and who hears of it: the loss outlives everybody who only looks at the folder. */
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReplicaIdentity } from '@rejoin/core'
import { Level } from 'level'
import { describe, expect, test } from 'vitest'
import {
  examineHubFolder,
  examineReplicaFolder,
  openHubFolder,
  openReplicaFolder,
  restoreHub,
} from '../src/node.ts'
import { seal } from '../src/sealed-value.ts'
import { flipByte, withFolder } from './databases.ts'

const small = { ballastBytes: 0, sync: 'never' } as const
const identity: ReplicaIdentity = {
  replica: 'replica-of-22-letters_',
  clientId: 4_000,
  domain: 'todo',
  domainVersion: 1,
}
const reidentify = { kind: 'reidentify', replica: 'another-of-22-letters_', clientId: 4_001 } as const

/** As if `lost` more batches had been written, and not synced. */
async function losePower(path: string, lost: number): Promise<void> {
  const file = join(path, 'rejoin.count')
  const batches = (await readFile(file)).readBigUInt64BE(17)
  const body = Buffer.alloc(16)
  body.writeBigUInt64BE(1n, 0)
  body.writeBigUInt64BE(batches + BigInt(lost), 8)
  await writeFile(file, seal('rejoin.count', body))
}

describe('a hub’s folder', () => {
  async function made(path: string): Promise<void> {
    const folder = await openHubFolder(path, small)
    for (const name of ['one', 'two', 'gone']) await folder.store.append(name, 0, new Uint8Array(5))
    await folder.store.remove('gone')
    await folder.close()
  }

  test.each([1, 3, 9])(
    '[8] that lost %i batches has untold logs until each was told, whoever looked first',
    (lost) =>
      withFolder(async (path) => {
        await made(path)
        await losePower(path, lost)
        await (await examineHubFolder(path)).close()
        await (await openHubFolder(path, small)).close()
        const folder = await openHubFolder(path, small)
        expect(await folder.untold()).toEqual(['one', 'two'])
        await folder.told('one')
        await folder.close()
        const next = await openHubFolder(path, small)
        expect(await next.untold()).toEqual(['two'])
        await next.store.remove('two')
        expect(await next.untold()).toEqual([])
        await next.close()
      }),
  )

  test('says how many batches it lost to the first alone, and has none that are untold where it lost none', () =>
    withFolder(async (path) => {
      await made(path)
      const whole = await openHubFolder(path, small)
      expect(await whole.untold()).toEqual([])
      await whole.close()
      await losePower(path, 3)
      for (const batchesLost of [3, 0]) {
        const folder = await openHubFolder(path, small)
        expect(folder.found.batchesLost).toBe(batchesLost)
        await folder.close()
      }
    }))

  test('[8] restored has untold logs, the damaged ones until they are repaired', () =>
    withFolder(async (root) => {
      const [path, place] = [join(root, 'hub'), join(root, 'again')]
      await made(path)
      const database = new Level<string, string>(join(path, 'db'))
      await flipByte(database, 'hub!state!two', 10)
      await database.close()
      const options = { newIncarnation: () => 'another' }
      await restoreHub(path, place, {
        ...options,
        finish: async (folder) => {
          expect(await folder.untold()).toEqual(['one', 'two'])
          await folder.told('one')
        },
      })
      const examined = await examineHubFolder(place)
      expect(await examined.store.untold()).toEqual(['two'])
      await examined.store.reopen('two')
      expect(await examined.store.untold()).toEqual([])
      await examined.close()
    }))
})

describe('a replica’s folder', () => {
  async function made(path: string): Promise<void> {
    const folder = await openReplicaFolder(path, small)
    for (const name of ['one', 'two']) await folder.replica(name).record([{ kind: 'create', identity }])
    await folder.close()
  }

  async function isCopy(path: string, name: string) {
    const folder = await openReplicaFolder(path, small)
    const stored = await folder.replica(name).load()
    await folder.close()
    return [folder.found.isCopy, folder.found.batchesLost, stored?.isCopy]
  }

  test('[4] that lost batches is taken for a copy: its counters were given already', () =>
    withFolder(async (path) => {
      await made(path)
      await losePower(path, 2)
      await (await examineReplicaFolder(path)).close()
      expect(await isCopy(path, 'one')).toEqual([true, 2, true])
      const folder = await openReplicaFolder(path, small)
      await folder.replica('one').record([reidentify])
      await folder.close()
      expect(await isCopy(path, 'one')).toEqual([false, 0, false])
      expect(await isCopy(path, 'two')).toEqual([false, 0, true])
    }))

  test('[4] so it is after a repair, which makes its count anew', () =>
    withFolder(async (path) => {
      await made(path)
      await losePower(path, 2)
      const examined = await examineReplicaFolder(path)
      const plan = { kind: 'mend', dropsBase: false, lost: [], rejected: [] } as const
      for (const name of ['one', 'two']) await examined.mend(await examined.examine(name), plan, 4_007)
      await examined.close()
      expect(await isCopy(path, 'one')).toEqual([true, 0, true])
    }))

  test('[4] a crash before the loss is forgotten leaves it to be noticed again', () =>
    withFolder(async (path) => {
      await made(path)
      await losePower(path, 2)
      const count = await readFile(join(path, 'rejoin.count'))
      expect(await isCopy(path, 'one')).toEqual([true, 2, true])
      await writeFile(join(path, 'rejoin.count'), count)
      expect(await isCopy(path, 'one')).toEqual([true, 2, true])
    }))

  test('[4] an older database alone, put back on purpose, is a copy’s', () =>
    withFolder(async (root) => {
      const path = join(root, 'folder')
      await made(path)
      const folder = await openReplicaFolder(path, small)
      await cp(join(path, 'db'), join(root, 'while-open'), { recursive: true })
      await folder.replica('one').record([{ kind: 'settle', upTo: 1 }])
      await folder.close()
      await rm(join(path, 'db'), { recursive: true })
      await rename(join(root, 'while-open'), join(path, 'db'))
      await rm(join(path, 'rejoin.count'))
      expect(await isCopy(path, 'one')).toEqual([true, 0, true])
    }))
})
