// What coming back costs on a real socket, every byte of the WebSocket's frames counted.
import { MapReplicaStore } from '@rejoin/testkit'
import { expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { countingWire } from './proxies.ts'
import { idsIn, intent, withWorld } from './world.ts'

test('reconnecting with nothing missed moves at most 100 bytes each way, also after 1,000 commits', async () => {
  await withWorld(async (world) => {
    const wire = await countingWire(world.url)
    const kept = new MapReplicaStore()
    const first = await world.replica('support', kept)
    for (let i = 0; i < 1_000; i++) first.apply(intent(`greeting-${i}`))
    await first.syncOnce(world.socket())
    await first.close()
    const replica = await world.replica('support', kept)
    const report = await replica.syncOnce(world.socket(wire.url))
    expect(report).toMatchObject({ path: 'live', pulled: 0, pushed: 0 })
    expect(report.paths).toEqual({
      live: { times: 1, ms: expect.any(Number), bytesUp: expect.any(Number), bytesDown: report.bytesDown },
    })
    // With the goodbye and the closing of the socket.
    expect(wire.bytes.up).toBeLessThanOrEqual(100)
    expect(wire.bytes.down).toBeLessThanOrEqual(100)
    await wire.close()
  })
})

test('and by HTTP, in the bodies of request and answer', async () => {
  await withWorld(async (world) => {
    const replica = await world.replica()
    replica.apply(intent('greet'))
    await replica.syncOnce(world.http())
    const report = await replica.syncOnce(world.http())
    expect(report).toMatchObject({ path: 'live', pulled: 0, pushed: 0 })
    expect(report.bytesUp).toBeLessThanOrEqual(100)
    expect(report.bytesDown).toBeLessThanOrEqual(100)
    expect(report.paths.live).toMatchObject({ times: 1, bytesUp: report.bytesUp })
  })
})

test('both sides count the same for a path, and the sum over paths never exceeds the bill', async () => {
  await withWorld(async (world) => {
    const [writer, reader] = [await world.replica(), await world.replica()]
    writer.apply(intent('a'))
    await writer.syncOnce(world.socket())
    await reader.syncOnce(world.socket())
    writer.apply(intent('b'))
    await writer.syncOnce(world.socket())
    const report = await reader.syncOnce(world.socket())
    expect(report.path).toBe('tail')
    expect(idsIn(reader)).toEqual(['a', 'b'])
    await until('the hub has counted', () => world.hub.metrics().paths.tail?.times === 2)
    expect(report.paths.tail?.bytesDown).toBeLessThanOrEqual(report.bytesDown)
    const { unknown, tail, live } = world.hub.metrics().paths
    expect([unknown?.times, tail?.times, live?.times]).toEqual([1, 2, 1])
  })
})
