// [14] Bounds of sockets that Node and `ws` keep for us: that they are set, and to what.
import { connect, type Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { afterEach, describe, expect, test, vi } from 'vitest'
import * as ws from 'ws'
import { limits } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { serveHub, type HubServer } from '@rejoin/transport/server'
import { socketOptions } from '../../packages/transport/src/websocket-node.ts'
import { within } from '../support/until.ts'

/** Those that only a whole machine or much time could reach: here they are moved. */
const moved = vi.hoisted(() => ({ socketsMax: 3, requestHeadMsMax: 200, requestMsMax: 400 }))
vi.mock('@rejoin/core', async (importOriginal) => {
  const core = await importOriginal<typeof import('@rejoin/core')>()
  return { ...core, limits: { ...core.limits, ...moved } }
})

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function serve(): Promise<HubServer> {
  const clock = new VirtualClock(1)
  const server = await serveHub({ accept: (channel) => channel.close(), host: '127.0.0.1', port: 0, clock })
  closing.push(() => server.close())
  return server
}

class Caller {
  readonly closed: Promise<void>
  readonly #socket: Socket
  #received = ''
  #heard: () => void = () => {}

  constructor({ url }: HubServer) {
    this.#socket = connect(Number(new URL(url).port), '127.0.0.1')
    closing.push(() => this.leave())
    this.#socket.on('error', () => {})
    this.closed = new Promise((resolve) => this.#socket.once('close', () => resolve()))
    this.#socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1')
      this.#heard()
    })
    this.#socket.once('close', () => this.#heard())
  }

  say(text: string): this {
    this.#socket.write(text)
    return this
  }

  /** The status of the answer; 0 where the connection ended without one. */
  async status(): Promise<number> {
    const answered = (async () => {
      while (!this.#received.includes('\r\n\r\n') && !this.#socket.closed)
        await new Promise<void>((resolve) => (this.#heard = resolve))
    })()
    await within('an answer', answered)
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(this.#received)?.[1] ?? 0)
  }

  leave(): Promise<void> {
    this.#socket.destroy()
    return this.closed
  }
}

const healthz = 'GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n'

describe('a hub', () => {
  test('[14] takes one connection below its bound and one at it, and none above until one has left', async () => {
    const server = await serve()
    const callers = Array.from({ length: limits.socketsMax }, () => new Caller(server).say(healthz))
    for (const caller of callers) expect(await caller.status()).toBe(200)
    const above = new Caller(server).say(healthz)
    expect(await above.status()).toBe(0)
    await callers[0]?.leave()
    // Its place is free once the hub has heard of it, which it says by taking somebody again.
    let status = 0
    for (let tries = 0; status === 0 && tries < 100; tries++)
      status = await new Caller(server).say(healthz).status()
    expect(status).toBe(200)
  })

  test.each([
    ['a head', 'POST /v1/sync HTTP/1.1\r\nhost: a\r\ncontent-le'],
    [
      'a body',
      'POST /v1/sync HTTP/1.1\r\nhost: a\r\norigin: http://localhost\r\ncontent-length: 10\r\n\r\nhalf',
    ],
  ])('[14] lets go of %s that never comes whole', async (_, half) => {
    const server = await serve()
    const slow = new Caller(server).say(half)
    await within('it is let go', slow.closed)
    expect([408, 400, 0]).toContain(await slow.status())
    expect(await new Caller(server).say(healthz).status()).toBe(200)
  })
})

/** What `ws` reads frames with, which its types leave out. */
const Receiver = Reflect.get(ws, 'Receiver') as new (options: object) => Writable

/** How a receiver of `ws` with our options takes what it is given: the code of its fault, or null. */
async function taken(chunks: Iterable<Uint8Array>): Promise<string | null> {
  const receiver = new Receiver({ ...socketOptions, isServer: true })
  let code: string | null = null
  receiver.on('error', (error: Error & { code?: string }) => (code = error.code ?? 'none'))
  for (const chunk of chunks) receiver.write(chunk)
  await new Promise((resolve) => setImmediate(resolve))
  return code
}

/** Masked, its mask zeros. */
function* fragments(count: number): Iterable<Uint8Array> {
  for (let i = 0; i < count; i++) {
    const isLast = i === count - 1
    yield Buffer.from([(isLast ? 0x80 : 0) | (i === 0 ? 2 : 0), 0x81, 0, 0, 0, 0, 7])
  }
}

/** A frame whose payload comes in so many pieces of one byte. */
function* crumbs(count: number): Iterable<Uint8Array> {
  const head = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  head.writeUInt32BE(count + 1, 6)
  yield head
  for (let i = 0; i < count; i++) yield Buffer.of(1)
}

describe('a WebSocket', () => {
  test('[14] takes a message in so many fragments and no more', async () => {
    const max = limits.socketFragmentsMax
    const each = [max - 1, max, max + 1].map((count) => taken(fragments(count)))
    expect(await Promise.all(each)).toEqual([null, null, 'WS_ERR_TOO_MANY_BUFFERED_PARTS'])
  })

  test('[14] keeps so many pieces of the network’s own and no more', async () => {
    const max = limits.socketChunksMax
    const each = [max - 1, max, max + 1].map((count) => taken(crumbs(count)))
    expect(await Promise.all(each)).toEqual([null, null, 'WS_ERR_TOO_MANY_BUFFERED_PARTS'])
  })

  test('[14] has the bounds that the limits name', () => {
    expect(socketOptions).toEqual({
      maxPayload: limits.frameBytesMax,
      perMessageDeflate: false,
      maxFragments: limits.socketFragmentsMax,
      maxBufferedChunks: limits.socketChunksMax,
      maxPendingAutoPongs: limits.socketPongsMax,
    })
  })
})
