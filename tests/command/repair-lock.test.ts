// Two repairs of one folder would build in the same place and take each other's database for their own.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { intents, repairFolder, startHub } from 'rejoin'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { whileRepairing } from '@rejoin/persistence-level/node'
import { startScript } from '../support/script.ts'

let folder: string
let data: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rejoin-test-'))
  data = path.join(folder, 'hub')
  const hub = await startHub({ data, domains: [intents], port: 0 })
  await hub.close()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('a second repair of a folder is refused while the first one is at work, and leaves everything as it is', async () => {
  const before = await readdir(data)
  await whileRepairing(data, async () => {
    await expect(repairFolder(data)).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining('is being repaired by another command') as string,
    })
  })
  expect(await readdir(data)).toEqual(before)
  expect((await repairFolder(data)).namespaces).toEqual([])
})

test('one that is killed leaves nothing that keeps the next one from its work', async () => {
  const holder = startScript(path.join(import.meta.dirname, 'repairing-process.ts'), [data])
  await holder.first
  await expect(repairFolder(data)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  await holder.stop('SIGKILL')
  expect((await repairFolder(data)).namespaces).toEqual([])
  expect(await readdir(data)).not.toContain('rejoin.repairing')
})
