// A plain client that does not read: what waits for it is bounded, it goes on from the log, and nobody else waits for it.
import { expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import * as Y from 'yjs'
import { limits } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openHub } from '@rejoin/hub'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { serveHub } from '@rejoin/transport/server'
import { anyone } from 'rejoin'
import { todo } from '@rejoin/examples/todo'
import { until } from '../support/until.ts'
import { RawClient } from './raw-client.ts'
import { withPlainWorld, type Page } from './world.ts'

const MiB = 2 ** 20

test.each([
  ['goes on where it was', { retention: { bytes: 100 * MiB } }],
  ['is sent away, and comes again by itself, where the log does not reach back so far', {}],
])(
  '[14] one that stops reading for a while %s, and gets all of it',
  async (_, options) => {
    await withPlainWorld(async (world) => {
      const native = await world.native()
      await native.apply({ type: 'ListAdded', id: 'l', title: 'L' }).acked
      const [slow, bystander] = [world.page(), world.page()]
      await slow.synced()
      await bystander.synced()
      const socket = slow.provider.ws as unknown as WebSocket
      socket.pause()
      const text = 'x'.repeat(100_000)
      for (let i = 0; i < 300; i++)
        await native.apply({ type: 'ItemDone', list: 'l', item: `i${i % 50}`, text: `${i} ${text}` }).acked
      const last = (page: Page): boolean =>
        page.todo.tables.items.get(['l', 'i49'])?.text.startsWith('299 ') === true
      await until('the bystander has all', () => last(bystander))
      expect(last(slow)).toBe(false)
      socket.resume()
      await until('it has all', () => last(slow))
      await native.apply({ type: 'ListAdded', id: 'last', title: 'last' }).acked
      await until('it is live', () => 'last' in slow.titles)
      expect(slow.provider.ws === (socket as unknown)).toBe('retention' in options)
      expect(slow.closed).toEqual([])
    }, options)
  },
  120_000,
)

test('a provider hears something at every heartbeat, and one that answers no ping is gone', async () => {
  const clock = new VirtualClock(1)
  const hub = openHub({ store: new MapHubStore(), updates: yjsCrdt.updates, domains: [todo], clock })
  const server = await serveHub({
    accept: (channel) => void hub.accept(channel, anyone),
    acceptPlain: (channel, request) => void hub.acceptPlain(channel, request, anyone),
    host: '127.0.0.1',
    port: 0,
    clock,
  })
  try {
    const steady = await (await RawClient.open(server.url)).greet(new Y.Doc())
    const mute = await RawClient.open(server.url)
    mute.step1(Uint8Array.of(0))
    await until('the hub has asked', () => mute.of('step1').length > 0)
    mute.socket.pause()
    for (let beat = 1; beat <= 3; beat++) {
      let pongs = 0
      steady.socket.once('ping', () => pongs++)
      clock.advance(limits.heartbeatMs)
      await until('it beats', () => steady.of('awareness').length === beat && pongs === 1)
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (const heard of steady.of('awareness'))
      expect(heard.type === 'awareness' && [...heard.bytes]).toEqual([0])
    mute.socket.resume()
    await mute.whenClosed()
    expect(steady.closed).toBe(null)
    const late = await RawClient.open(server.url)
    clock.advance(limits.answerMsMax)
    expect((await late.whenClosed()).reason).toMatch(/^TIMED_OUT/)
    steady.socket.close()
  } finally {
    const closed = server.close()
    clock.advance(10_000)
    await closed
    await hub.close()
  }
}, 60_000)
