/** Logs that lost something are told so before anybody is served, whoever opened the folder first, and whatever is damaged. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Level } from 'level'
import {
  intents,
  openClient,
  repairFolder,
  restoreBackup,
  startHub,
  verifyFolder,
  type RunningHub,
} from 'rejoin'
import { expect, test } from 'vitest'

const added = (id: string) => ({ type: 'IntentAdded', id, phrasesByLang: {} }) as const
/** A log that was told goes on behind every seq that it may have lost. */
const toldFrom = 2 ** 32

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-told-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function write(data: string, hub: RunningHub, ids: readonly string[]): Promise<void> {
  const client = await openClient({ data, hub: hub.url })
  try {
    const replica = await client.open(intents, 'support')
    for (const id of ids) await replica.apply(added(id)).acked
  } finally {
    await client.close()
  }
}

test.each(['verify', 'nobody'])(
  '[8] what went with the power is told at the hub’s start, though %s looked first',
  (who) =>
    withFolder(async (folder) => {
      const [data, phone, after] = ['hub', 'phone', 'after'].map((name) => path.join(folder, name)) as [
        string,
        string,
        string,
      ]
      const hub = await startHub({ data, domains: [intents], port: 0, sync: 'never' })
      await write(phone, hub, ['kept'])
      await cp(path.join(data, 'db'), path.join(folder, 'synced'), { recursive: true })
      await write(phone, hub, ['lost', 'gone', 'missing'])
      await cp(data, after, { recursive: true, filter: (source) => !/rejoin\.(run|sock)/.test(source) })
      await hub.close()
      await rm(path.join(after, 'db'), { recursive: true })
      await cp(path.join(folder, 'synced'), path.join(after, 'db'), { recursive: true })
      if (who === 'verify') await verifyFolder(after)
      const warnings: string[] = []
      const log = (event: object): void => {
        if ('level' in event && event.level === 'warn' && 'message' in event)
          warnings.push(String(event.message))
      }
      const heads: number[] = []
      for (let start = 0; start < 2; start++) {
        const again = await startHub({ data: after, domains: [intents], port: 0, sync: 'never', log })
        heads.push((await again.verify('support')).head)
        await again.close()
      }
      expect(heads[0]).toBeGreaterThan(toldFrom)
      // Once is enough.
      expect(heads[1]).toBe(heads[0])
      expect(
        warnings.filter((text) => text.startsWith('support may have lost the end of its log')),
      ).toHaveLength(1)
    }),
)

test('[8] a log that was damaged in the backup is told that it was restored when it is repaired', () =>
  withFolder(async (folder) => {
    const [data, backup, place] = ['hub', 'backup', 'place'].map((name) => path.join(folder, name)) as [
      string,
      string,
      string,
    ]
    const hub = await startHub({ data, domains: [intents], port: 0 })
    await write(path.join(folder, 'phone'), hub, ['kept'])
    await hub.checkpoint('support')
    await hub.backup(backup)
    await hub.close()
    const database = new Level<string, Uint8Array>(path.join(backup, 'db'), { valueEncoding: 'view' })
    const key = (await database.keys({ gt: 'hub!marks!', lt: 'hub!marks!~' }).all()).at(-1) ?? ''
    const value = Uint8Array.from((await database.get(key)) ?? [])
    value.set([(value.at(-1) ?? 0) ^ 1], value.length - 1)
    await database.put(key, value)
    await database.close()
    expect((await restoreBackup(backup, place)).damaged).toMatchObject([{ namespace: 'support' }])
    const [repaired] = (await repairFolder(place)).namespaces
    expect(repaired).toMatchObject({ namespace: 'support', outcome: 'repaired' })
    expect(repaired?.verified).toHaveProperty(
      'head',
      expect.toSatisfy((head: number) => head > toldFrom),
    )
  }))
