// Snapshots that travel packed arrive as they were; what does not inflate to what it says closes its connection.
import { deflateSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { DownMessage } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { memoryConnection, webSocketDialer } from '../src/index.ts'
import * as browser from '../src/zlib-browser.ts'
import * as node from '../src/zlib-node.ts'
import { Arrivals, ack, hello, never, serve } from './fixtures.ts'

const cursor = { epoch: 7, seq: 300, tag: '0123456789abcdef' }
const text = new TextEncoder().encode('what is said again and again, '.repeat(2_000))
const packed = deflateSync(text)

function snapshot(bytes: Uint8Array, inflatesTo: number): DownMessage {
  return { type: 'Snapshot', cursor, snapshot: Uint8Array.from(bytes), inflatesTo }
}

async function greeted() {
  const arrivals = new Arrivals()
  const connection = memoryConnection({ clock: new VirtualClock(1), accept: arrivals.accept })
  const replica = connection.open()
  replica.send(hello())
  const hub = await arrivals.next()
  const greeting = await hub.receive()
  return { connection, replica, hub, greeting }
}

test('the codec of a replica offers to read them, whatever its engine knows; not where no network is between', async () => {
  expect((await greeted()).greeting).toMatchObject({ type: 'Hello', capabilities: ['delta'] })
  const arrivals = new Arrivals()
  const clock = new VirtualClock(1)
  const server = await serve({ accept: arrivals.accept, clock })
  const dialer = webSocketDialer({ url: server.url, clock })
  const replica = await dialer.dial(never())
  replica.send(hello())
  const hub = await arrivals.next()
  expect(await hub.receive()).toMatchObject({ type: 'Hello', capabilities: ['delta', 'zlib'] })
  replica.close()
  await dialer.close()
  await server.close()
})

test('a packed snapshot arrives as it was, in its place among the others, and as little passes as it is packed', async () => {
  const { replica, hub } = await greeted()
  hub.send(ack(1))
  hub.send(snapshot(packed, text.length))
  hub.send(ack(2))
  expect(await replica.receive()).toEqual(ack(1))
  expect(await replica.receive()).toEqual({ type: 'Snapshot', cursor, snapshot: text })
  expect(await replica.receive()).toEqual(ack(2))
  expect(replica.bill.bytesDown).toBeLessThan(text.length / 50)
})

test.each([
  ['inflates to more than it says', packed, text.length - 1],
  ['inflates to less than it says', packed, text.length + 1],
  ['is a bomb of a gibibyte', deflateSync(Buffer.alloc(2 ** 26)), 1_000],
  ['is cut', packed.subarray(0, packed.length - 5), text.length],
  [
    'is altered',
    Uint8Array.from(packed, (byte, i) => (i === packed.length - 1 ? byte ^ 1 : byte)),
    text.length,
  ],
  ['is none', Uint8Array.of(1, 2, 3), 3],
])('one that %s closes its connection', async (_, bytes, inflatesTo) => {
  const { replica, hub } = await greeted()
  hub.send(snapshot(bytes, inflatesTo))
  hub.send(ack(1))
  expect(await replica.receive()).toBe(null)
  expect(await replica.closed).toMatchObject({ code: 'MESSAGE_MALFORMED' })
})

describe.each([
  ['Node', node],
  ['a browser', browser],
])('as %s reads it', (_, { canInflate, inflated }) => {
  test('bytes come back, and never more than allowed', async () => {
    expect(canInflate).toBe(true)
    expect(await inflated(packed, text.length)).toEqual(text)
    await expect(inflated(packed, text.length - 1)).rejects.toThrow(/larger than|more than/)
    await expect(inflated(Uint8Array.of(1, 2, 3), 100)).rejects.toThrow(/incorrect header/)
    expect(await inflated(await node.deflated(text), text.length)).toEqual(text)
  })
})
