// Copies and backups of folders: told apart, and nothing acknowledged disappears.
import { cp } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { rejoin, rejoinJson, samplePack, withFolder, withHub } from '../support/command.ts'

const support = (data: string): string[] => ['--data', data, '--namespace', 'support']
const named = (name: string): string => JSON.stringify({ type: 'NamespaceMetadataUpdated', edit: { name } })

test('[3] [4] [5] [26] of two copies of one replica both go on, with what waited in both in the log once', async () => {
  await withFolder(async (folder) => {
    const [original, copy] = [path.join(folder, 'original'), path.join(folder, 'copy')]
    await withHub(path.join(folder, 'hub'), async (url) => {
      const sync = (data: string): string[] => ['sync', ...support(data), '--hub', url]
      await rejoinJson(['import', ...support(original), samplePack])
      await rejoinJson(sync(original))
      await rejoinJson(['apply', ...support(original)], named('before the copy'))
      await cp(original, copy, { recursive: true })
      await rejoinJson(['apply', ...support(original)], named('by the original'))
      await rejoinJson(
        ['apply', ...support(copy)],
        [named('by the copy'), named('by the copy again')].join('\n'),
      )
      expect(await rejoinJson(sync(original))).toMatchObject({ pushed: 2 })
      // What waited is there, by the original.
      expect(await rejoinJson(sync(copy))).toMatchObject({ pushed: 2 })
      expect(await rejoinJson(['status', ...support(copy)])).toMatchObject({
        pending: 0,
        rejected: 0,
        lastError: null,
      })
      expect(await rejoinJson(sync(original))).toMatchObject({ pulled: 2, path: 'tail' })
      expect(await rejoinJson(['digest', ...support(original)])).toEqual(
        await rejoinJson(['digest', ...support(copy)]),
      )
    })
    const log: unknown[] = await rejoinJson(['log', '--data', path.join(folder, 'hub')])
    expect(log).toHaveLength(5)
  })
})

test('[3][25] a hub restored from an older backup gets back what its replicas know to be acknowledged', async () => {
  await withFolder(async (folder) => {
    const { laptop, backup } = await restored(folder)
    const before = await rejoinJson(['digest', ...support(laptop)])
    const report = await withHub(backup, (url) => rejoinJson(['sync', ...support(laptop), '--hub', url]))
    expect(report).toMatchObject({ path: 'heal', pushed: 0 })
    expect(await rejoinJson(['digest', ...support(laptop)])).toEqual(before)
    const phone = path.join(folder, 'phone')
    await withHub(backup, (url) => rejoinJson(['sync', ...support(phone), '--hub', url]))
    expect(await rejoinJson(['digest', ...support(phone)])).toEqual(before)
  })
})

test('[3][25] one that was restored and rebuilt refuses to take it back, and changes nothing', async () => {
  await withFolder(async (folder) => {
    const { laptop, backup } = await restored(folder)
    const before = await rejoinJson(['digest', ...support(laptop)])
    await rejoinJson(['rebuild', '--data', backup, '--all'])
    const { code, stderr } = await withHub(backup, (url) =>
      rejoin(['sync', ...support(laptop), '--hub', url]),
    )
    expect(code).toBe(1)
    expect(stderr).toContain('[HISTORY_DIVERGED]')
    expect(await rejoinJson(['digest', ...support(laptop)])).toEqual(before)
  })
})

/** A replica whose newest commit was acknowledged after the backup of the hub was made. */
async function restored(folder: string): Promise<{ laptop: string; backup: string }> {
  const [laptop, hub, backup] = ['laptop', 'hub', 'backup'].map((name) => path.join(folder, name))
  if (laptop === undefined || hub === undefined || backup === undefined) throw new Error('three folders')
  await rejoinJson(['import', ...support(laptop), samplePack])
  await withHub(hub, (url) => rejoinJson(['sync', ...support(laptop), '--hub', url]))
  await cp(hub, backup, { recursive: true })
  await rejoinJson(['apply', ...support(laptop)], named('after the backup'))
  await withHub(hub, (url) => rejoinJson(['sync', ...support(laptop), '--hub', url]))
  return { laptop, backup }
}
