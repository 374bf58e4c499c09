// One-shot exchanges over HTTP, also through a proxy that buffers whole bodies; and changing between HTTP and live sockets.
import type { Dial } from '@rejoin/core'
import { MapHubStore, MapReplicaStore } from '@rejoin/testkit'
import { httpBatch } from '@rejoin/transport'
import { systemClock } from 'rejoin'
import { describe, expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { bufferingProxy } from './proxies.ts'
import { idsIn, intent, loggedIn, textOf, withWorld, type World } from './world.ts'

async function throughProxy(
  use: (world: World, url: string, requests: { bytesUp: number }[]) => Promise<void>,
) {
  await withWorld(async (world) => {
    const proxy = await bufferingProxy(world.url)
    try {
      await use(world, proxy.url, proxy.requests)
    } finally {
      await proxy.close()
    }
  })
}

describe('through a proxy that buffers', () => {
  test('two replicas exchange what they wrote, one request each time', async () => {
    await throughProxy(async (world, url, requests) => {
      const [ada, bob] = [await world.replica(), await world.replica()]
      ada.apply(intent('a'))
      bob.apply(intent('b'))
      expect(await ada.syncOnce(world.http(url))).toMatchObject({ pushed: 1, path: 'unknown' })
      // Of what came meanwhile.
      expect(await bob.syncOnce(world.http(url))).toMatchObject({ pushed: 1, applied: 1 })
      expect(await ada.syncOnce(world.http(url))).toMatchObject({ pushed: 0, applied: 1, path: 'tail' })
      expect(idsIn(ada)).toEqual(['a', 'b'])
      expect(idsIn(bob)).toEqual(['a', 'b'])
      expect(requests.length).toBeLessThanOrEqual(4)
    })
  })

  test('a document larger than any frame, and an outbox of hundreds of commits, in one exchange', async () => {
    await throughProxy(async (world, url) => {
      const [writer, reader] = [await world.replica(), await world.replica()]
      for (let i = 0; i < 300; i++) writer.apply(intent(`i${i}`, textOf(3_000, i)))
      expect(await writer.syncOnce(world.http(url))).toMatchObject({ pushed: 300 })
      await world.hub.checkpoint('support')
      const report = await reader.syncOnce(world.http(url))
      expect(report).toMatchObject({ path: 'snapshot' })
      expect(idsIn(reader)).toHaveLength(300)
      expect(writer.status.pending).toBe(0)
      expect(new Set(await loggedIn(world.store, 'support')).size).toBe(300)
    })
  })

  test('a batch of namespaces in one request, each with its own answer', async () => {
    await throughProxy(async (world, url, requests) => {
      const names = ['first', 'second', 'third']
      const replicas = await Promise.all(names.map((name) => world.replica(name)))
      replicas.forEach((replica, i) => replica.apply(intent(`of-${names[i]}`)))
      const batch = httpBatch({ url, clock: systemClock })
      let dialled = 0
      const dial: Dial = async (signal) => {
        const channel = await batch.dial(signal)
        dialled++
        return channel
      }
      const reports = Promise.all(replicas.map((replica) => replica.syncOnce(dial)))
      await until('every replica has dialled', () => dialled === names.length)
      await batch.send()
      expect(await reports).toMatchObject(names.map(() => ({ pushed: 1, path: 'unknown' })))
      expect(requests).toHaveLength(1)
      for (const name of names) expect(await loggedIn(world.store, name)).toHaveLength(1)
    })
  })
})

test('nothing of an exchange stays on the hub: the next one may reach another over the same store', async () => {
  const [store, kept] = [new MapHubStore(), new MapReplicaStore()]
  for (const id of ['a', 'b', 'c']) {
    await withWorld(
      async (world) => {
        const replica = await world.replica('support', kept)
        replica.apply(intent(id))
        expect(await replica.syncOnce(world.http())).toMatchObject({ pushed: 1 })
        await until('the hub holds no session', () => world.hub.metrics().sessions === 0)
        expect(replica.status.pending).toBe(0)
        await replica.close()
      },
      { store },
    )
  }
  expect(await loggedIn(store, 'support')).toHaveLength(3)
})

test('[4] [6] changing between HTTP and a live socket keeps cursor and outbox', async () => {
  await withWorld(async (world) => {
    const kept = new MapReplicaStore()
    const other = await world.replica()
    let seq = 0
    for (const [i, way] of (['http', 'socket', 'http', 'socket'] as const).entries()) {
      const replica = await world.replica('support', kept)
      expect(replica.status.cursor?.seq ?? 0).toBe(seq)
      replica.apply(intent(`mine-${i}`))
      other.apply(intent(`other-${i}`))
      await other.syncOnce(world.http())
      const report = await replica.syncOnce(world[way]())
      expect(report).toMatchObject({ pushed: 1, applied: 1, path: 'tail' })
      expect(replica.status.pending).toBe(0)
      expect(replica.status.cursor?.seq ?? 0).toBeGreaterThan(seq)
      seq = replica.status.cursor?.seq ?? 0
      await replica.close()
    }
    await other.syncOnce(world.socket())
    expect(idsIn(other)).toHaveLength(8)
    const logged = await loggedIn(world.store, 'support')
    expect(logged).toHaveLength(8)
    expect(new Set(logged).size).toBe(8)
  })
})

test('a live replica exchanges by HTTP too, where its socket is gone', async () => {
  await withWorld(async (world) => {
    const replica = await world.replica('support', new MapReplicaStore(), world.socket())
    replica.connect()
    await until('it is live', () => replica.status.state === 'live')
    await replica.apply(intent('live')).acked
    replica.disconnect()
    await until('it has left', () => replica.status.state !== 'live')
    replica.apply(intent('by-http'))
    expect(await replica.syncOnce(world.http())).toMatchObject({ pushed: 1 })
    replica.connect()
    await until('it is live again', () => replica.status.state === 'live')
    await replica.apply(intent('live-again')).acked
    expect(await loggedIn(world.store, 'support')).toHaveLength(3)
  })
})

test('health and readiness are told, the second until the hub leaves', async () => {
  await withWorld(async (world) => {
    for (const path of ['healthz', 'readyz']) {
      const response = await fetch(new URL(path, world.url))
      expect(response.status).toBe(200)
      await response.body?.cancel()
    }
    await world.stop()
    await expect(fetch(new URL('healthz', world.url))).rejects.toThrow('fetch failed')
  })
})
