// Copies and backups of folders: told apart, and nothing acknowledged disappears.
import { cp } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { rejoin, rejoinJson, samplePack, withFolder, withHub } from '../support/command.ts'

const support = (data: string): string[] => ['--data', data, '--namespace', 'support']
const named = (name: string): string => JSON.stringify({ type: 'NamespaceMetadataUpdated', edit: { name } })

test('[3] of two copies of one replica, the second to sync is told so and keeps what it has', async () => {
  await withFolder(async (folder) => {
    const [original, copy] = [path.join(folder, 'original'), path.join(folder, 'copy')]
    await withHub(path.join(folder, 'hub'), async (url) => {
      const sync = (data: string): string[] => ['sync', ...support(data), '--hub', url]
      await rejoinJson(['import', ...support(original), samplePack])
      await rejoinJson(sync(original))
      await cp(original, copy, { recursive: true })
      await rejoinJson(['apply', ...support(original)], named('by the original'))
      await rejoinJson(
        ['apply', ...support(copy)],
        [named('by the copy'), named('by the copy again')].join('\n'),
      )
      expect(await rejoinJson(sync(original))).toMatchObject({ pushed: 1 })
      for (let attempt = 0; attempt < 2; attempt++) {
        const { code, stderr } = await rejoin(sync(copy))
        expect(code).toBe(1)
        expect(stderr).toContain('[REPLICA_TAKEN]')
      }
      expect(await rejoinJson(['status', ...support(copy)])).toMatchObject({
        pending: 2,
        lastError: { code: 'REPLICA_TAKEN' },
      })
      expect(await rejoinJson(sync(original))).toMatchObject({ pulled: 0, path: 'live' })
    })
    const log: unknown[] = await rejoinJson(['log', '--data', path.join(folder, 'hub')])
    expect(log).toHaveLength(2)
  })
})

test('[3] a hub restored from an older backup does not take back what its replicas know to be acknowledged', async () => {
  await withFolder(async (folder) => {
    const [laptop, hub, backup] = ['laptop', 'hub', 'backup'].map((name) => path.join(folder, name))
    if (laptop === undefined || hub === undefined || backup === undefined) throw new Error('three folders')
    await rejoinJson(['import', ...support(laptop), samplePack])
    await withHub(hub, (url) => rejoinJson(['sync', ...support(laptop), '--hub', url]))
    await cp(hub, backup, { recursive: true })
    await rejoinJson(['apply', ...support(laptop)], named('after the backup'))
    await withHub(hub, (url) => rejoinJson(['sync', ...support(laptop), '--hub', url]))
    const before = await rejoinJson(['digest', ...support(laptop)])
    for (const rebuilt of [false, true]) {
      if (rebuilt) await rejoinJson(['rebuild', '--data', backup, '--all'])
      const { code, stderr } = await withHub(backup, (url) =>
        rejoin(['sync', ...support(laptop), '--hub', url]),
      )
      expect(code).toBe(1)
      expect(stderr).toContain('[HISTORY_DIVERGED]')
      expect(await rejoinJson(['digest', ...support(laptop)])).toEqual(before)
    }
  })
})
