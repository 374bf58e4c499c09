// A real server on loopback with real sockets: who may come in, who is thrown out, and how it ends.
import { createServer, connect as connectTcp, type AddressInfo, type Socket as TcpSocket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { limits, type ReplicaChannel } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { prefixed } from '../src/frame-stream.ts'
import { encodeFrame } from '../src/frames.ts'
import {
  encodeUp,
  httpDialer,
  webSocketDialer,
  type Dialer,
  type WebSocketDialerOptions,
} from '../src/index.ts'
import type { HubServer, ServeHubOptions } from '../src/server.ts'
import { Arrivals, hello, never, serve as serveWith } from './fixtures.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function serve(options: Partial<ServeHubOptions<string>> = {}): Promise<HubServer> {
  const server = await serveWith(options)
  closing.push(() => server.close())
  return server
}

function dialer(url: string, options: Partial<WebSocketDialerOptions> = {}): Dialer {
  const made = webSocketDialer({ url, clock: new VirtualClock(2), ...options })
  closing.push(() => made.close())
  return made
}

/** A WebSocket in the test's own hands. */
async function rawSocket(url: string, options: WebSocket.ClientOptions = {}): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/live`, ['rejoin.1'], options)
  closing.push(async () => socket.terminate())
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  socket.on('error', () => {})
  return socket
}

function closeOf(socket: WebSocket): Promise<{ status: number; text: string }> {
  return new Promise((resolve) =>
    socket.once('close', (status, text) => resolve({ status, text: text.toString() })),
  )
}

/** One message and its acknowledgement. */
async function exchanges(channel: ReplicaChannel): Promise<void> {
  channel.send(hello())
  expect((await channel.receive())?.type).toBe('Ack')
}

function frame(payload: Uint8Array): Uint8Array {
  return encodeFrame({ kind: 'whole', channel: 1, payload })
}

describe('[14] hostile bytes close that one connection with a reason and leave everyone else served', () => {
  // No text: `ws` itself refused before it had taken the bytes in.
  const attacks: [string, (socket: WebSocket) => void, { status: number; text?: RegExp }][] = [
    ['random bytes', (socket) => socket.send(randomBytes(500)), { status: 1008, text: /^MESSAGE_/ }],
    [
      'a truncated message',
      (socket) => socket.send(frame(encodeUp(hello()).subarray(0, 20))),
      { status: 1008, text: /^MESSAGE_MALFORMED: / },
    ],
    [
      'an empty frame',
      (socket) => socket.send(new Uint8Array()),
      { status: 1008, text: /^MESSAGE_MALFORMED: / },
    ],
    ['text', (socket) => socket.send('hello'), { status: 1003, text: /^MESSAGE_MALFORMED: / }],
    [
      'an oversized frame',
      (socket) => socket.send(new Uint8Array(limits.frameBytesMax + 1)),
      { status: 1009, text: /^$/ },
    ],
    ['64 MiB', (socket) => socket.send(new Uint8Array(64 * 1024 * 1024)), { status: 1009, text: /^$/ }],
    [
      'an oversized message in fragments',
      (socket) =>
        socket.send(Uint8Array.from([1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, ...Array<number>(8).fill(0)])),
      { status: 1009, text: /^MESSAGE_TOO_LARGE: / },
    ],
  ]

  test.each(attacks)('%s', async (_, attack, expected) => {
    const server = await serve()
    const bystander = await dialer(server.url).dial(never())
    await exchanges(bystander)
    const attacker = await rawSocket(server.url)
    const closed = closeOf(attacker)
    attack(attacker)
    const { status, text } = await closed
    expect(status).toBe(expected.status)
    expect(text).toMatch(expected.text ?? /^/)
    await exchanges(bystander)
  })

  test('100,000 tiny fragments of a WebSocket message', async () => {
    const server = await serve()
    const bystander = await dialer(server.url).dial(never())
    const socket = await upgraded(server.url)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    const crumb = (opcode: number) => [opcode, 0x81, 0, 0, 0, 0, 1]
    socket.write(
      Uint8Array.from([...crumb(0x02), ...Array.from({ length: 100_000 }, () => crumb(0x00)).flat()]),
    )
    const received = await firstBytes(socket)
    // A close frame: policy violation (1008) or too big (1009).
    expect(received[0]).toBe(0x88)
    expect([1008, 1009]).toContain(received.readUInt16BE(2))
    socket.destroy()
    await closed
    await exchanges(bystander)
  })

  test('100,000 tiny fragments of ours', async () => {
    const server = await serve()
    const bystander = await dialer(server.url).dial(never())
    const attacker = await rawSocket(server.url)
    const closed = closeOf(attacker)
    attacker.send(
      encodeFrame({
        kind: 'first',
        channel: 1,
        total: 1_000_000,
        hash: new Uint8Array(8),
        payload: new Uint8Array(1),
      }),
    )
    for (let i = 0; i < 100_000; i++) attacker.send(Uint8Array.of(1, 2, 0))
    expect((await closed).text).toMatch(/^MESSAGE_MALFORMED: /)
    await exchanges(bystander)
  })

  test('half a handshake, and then silence, hinders nobody', async () => {
    const server = await serve()
    const socket = connectTcp(Number(new URL(server.url).port), '127.0.0.1')
    closing.push(async () => void socket.destroy())
    socket.on('error', () => {})
    socket.write('GET /v1/live HTTP/1.1\r\nhost: 127.0.0.1\r\n')
    const bystander = await dialer(server.url).dial(never())
    bystander.send(hello())
    expect((await bystander.receive())?.type).toBe('Ack')
  })
})

describe('live sockets', () => {
  test('many channels share one socket, and the last one to go closes it', async () => {
    const events: string[] = []
    let disconnected = () => {}
    const over = new Promise<void>((resolve) => (disconnected = resolve))
    const server = await serve({
      log: ({ event }) => {
        events.push(event)
        if (event === 'disconnected') disconnected()
      },
    })
    const { dial } = dialer(server.url)
    const channels = await Promise.all(Array.from({ length: 5 }, () => dial(never())))
    for (const channel of channels) await exchanges(channel)
    expect(events).toEqual(['connected'])
    for (const channel of channels) channel.close()
    await over
    expect(events).toEqual(['connected', 'disconnected'])
  })

  test('a hub that closes tells its channels, and after its restart the next dial finds it', async () => {
    const server = await serve()
    const { dial } = dialer(server.url)
    const channel = await dial(never())
    await exchanges(channel)
    await server.close()
    expect(await channel.closed).toMatchObject({ code: 'HUB_CLOSING' })
    await expect(dial(never())).rejects.toMatchObject({
      code: 'HUB_UNREACHABLE',
      message: `no hub answers at ${server.url.replace('http', 'ws')} (connection refused)`,
    })
    await serve({ port: Number(new URL(server.url).port) })
    await exchanges(await dial(never()))
  })

  test('a lost socket ends its channels with HUB_UNREACHABLE', async () => {
    const taken: TcpSocket[] = []
    const target = await serve()
    const proxy = createServer((from) => {
      taken.push(from)
      const to = connectTcp(Number(new URL(target.url).port), '127.0.0.1')
      closing.push(async () => void to.destroy())
      from
        .on('error', () => {})
        .pipe(to.on('error', () => {}))
        .pipe(from)
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    closing.push(async () => void proxy.close())
    const { dial } = dialer(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`)
    const channel = await dial(never())
    await exchanges(channel)
    for (const socket of taken) socket.destroy()
    expect((await channel.closed).code).toBe('HUB_UNREACHABLE')
    await exchanges(await dial(never()))
  })

  test('a hub that takes the connection and never answers is unreachable in time', async () => {
    const mute = createServer((socket) => closing.push(async () => void socket.destroy()))
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    closing.push(async () => void mute.close())
    const clock = new VirtualClock(3)
    const { dial } = dialer(`http://127.0.0.1:${(mute.address() as AddressInfo).port}`, { clock })
    const dialled = dial(never())
    clock.advance(limits.answerMsMax)
    await expect(dialled).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' })
  })

  test('a dial that is given up does not open a socket', async () => {
    const server = await serve()
    const { dial } = dialer(server.url)
    const giveUp = new AbortController()
    const dialled = dial(giveUp.signal)
    giveUp.abort()
    await expect(dialled).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' })
    await exchanges(await dial(never()))
  })

  test('a closed dialer dials no more', async () => {
    const server = await serve()
    const closed = webSocketDialer({ url: server.url, clock: new VirtualClock(1) })
    const channel = await closed.dial(never())
    channel.send(hello())
    await closed.close()
    expect((await channel.closed).code).toBeNull()
    await expect(closed.dial(never())).rejects.toMatchObject({ code: 'CHANNEL_CLOSED' })
  })

  test('a URL that is none is refused at once', () => {
    const clock = new VirtualClock(1)
    for (const url of ['', 'localhost:4400', 'ftp://hub', '/v1']) {
      expect(() => webSocketDialer({ url, clock })).toThrow(
        expect.objectContaining({ code: 'INPUT_INVALID' }),
      )
      expect(() => httpDialer({ url, clock })).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
    }
  })

  test('two pings without an answer close the connection', async () => {
    const clock = new VirtualClock(1)
    const server = await serve({ clock })
    const socket = await rawSocket(server.url, { autoPong: false })
    socket.send(frame(encodeUp(hello())))
    await new Promise((resolve) => socket.once('message', resolve))
    const closed = closeOf(socket)
    for (let i = 0; i < 2; i++) {
      const pinged = new Promise((resolve) => socket.once('ping', resolve))
      clock.advance(limits.heartbeatMs)
      await pinged
    }
    expect(socket.readyState).toBe(WebSocket.OPEN)
    clock.advance(limits.heartbeatMs)
    expect((await closed).text).toMatch(/TIMED_OUT|^$/)
  })

  test('pings that are answered keep it open', async () => {
    const clock = new VirtualClock(1)
    const server = await serve({ clock })
    const socket = await rawSocket(server.url)
    socket.send(frame(encodeUp(hello())))
    await new Promise((resolve) => socket.once('message', resolve))
    for (let i = 0; i < 6; i++) {
      const beaten = new Promise((resolve) => socket.once('message', resolve))
      clock.advance(limits.heartbeatMs)
      await beaten
      // The pong went out before this; its answer proves that the hub has read both.
      const answered = new Promise((resolve) => socket.once('message', resolve))
      socket.send(frame(encodeUp({ type: 'Bye' })))
      await answered
    }
    expect(socket.readyState).toBe(WebSocket.OPEN)
  })

  test('a hub that falls silent is left, two heartbeats later', async () => {
    const server = await serve()
    const clock = new VirtualClock(1)
    const channel = await dialer(server.url, { clock }).dial(never())
    await exchanges(channel)
    for (let i = 0; i < 3; i++) {
      clock.advance(limits.heartbeatMs)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await channel.closed).toMatchObject({ code: 'HUB_UNREACHABLE' })
  })

  test('a socket that opens no channel is closed', async () => {
    const clock = new VirtualClock(1)
    const server = await serve({ clock })
    const socket = await rawSocket(server.url)
    const closed = closeOf(socket)
    clock.advance(limits.answerMsMax)
    expect((await closed).text).toMatch(/^TIMED_OUT: /)
  })
})

describe('who may come in', () => {
  test('a port in use is one clear error', async () => {
    const { url } = await serve()
    const port = Number(new URL(url).port)
    await expect(serve({ port })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(`127.0.0.1:${port} is in use`),
    })
  })

  test.each(['0.0.0.0', '::', '192.0.2.7', 'hub.example'])(
    'without authentication nothing listens on %s',
    async (host) => {
      await expect(serve({ host })).rejects.toMatchObject({ code: 'FORBIDDEN' })
    },
  )

  test('an address that is not of this machine is refused', async () => {
    const authenticate = () => 'ada'
    const host = '192.0.2.7'
    await expect(serve({ host, authenticate, behindTlsProxy: true })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    })
    await expect(serve({ host, authenticate })).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('without TLS'),
    })
  })

  test.each([
    ['https://evil.example', false],
    ['null', false],
    ['http://127.0.0.1.evil.example', false],
    ['http://localhost:5173', true],
    ['http://127.0.0.1:9999', true],
    ['https://app.example', true],
  ])('a page of %s: %s', async (origin, allowed) => {
    const server = await serve({ origins: ['https://app.example'] })
    const upgrade = rawSocket(server.url, { origin })
    expect(await upgrade.then(() => true).catch(() => false)).toBe(allowed)
    const response = await fetch(`${server.url}/v1/sync`, {
      method: 'POST',
      headers: { origin },
      body: request(),
    })
    expect(response.status).toBe(allowed ? 200 : 403)
    expect(response.headers.get('access-control-allow-origin')).toBe(allowed ? origin : null)
    await response.body?.cancel()
  })

  test('a foreign name for loopback is no way in', async () => {
    const server = await serve()
    const host = `rebound.example:${new URL(server.url).port}`
    await expect(rawSocket(server.url, { origin: `http://${host}`, headers: { host } })).rejects.toThrow(
      '403',
    )
  })

  test('authentication names the principal of every channel, by WebSocket and HTTP', async () => {
    const principals: string[] = []
    const server = await serve({
      authenticate: ({ headers }) => (headers.get('authorization') === 'Bearer good' ? 'ada' : null),
      accept: (channel, principal) => {
        principals.push(principal)
        channel.close()
      },
    })
    await expect(dialer(server.url).dial(never())).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    const headers = { authorization: 'Bearer good' }
    const clock = new VirtualClock(1)
    for (const { dial } of [
      dialer(server.url, { headers }),
      httpDialer({ url: server.url, clock, headers }),
    ]) {
      const channel = await dial(never())
      channel.send(hello())
      channel.end()
      expect((await channel.closed).code).toBeNull()
    }
    expect(principals).toEqual(['ada', 'ada'])
    const refused = await httpDialer({ url: server.url, clock }).dial(never())
    refused.send(hello())
    refused.end()
    expect((await refused.closed).code).toBe('UNAUTHENTICATED')
  })

  test('an authentication that fails by itself tells nobody why', async () => {
    const faults: unknown[] = []
    const server = await serve({
      authenticate: () => {
        throw new Error('secret path')
      },
      log: (event) => void (event.event === 'fault' && faults.push(event.error)),
    })
    const headers = { authorization: 'Bearer any' }
    const response = await fetch(`${server.url}/v1/sync`, { method: 'POST', headers, body: request() })
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('secret')
    await expect(dialer(server.url, { headers }).dial(never())).rejects.toMatchObject({
      code: 'HUB_INTERNAL',
    })
    expect(faults).toHaveLength(2)
  })

  test('another subprotocol and another path are refused', async () => {
    const server = await serve()
    const open = (path: string, protocol: string) =>
      new Promise((_, reject) => {
        const socket = new WebSocket(`${server.url.replace('http', 'ws')}${path}`, [protocol])
        socket.once('error', reject)
      })
    await expect(open('/v1/live', 'rejoin.9')).rejects.toThrow('400')
    await expect(open('/v2/live', 'rejoin.1')).rejects.toThrow('400')
  })
})

describe('HTTP', () => {
  test('health and readiness', async () => {
    let ready = false
    const server = await serve({ ready: () => ready })
    expect(await (await fetch(`${server.url}/healthz`)).json()).toEqual({ status: 'ok' })
    expect((await fetch(`${server.url}/readyz`)).status).toBe(503)
    ready = true
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
    const missing = await fetch(`${server.url}/nothing`)
    expect(missing.status).toBe(404)
    expect(await missing.json()).toMatchObject({ code: 'MESSAGE_UNKNOWN' })
  })

  test.each<[string, Uint8Array<ArrayBuffer>, number, string]>([
    ['nothing', new Uint8Array(), 400, 'MESSAGE_MALFORMED'],
    ['bytes without a meaning', Uint8Array.of(4, 99, 98, 97, 96), 400, 'MESSAGE_'],
    [
      'a cut frame',
      new Uint8Array(prefixed(frame(encodeUp(hello()))).subarray(0, 30)),
      400,
      'MESSAGE_MALFORMED',
    ],
    [
      'a cut message',
      new Uint8Array(prefixed(frame(encodeUp(hello()).subarray(0, 30)))),
      400,
      'MESSAGE_MALFORMED',
    ],
    ['a frame that is too large', Uint8Array.of(0xff, 0xff, 0xff, 0x7f), 413, 'MESSAGE_TOO_LARGE'],
    [
      'more than a request may hold',
      new Uint8Array(5 * limits.pushUnansweredBytesMax),
      413,
      'MESSAGE_TOO_LARGE',
    ],
  ])('a body of %s is refused', async (_, body, status, code) => {
    const server = await serve()
    const response = await fetch(`${server.url}/v1/sync`, { method: 'POST', body })
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({
      code: expect.stringMatching(`^${code}`),
      message: expect.any(String),
    })
    await exchanges(await dialer(server.url).dial(never()))
  })

  test('a body without an announced length is bounded while it comes in', async () => {
    const server = await serve()
    let given = 0
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        given += 64 * 1024
        controller.enqueue(new Uint8Array(64 * 1024))
      },
    })
    const response = fetch(`${server.url}/v1/sync`, { method: 'POST', body: endless, duplex: 'half' })
    expect((await response).status).toBe(413)
    expect(given).toBeLessThan(6 * limits.pushUnansweredBytesMax)
  })

  test('an unreachable hub closes the channel with HUB_UNREACHABLE', async () => {
    const server = await serve()
    await server.close()
    const channel = await httpDialer({ url: server.url, clock: new VirtualClock(1) }).dial(never())
    channel.send(hello())
    channel.end()
    expect(await channel.closed).toEqual({
      code: 'HUB_UNREACHABLE',
      message: `no hub answers at ${server.url} (connection refused)`,
    })
    expect(await channel.receive()).toBeNull()
  })

  test('an answer that ends before its channels are closed shows', async () => {
    const empty = async () => new Response(new Uint8Array(), { status: 200 })
    const clock = new VirtualClock(1)
    const channel = await httpDialer({ url: 'http://127.0.0.1:1', clock, fetch: empty }).dial(never())
    channel.send(hello())
    channel.end()
    expect(await channel.closed).toMatchObject({
      code: 'HUB_UNREACHABLE',
      message: expect.stringContaining('ended early'),
    })
  })

  test('an answer that is cut shows', async () => {
    const server = await serve()
    const cutting = async (url: URL, init: RequestInit) => {
      const response = await fetch(url, init)
      const bytes = new Uint8Array(await response.arrayBuffer())
      return new Response(bytes.subarray(0, 6), { status: 200 })
    }
    const channel = await httpDialer({ url: server.url, clock: new VirtualClock(1), fetch: cutting }).dial(
      never(),
    )
    channel.send(hello())
    channel.end()
    expect((await channel.closed).code).not.toBeNull()
  })

  test('a hub that never answers is unreachable in time', async () => {
    const clock = new VirtualClock(1)
    const silent = (_: URL, init: RequestInit) =>
      new Promise<Response>((_resolve, reject) =>
        init.signal?.addEventListener('abort', () => reject(new Error('aborted'))),
      )
    const channel = await httpDialer({ url: 'http://127.0.0.1:1', clock, fetch: silent }).dial(never())
    channel.send(hello())
    channel.end()
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(limits.answerMsMax)
    expect((await channel.closed).code).toBe('HUB_UNREACHABLE')
  })
})

describe('closing', () => {
  test('what the hub says before it closes still arrives', async () => {
    const arrivals = new Arrivals()
    let say = () => {}
    const server = await serve({
      accept: arrivals.accept,
      beforeClose: async () => say(),
    })
    const channel = await dialer(server.url).dial(never())
    channel.send(hello())
    const hubChannel = await arrivals.next()
    say = () =>
      hubChannel.send({ type: 'Closing', code: 'HUB_CLOSING', message: 'back soon', retryAfterMs: 500 })
    await Promise.all([server.close(), server.close()])
    expect(await channel.receive()).toMatchObject({ type: 'Closing', retryAfterMs: 500 })
    expect(await channel.receive()).toBeNull()
    expect((await channel.closed).code).toBe('HUB_CLOSING')
  })

  test('a peer that does not answer the close is cut off after its time', async () => {
    const clock = new VirtualClock(1)
    const server = await serveWith({ clock })
    const socket = await upgraded(server.url)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    const done = server.close()
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(5_000)
    await expect(Promise.all([done, closed])).resolves.toBeDefined()
  })

  test('while it closes, nobody comes in', async () => {
    let finish = () => {}
    const server = await serve({ beforeClose: () => new Promise<void>((resolve) => (finish = resolve)) })
    const { dial } = dialer(server.url)
    await exchanges(await dial(never()))
    const done = server.close()
    await expect(
      webSocketDialer({ url: server.url, clock: new VirtualClock(1) }).dial(never()),
    ).rejects.toMatchObject({
      code: 'HUB_UNREACHABLE',
    })
    finish()
    await done
  })
})

function request(): Uint8Array<ArrayBuffer> {
  const frames = [frame(encodeUp(hello())), encodeFrame({ kind: 'end', channel: 1 })]
  return Uint8Array.from(frames.flatMap((bytes) => [...prefixed(bytes)]))
}

/** The same bytes in every run: what matters is that they mean nothing. */
function randomBytes(count: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(new VirtualClock(7).random(count))
}

/** A WebSocket after its handshake, as plain TCP. */
async function upgraded(url: string): Promise<TcpSocket> {
  const { port, host } = new URL(url)
  const socket = connectTcp(Number(port), '127.0.0.1')
  closing.push(async () => void socket.destroy())
  socket.on('error', () => {})
  socket.write(
    `GET /v1/live HTTP/1.1\r\nhost: ${host}\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: rejoin.1\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  )
  expect((await firstBytes(socket)).toString()).toMatch(/^HTTP\/1.1 101/)
  return socket
}

function firstBytes(socket: TcpSocket): Promise<Buffer> {
  return new Promise((resolve) => socket.once('data', resolve))
}
