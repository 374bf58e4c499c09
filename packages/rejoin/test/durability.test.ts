// Which level an answer stands for, through the default wiring; how a folder was found; and what a client could not save.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { intents, openClient, startHub, UnsavedError, type SyncChoice } from 'rejoin'

const added = (id: string) => ({ type: 'IntentAdded', id, phrasesByLang: {} }) as const

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-durability-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

test.each<[SyncChoice | undefined, string]>([
  [undefined, 'durable'],
  ['each batch', 'durable'],
  ['never', 'applied'],
  [{ everyMs: 5 }, 'applied'],
])('[3] folders with sync %j answer as %s, to the app and through the hub', async (sync, level) => {
  await withFolder(async (folder) => {
    const how = sync === undefined ? {} : { sync }
    const hub = await startHub({ data: path.join(folder, 'hub'), domains: [intents], port: 0, ...how })
    const client = await openClient({ data: path.join(folder, 'phone'), hub: hub.url, ...how })
    try {
      const replica = await client.open(intents, 'support')
      expect(replica.status).toMatchObject({ saved: level })
      const receipt = replica.apply(added('greet'))
      expect([await receipt.saved, await receipt.acked]).toEqual([level, level])
      expect(replica.status).toMatchObject({ persistence: 'ok', saved: level, acked: level })
      expect(hub.durability).toBe(level)
      for (const { found } of [hub, client])
        expect(found).toMatchObject({ isClosedInOrder: true, batchesLost: 0 })
    } finally {
      await client.close()
      await hub.close()
    }
  })
})

test.each([{ everyMs: 0 }, { everyMs: 0.5 }, { everyMs: 1e9 }, { everyMs: '5' }, 'sometimes', 7, null])(
  'sync %j is refused before a folder is made',
  async (sync) => {
    await withFolder(async (folder) => {
      const data = path.join(folder, 'data')
      const wrong = { data, domains: [intents], port: 0, sync: sync as never }
      await expect(startHub(wrong)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
      await expect(openClient(wrong)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
      // Made anew where it was not there: so it was not.
      const client = await openClient({ data })
      expect(await client.namespaces()).toEqual([])
      await client.close()
    })
  },
)

test('a folder that another process took is lost, and closing has the commits of every namespace', async () => {
  await withFolder(async (folder) => {
    const data = path.join(folder, 'phone')
    const client = await openClient({ data })
    const sales = await client.open(intents, 'sales')
    const support = await client.open(intents, 'support')
    await sales.apply(added('kept')).saved
    // What a process that takes the folder over does to it.
    await rm(path.join(data, 'rejoin.lease'))
    const lost = [sales.apply(added('a')), support.apply(added('b')), support.apply(added('c'))]
    for (const { saved } of lost) await expect(saved).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    expect(support.status.persistence).toMatchObject({ state: 'lost', cause: { code: 'STORE_LOCKED' } })
    expect(support.tables.intents.get('c')).toBeDefined()
    const error: unknown = await client.close().catch((cause: unknown) => cause)
    if (!(error instanceof UnsavedError)) throw new Error(`not an UnsavedError: ${String(error)}`)
    expect(error.code).toBe('STORE_LOCKED')
    expect(error.commits.map(({ id }) => id)).toEqual(lost.map(({ id }) => id))
    for (const { id } of lost) expect(error.message).toContain(`${id?.replica}:${id?.counter} (IntentAdded)`)
    // The folder is given up all the same.
    const again = await openClient({ data })
    const kept = await again.open(intents, 'sales')
    expect(kept.tables.intents.has('a')).toBe(false)
    expect(kept.tables.intents.has('kept')).toBe(true)
    await again.close()
  })
})
