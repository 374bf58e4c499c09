// Live sockets, from one end to the other: what large documents cost, and how a hub leaves.
import { limits } from '@rejoin/core'
import { MapHubStore, MapReplicaStore } from '@rejoin/testkit'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { until, within } from '../support/until.ts'
import { idsIn, intent, loggedIn, textOf, withWorld } from './world.ts'

describe('a large document', () => {
  test.each(['socket', 'http'] as const)(
    'travels packed and in fragments, by %s, and arrives as it was',
    async (way) => {
      await withWorld(async (world) => {
        const writer = await world.replica()
        // A third of a message's frame each, and alike in half of their letters.
        for (let i = 0; i < 12; i++)
          writer.apply(intent(`i${i}`, `${textOf(50_000, i)}${'again '.repeat(8_000)}`))
        await writer.syncOnce(world.socket())
        await world.hub.checkpoint('support')
        const reader = await world.replica()
        const report = await reader.syncOnce(world[way]())
        expect(report).toMatchObject({ path: 'snapshot', pulled: 0 })
        expect(report.snapshotBytes).toBeGreaterThan(1_000_000)
        expect(report.bytesDown).toBeGreaterThan(limits.frameBytesMax)
        expect(report.bytesDown).toBeLessThan(report.snapshotBytes * 0.6)
        expect(idsIn(reader)).toEqual(idsIn(writer))
        expect(reader.tables.intents.get('i3')).toEqual(writer.tables.intents.get('i3'))
        const paths = world.hub.metrics().paths
        expect(paths.snapshot).toMatchObject({ times: 1 })
        expect(report.paths.snapshot?.bytesDown).toBeLessThanOrEqual(report.bytesDown)
      })
    },
  )
})

test('no compression of the WebSocket itself is negotiated, whoever offers it', async () => {
  await withWorld(async ({ url }) => {
    const webSocket = new WebSocket(`${url.replace('http', 'ws')}/v1/live`, ['rejoin.1'], {
      perMessageDeflate: true,
    })
    await within('it opens', new Promise((resolve) => webSocket.on('open', resolve)))
    expect(webSocket.extensions).toBe('')
    webSocket.terminate()
  })
})

describe('a hub that leaves', () => {
  test('[3] finishes what it had begun, tells when to come back, and nobody loses anything', async () => {
    const [store, kept] = [new MapHubStore(), new MapReplicaStore()]
    await withWorld(
      async (world) => {
        const replica = await world.replica('support', kept, world.socket())
        replica.connect()
        await until('it is live', () => replica.status.state === 'live')
        const receipts = Array.from({ length: COMMITS }, (_, i) => replica.apply(intent(`i${i}`)))
        for (const { acked } of receipts) acked.catch(() => {})
        await receipts[0]?.acked
        const codes: (string | undefined)[] = []
        replica.onStatus(() => codes.push(replica.status.lastError?.code))
        await within('the hub stops', world.stop())
        await until('the replica hears of it', () => codes.includes('HUB_CLOSING'))
        // What was acknowledged is in the log.
        const acked = COMMITS - replica.outbox.filter(({ stage }) => stage !== 'acked').length
        expect((await loggedIn(store, 'support')).length).toBeGreaterThanOrEqual(acked)
      },
      { store },
    )
    await withWorld(
      async (world) => {
        const replica = await world.replica('support', kept)
        await replica.syncOnce(world.socket())
        expect(replica.status.pending).toBe(0)
        const logged = await loggedIn(store, 'support')
        expect(logged).toHaveLength(COMMITS)
        expect(new Set(logged).size).toBe(COMMITS)
      },
      { store },
    )
  })
})

const COMMITS = 500
