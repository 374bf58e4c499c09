// What synchronising costs is told on both sides, also while it goes on by itself.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { intents, openClient, startHub } from 'rejoin'
import { until } from '../support/until.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rejoin-test-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('a live replica and its hub tell what catching up and living have cost, by path', async () => {
  const hub = await startHub({ data: path.join(folder, 'hub'), domains: [intents], port: 0 })
  const client = await openClient({ data: path.join(folder, 'laptop'), hub: hub.url })
  try {
    const replica = await client.open(intents, 'support')
    await replica.apply({ type: 'IntentAdded', id: 'a', phrasesByLang: {} }).acked
    const before = replica.bill
    expect(before.paths.unknown).toMatchObject({ times: 1 })
    await replica.apply({ type: 'IntentAdded', id: 'b', phrasesByLang: {} }).acked
    // It passed live: no path has cost more.
    expect(replica.bill.paths).toEqual(before.paths)
    expect(replica.bill.bytesUp).toBeGreaterThan(before.bytesUp)
    expect(replica.bill.bytesDown).toBeGreaterThan(before.bytesDown)
    await until('its own commits are back', () => replica.status.cursor?.seq === 2)
    replica.disconnect()
    await until('it has left', () => replica.status.state === 'offline')
    replica.connect()
    await until('it is back', () => replica.bill.paths.live?.times === 1)
    await until('the hub has counted', () => hub.metrics().paths.live?.times === 1)
    expect(hub.metrics()).toMatchObject({ acks: 2, paths: { unknown: { times: 1 } } })
    expect(hub.metrics().paths.live?.bytesDown).toBe(replica.bill.paths.live?.bytesDown)
  } finally {
    await client.close()
    await hub.close()
  }
})
