// Signing in to a real server on loopback: by the head of a request, by the first frame, and how it ends.
import { connect as connectTcp } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { limits, SyncError, type ReplicaChannel, type SignIn } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { prefixed } from '../src/frame-stream.ts'
import { encodeFrame } from '../src/frames.ts'
import { encodeUp, httpDialer, replicaConnection, webSocketDialer } from '../src/index.ts'
import { serveHub, tokenOf, type HubServer, type ServeHubOptions } from '../src/server.ts'
import { encodeSignIn, signInOn } from '../src/sign-in-frame.ts'
import { openWebSocket } from '../src/websocket-browser.ts'
import { echo, hello, never } from './fixtures.ts'

interface Ada extends SignIn {
  readonly token: string
}

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

function ada(given: Partial<Ada> = {}): Ada {
  return { id: 'user:ada', expiresAt: null, revoked: new AbortController().signal, token: 'good', ...given }
}

/** A hub that knows `who`. */
async function serve(who: Ada, options: Partial<ServeHubOptions<Ada>> = {}): Promise<HubServer> {
  const server = await serveHub<Ada>({
    accept: echo,
    host: '127.0.0.1',
    port: 0,
    clock: new VirtualClock(1),
    authenticate: ({ headers }) => (tokenOf(headers) === who.token ? who : null),
    signInOf: (principal) => principal,
    ...options,
  })
  closing.push(() => server.close())
  return server
}

function dial(url: string, token?: () => string | Promise<string>): Promise<ReplicaChannel> {
  const dialer = webSocketDialer({ url, token, clock: new VirtualClock(2) })
  closing.push(() => dialer.close())
  return dialer.dial(never())
}

interface Raw {
  readonly socket: WebSocket
  /** Frames that came. */
  readonly frames: Uint8Array[]
  readonly closed: Promise<{ status: number; text: string }>
}

async function raw(
  { url }: { url: string },
  options: WebSocket.ClientOptions = {},
  more = ['rejoin.sign-in'],
): Promise<Raw> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/live`, ['rejoin.1', ...more], options)
  closing.push(async () => socket.terminate())
  const frames: Uint8Array[] = []
  socket.on('message', (data) => frames.push(new Uint8Array(data as Buffer)))
  const closed = new Promise<{ status: number; text: string }>((resolve) =>
    socket.once('close', (status, text) => resolve({ status, text: text.toString() })),
  )
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  socket.on('error', () => {})
  return { socket, frames, closed }
}

const greeting = encodeFrame({ kind: 'whole', channel: 1, payload: encodeUp(hello()) })

async function post(
  url: string,
  headers: Record<string, string>,
): Promise<{ status: number; body: unknown; headers: Headers }> {
  const request = Buffer.concat([prefixed(greeting), prefixed(encodeFrame({ kind: 'end', channel: 1 }))])
  const response = await fetch(`${url}/v1/sync`, { method: 'POST', headers, body: request })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: response.status === 200 ? null : (JSON.parse(text) as unknown),
  }
}

async function checkAnswered(channel: ReplicaChannel): Promise<void> {
  channel.send(hello())
  expect((await channel.receive())?.type).toBe('Ack')
}

describe('by the head of a request', () => {
  test.each([
    ['a bearer', { authorization: 'Bearer good' }, 200],
    ['a bearer in small letters', { authorization: 'bearer good' }, 200],
    ['an API key', { 'x-api-key': 'good' }, 200],
    ['both, equal', { authorization: 'Bearer good', 'x-api-key': 'good' }, 200],
    ['both, different', { authorization: 'Bearer good', 'x-api-key': 'bad' }, 401],
    ['another', { authorization: 'Bearer bad' }, 401],
    ['two bearers', { authorization: 'Bearer good, Bearer good' }, 401],
    ['basic', { authorization: 'Basic good' }, 401],
    ['nothing', {}, 401],
    ['a cookie alone', { cookie: 'token=good' }, 401],
  ])('%s', async (_, headers, status) => {
    const { url } = await serve(ada())
    const answer = await post(url, headers)
    expect(answer.status).toBe(status)
    const refused = { code: 'UNAUTHENTICATED', message: expect.any(String) }
    expect(answer.body).toEqual(status === 401 ? refused : null)
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null)
    const upgrade = raw({ url }, { headers }, [])
    expect(
      await upgrade.then(() => 200).catch((error: Error) => Number(/\d+/.exec(error.message)?.[0])),
    ).toBe(status)
  })

  test('a token in the URL is none', async () => {
    const { url } = await serve(ada())
    const request = await fetch(`${url}/v1/sync?token=good&access_token=good`, { method: 'POST', body: 'x' })
    expect(request.status).toBe(401)
    expect(() =>
      webSocketDialer({ url: `${url.replace('://', '://ada:good@')}`, clock: new VirtualClock(1) }),
    ).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID', message: expect.not.stringContaining('good') }),
    )
  })

  test('cookies reach nobody, and whoever names no origin has to show a token', async () => {
    const asked: Headers[] = []
    const server = await serve(ada(), {
      origins: ['https://app.example'],
      authenticate: ({ headers }) => {
        asked.push(headers)
        return ada()
      },
    })
    const cookie = 'session=1'
    expect((await post(server.url, { cookie })).status).toBe(401)
    expect(asked).toEqual([])
    expect((await post(server.url, { cookie, origin: 'https://app.example' })).status).toBe(200)
    expect((await post(server.url, { cookie, authorization: 'Bearer any' })).status).toBe(200)
    expect(asked.map((headers) => headers.has('cookie'))).toEqual([false, false])
  })

  test('401, 403 and 503 are told apart, by WebSocket and HTTP', async () => {
    for (const [code, status] of [
      ['UNAUTHENTICATED', 401],
      ['SIGN_IN_EXPIRED', 401],
      ['FORBIDDEN', 403],
      ['SIGN_IN_UNAVAILABLE', 503],
    ] as const) {
      const server = await serve(ada(), {
        authenticate: () => {
          throw new SyncError(code, 'because')
        },
      })
      expect(await post(server.url, { authorization: 'Bearer any' })).toMatchObject({
        status,
        body: { code },
      })
      await expect(dial(server.url, () => 'any')).rejects.toMatchObject({ code, message: 'because' })
      const once = await httpDialer({ url: server.url, token: () => 'any', clock: new VirtualClock(1) }).dial(
        never(),
      )
      once.send(hello())
      once.end()
      expect(await once.closed).toMatchObject({ code, message: 'because' })
    }
  })

  test('[14] whoever cannot be found out in time is told to come back', async () => {
    const clock = new VirtualClock(1)
    let asked = () => {}
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    const signals: AbortSignal[] = []
    const server = await serve(ada(), {
      clock,
      authenticate: (_, signal) => {
        signals.push(signal)
        asked()
        return new Promise(() => {})
      },
    })
    const answer = post(server.url, { authorization: 'Bearer good' })
    await isAsked
    clock.advance(limits.signInMsMax)
    expect(await answer).toMatchObject({ status: 503, body: { code: 'SIGN_IN_UNAVAILABLE' } })
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
  })
})

describe('the token of a replica', () => {
  test('is asked for at each connection', async () => {
    const who = ada()
    const tokens = ['old', 'good', 'good']
    const { url } = await serve(who)
    const clock = new VirtualClock(1)
    const token = () => Promise.resolve(tokens.shift() ?? 'none left')
    await expect(dial(url, token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    await checkAnswered(await dial(url, token))
    const once = await httpDialer({ url, token, clock }).dial(never())
    once.send(hello())
    once.end()
    expect((await once.receive())?.type).toBe('Ack')
    expect(tokens).toEqual([])
  })

  test.each([
    ['a line break', 'canary\nx-evil: 1'],
    ['two words', 'canary two'],
    ['letters beyond ASCII', 'canärycanary'],
    ['nothing', ''],
    ['too much', 'canary'.repeat(limits.tokenCharsMax)],
  ])('with %s is refused here, and not shown', async (_, token) => {
    const { url } = await serve(ada())
    const refusals = [await dial(url, () => token).catch((error: unknown) => error as SyncError)]
    const once = await httpDialer({ url, token: () => token, clock: new VirtualClock(1) }).dial(never())
    once.send(hello())
    once.end()
    for (const said of [...refusals, await once.closed]) {
      expect(said).toMatchObject({ code: 'INPUT_INVALID', message: expect.not.stringContaining('canary') })
    }
  })

  test('that cannot be had is no secret told, and asked for again later', async () => {
    const { url } = await serve(ada())
    const failing = () => Promise.reject(new Error('canary'))
    await expect(dial(url, failing)).rejects.toMatchObject({
      code: 'SIGN_IN_UNAVAILABLE',
      retryable: true,
      message: expect.not.stringContaining('canary'),
    })
  })

  test('that is never given does not hold a dial for ever', async () => {
    const { url } = await serve(ada())
    const clock = new VirtualClock(1)
    const dialing = webSocketDialer({ url, token: () => new Promise(() => {}), clock }).dial(never())
    const failed = dialing.catch((error: unknown) => error)
    clock.advance(limits.answerMsMax)
    expect(await failed).toMatchObject({ retryable: true })
  })
})

describe('[14] by the first frame of a socket, as pages do', () => {
  beforeAll(() => void Reflect.set(globalThis, 'WebSocket', WebSocket))
  afterAll(() => void Reflect.deleteProperty(globalThis, 'WebSocket'))

  async function dialAsPage(url: string, token: string): Promise<ReplicaChannel> {
    const live = new URL('/v1/live', url.replace('http', 'ws'))
    const signal = never()
    const socket = await openWebSocket(live, { headers: {}, subprotocols: ['rejoin.sign-in'], signal })
    const connection = await signInOn(socket, token, signal, () =>
      replicaConnection(socket, new VirtualClock(1)),
    )
    return connection.open()
  }

  test('a token that holds lets in, another tells the page why it does not', async () => {
    const { url } = await serve(ada())
    await checkAnswered(await dialAsPage(url, 'good'))
    await expect(dialAsPage(url, 'bad')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  test('a hub that asks nobody answers as well', async () => {
    const server = await serveHub({ accept: echo, host: '127.0.0.1', port: 0, clock: new VirtualClock(1) })
    closing.push(() => server.close())
    await checkAnswered(await dialAsPage(server.url, 'any'))
  })

  test('a foreign origin does not come so far', async () => {
    const { url } = await serve(ada())
    await expect(raw({ url }, { origin: 'https://evil.example' })).rejects.toThrow('403')
  })

  test('a socket that says nothing is closed after its time, and one that only pings too', async () => {
    const clock = new VirtualClock(1)
    const server = await serve(ada(), { clock })
    const sockets = [await raw(server), await raw(server)]
    const ponged = new Promise((resolve) => sockets[1]?.socket.once('pong', resolve))
    sockets[1]?.socket.ping()
    await ponged
    clock.advance(limits.signInMsMax)
    for (const { closed, frames } of sockets) {
      expect((await closed).text).toMatch(/^TIMED_OUT: /)
      expect(frames).toEqual([])
    }
  })

  test.each([
    ['a greeting', greeting, 4401, /^UNAUTHENTICATED: /],
    ['a beat', encodeFrame({ kind: 'beat', channel: 0 }), 4401, /^UNAUTHENTICATED: /],
    ['text', 'good', 4401, /^UNAUTHENTICATED: /],
    ['nothing', new Uint8Array(), 1008, /^MESSAGE_MALFORMED: /],
    [
      'a token with more behind it',
      Buffer.concat([encodeSignIn('good'), Buffer.of(0)]),
      1008,
      /^MESSAGE_MALFORMED: /,
    ],
    ['a token with a line break', encodeSignIn('good\r\nx: y'), 4401, /^UNAUTHENTICATED: /],
  ])('before it %s is answered by closing', async (_, first, status, text) => {
    const accepted: unknown[] = []
    const server = await serve(ada(), { accept: (channel) => accepted.push(channel) })
    const { socket, closed, frames } = await raw(server)
    socket.send(first)
    expect(await closed).toMatchObject({ status, text: expect.stringMatching(text) })
    expect([frames, accepted]).toEqual([[], []])
  })

  test('what is larger than a token may be is cut off while it comes in', async () => {
    const clock = new VirtualClock(1)
    const server = await serve(ada(), { clock })
    const { socket, closed } = await raw(server)
    // A frame of 200 KiB of which 20 KiB are sent: nobody waits for the rest.
    const tcp = Reflect.get(socket, '_socket') as ReturnType<typeof connectTcp>
    const head = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 3, 0x20, 0, 0, 0, 0, 0])
    tcp.write(Buffer.concat([head, Buffer.alloc(20 * 1024)]))
    expect((await closed).text).toMatch(/^MESSAGE_TOO_LARGE: /)
  })

  test('whoever does not wait for the answer is closed, and none of it counts', async () => {
    const accepted: unknown[] = []
    let judge = () => {}
    const server = await serve(ada(), {
      accept: (channel) => accepted.push(channel),
      authenticate: () => new Promise((resolve) => (judge = () => resolve(ada()))),
    })
    const { socket, closed } = await raw(server)
    socket.send(encodeSignIn('good'))
    socket.send(greeting)
    expect((await closed).text).toMatch(/^MESSAGE_UNEXPECTED: /)
    judge()
    expect(accepted).toEqual([])
  })

  test('a hub that closes does not wait for it', async () => {
    const server = await serve(ada())
    const { closed } = await raw(server)
    await server.close()
    expect((await closed).text).toMatch(/^HUB_CLOSING: /)
  })
})

describe('a sign-in that ends takes its sockets with it', () => {
  test('at its time', async () => {
    const clock = new VirtualClock(1)
    const server = await serve(ada({ expiresAt: clock.now() + 90_000 }), { clock })
    const channel = await dial(server.url, () => 'good')
    await checkAnswered(channel)
    clock.advance(89_999)
    await checkAnswered(channel)
    clock.advance(1)
    expect(await channel.closed).toMatchObject({ code: 'SIGN_IN_EXPIRED' })
  })

  test('with status 4401', async () => {
    const clock = new VirtualClock(1)
    const server = await serve(ada({ expiresAt: clock.now() + 1_000 }), { clock })
    const { closed } = await raw(server, { headers: { authorization: 'Bearer good' } }, [])
    clock.advance(1_000)
    expect(await closed).toMatchObject({ status: 4401, text: expect.stringMatching(/^SIGN_IN_EXPIRED: /) })
  })

  test('when it is taken back, with the reason', async () => {
    const revoke = new AbortController()
    const server = await serve(ada({ revoked: revoke.signal }))
    const channel = await dial(server.url, () => 'good')
    await checkAnswered(channel)
    revoke.abort(new SyncError('UNAUTHENTICATED', 'the key is gone'))
    expect(await channel.closed).toMatchObject({ code: 'UNAUTHENTICATED', message: 'the key is gone' })
  })
})

describe('[14] one principal', () => {
  test('has so many connections, of both kinds together, and others have theirs', async () => {
    const server = await serve(ada(), {
      peerLimits: { connections: 2 },
      authenticate: ({ headers }) => ada({ id: tokenOf(headers) ?? '' }),
    })
    const first = await dial(server.url, () => 'ada')
    await checkAnswered(first)
    await checkAnswered(await dial(server.url, () => 'ada'))
    await expect(dial(server.url, () => 'ada')).rejects.toMatchObject({ code: 'RATE_LIMITED' })
    const refused = await post(server.url, { authorization: 'Bearer ada' })
    expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } })
    expect((refused.body as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(0)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    await checkAnswered(await dial(server.url, () => 'bob'))
  })

  test('is told when to come back', async () => {
    const server = await serve(ada(), { peerLimits: { connections: 0 } })
    const error = await dial(server.url, () => 'good').catch((refused: unknown) => refused as SyncError)
    expect(error).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) })
    const once = await httpDialer({ url: server.url, token: () => 'good', clock: new VirtualClock(1) }).dial(
      never(),
    )
    once.send(hello())
    once.end()
    expect(await once.closed).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) })
  })

  test('gets its places back', async () => {
    let left = () => {}
    const server = await serve(ada(), {
      peerLimits: { connections: 1 },
      log: ({ event }) => void (event === 'disconnected' && left()),
    })
    for (let turn = 0; turn < 3; turn++) {
      const hasLeft = new Promise<void>((resolve) => (left = resolve))
      const dialer = webSocketDialer({ url: server.url, token: () => 'good', clock: new VirtualClock(2) })
      await checkAnswered(await dialer.dial(never()))
      await dialer.close()
      await hasLeft
    }
    expect((await post(server.url, { authorization: 'Bearer good' })).status).toBe(200)
  })

  test('one address is judged for so many callers at once', async () => {
    const waiting: (() => void)[] = []
    const server = await serve(ada(), {
      peerLimits: { signIns: 2 },
      authenticate: () => new Promise((resolve) => waiting.push(() => resolve(ada()))),
    })
    const judged = [raw(server), raw(server)]
    await Promise.all(judged)
    await expect(raw(server)).rejects.toThrow('429')
    for (const socket of judged) (await socket).socket.close()
    await Promise.all(judged.map(async (socket) => await (await socket).closed))
    await raw(server)
  })
})
