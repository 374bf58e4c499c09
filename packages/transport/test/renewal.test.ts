// A live socket whose token comes to its end: its peer is asked for a fresh one before, and goes on by it (HAZARDS G11).
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { limits, SyncError, type ReplicaChannel, type SignIn } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { encodeFrame } from '../src/frames.ts'
import { encodeUp, webSocketDialer } from '../src/index.ts'
import { serveHub, tokenOf, type HubServer, type ServeHubOptions } from '../src/server.ts'
import { encodeSignIn } from '../src/sign-in-frame.ts'
import { type TokenSource } from '../src/token.ts'
import { echo, hello, never } from './fixtures.ts'

interface User extends SignIn {
  readonly may: string
}

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const LIFE_MS = 100_000
const ASKED_MS = (LIFE_MS * limits.signInAskPercent) / 100

/** Tokens are `USER.NUMBER`; each lives for `LIFE_MS` from the moment when it is first shown. */
class Issuer {
  readonly clock = new VirtualClock(1)
  readonly users = new Map<string, User>()
  readonly revokes = new Map<string, AbortController>()
  shown: string[] = []
  failure: SyncError | null = null

  judge(token: string | null): User | null {
    if (token === null || !token.includes('.')) return null
    this.shown.push(token)
    if (this.failure !== null) throw this.failure
    const revoke = new AbortController()
    this.revokes.set(token, revoke)
    const [id = '', may = ''] = token.split('.')
    const known = this.users.get(token)
    const user = known ?? { id, may, expiresAt: this.clock.now() + LIFE_MS, revoked: revoke.signal }
    this.users.set(token, user)
    return user
  }
}

async function serve(issuer: Issuer, options: Partial<ServeHubOptions<User>> = {}) {
  const principals: User[] = []
  const server: HubServer = await serveHub<User>({
    accept: (channel, principal) => {
      if (principal !== 'anonymous') principals.push(principal)
      echo(channel)
    },
    host: '127.0.0.1',
    port: 0,
    clock: issuer.clock,
    authenticate: ({ headers }) => issuer.judge(tokenOf(headers)),
    signInOf: (principal) => principal,
    renewable: (current) => ({
      get id() {
        return current().id
      },
      get may() {
        return current().may
      },
      get expiresAt() {
        return current().expiresAt
      },
      get revoked() {
        return current().revoked
      },
    }),
    ...options,
  })
  closing.push(() => server.close())
  return { server, principals }
}

async function dial(url: string, token: TokenSource): Promise<ReplicaChannel> {
  const dialer = webSocketDialer({ url, token, clock: new VirtualClock(2) })
  closing.push(() => dialer.close())
  const channel = await dialer.dial(never())
  channel.send(hello())
  expect((await channel.receive())?.type).toBe('Ack')
  return channel
}

async function until(holds: () => boolean): Promise<void> {
  for (let look = 0; !holds(); look++) {
    if (look > 5_000) throw new Error('waited in vain')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** One message and its answer: what was sent before has been read. */
async function answered(channel: ReplicaChannel): Promise<void> {
  channel.send({ type: 'Awareness', update: new Uint8Array() })
  expect((await channel.receive())?.type).toBe('Ack')
}

function renewing(how: string): void {
  test(`${how}: it goes on by a fresh one, also with what that one may do, again and again`, async () => {
    const issuer = new Issuer()
    const { server, principals } = await serve(issuer)
    let number = 1
    const channel = await dial(server.url, () => `ada.${number}`)
    for (number = 2; number <= 5; number++) {
      issuer.clock.advance(ASKED_MS)
      await until(() => principals[0]?.may === String(number))
      await answered(channel)
    }
    expect(issuer.shown).toEqual(['ada.1', 'ada.2', 'ada.3', 'ada.4', 'ada.5'])
    expect(principals).toHaveLength(1)
    // Those before have ended without it.
    issuer.revokes.get('ada.4')?.abort()
    await answered(channel)
    issuer.revokes.get('ada.5')?.abort(new SyncError('UNAUTHENTICATED', 'taken back'))
    expect(await channel.closed).toMatchObject({ code: 'UNAUTHENTICATED', message: 'taken back' })
  })
}

describe('[21] in the head', () => {
  renewing('by a program')
})
describe('[21] in the first frame', () => {
  beforeAll(() => void Reflect.set(globalThis, 'WebSocket', WebSocket))
  afterAll(() => void Reflect.deleteProperty(globalThis, 'WebSocket'))
  renewing('by a page')
})

test('one that has no other token is asked again, and ends at its time, not before', async () => {
  const issuer = new Issuer()
  const { server } = await serve(issuer)
  let asked = 0
  const channel = await dial(server.url, () => {
    asked++
    return 'ada.1'
  })
  for (let lookMs = 0; lookMs < LIFE_MS - 1; lookMs += 1_000) {
    issuer.clock.advance(Math.min(1_000, LIFE_MS - 1 - lookMs))
    await answered(channel)
  }
  await until(() => asked > 3)
  issuer.clock.advance(1)
  expect(await channel.closed).toMatchObject({ code: 'SIGN_IN_EXPIRED' })
  expect(issuer.shown).toEqual(['ada.1'])
})

test('one whose token takes long to be had brings it once, however often it is asked meanwhile', async () => {
  const issuer = new Issuer()
  const { server, principals } = await serve(issuer)
  let number = 1
  const given: (() => void)[] = []
  const token = (): string | Promise<string> => {
    if (number === 1) return `ada.${number++}`
    return new Promise((resolve) => given.push(() => resolve(`ada.${number++}`)))
  }
  const channel = await dial(server.url, token)
  issuer.clock.advance(ASKED_MS)
  await until(() => given.length === 1)
  issuer.clock.advance((LIFE_MS - ASKED_MS) * 0.8)
  await answered(channel)
  for (const give of given) give()
  await until(() => principals[0]?.may === '2')
  await answered(channel)
  expect(issuer.shown).toEqual(['ada.1', 'ada.2'])
})

test.each(['SIGN_IN_UNAVAILABLE', 'SIGN_IN_EXPIRED', 'RATE_LIMITED'] as const)(
  'a fresh one that is refused with %s takes nothing away before the time of the old one',
  async (code) => {
    const issuer = new Issuer()
    const { server } = await serve(issuer)
    let number = 1
    const channel = await dial(server.url, () => `ada.${number++}`)
    issuer.failure = new SyncError(code, 'not now')
    issuer.clock.advance(ASKED_MS)
    await until(() => issuer.shown.length === 2)
    await answered(channel)
    issuer.failure = null
    issuer.clock.advance((LIFE_MS - ASKED_MS) * 0.8)
    await until(() => issuer.shown.length === 3)
    await answered(channel)
    issuer.clock.advance(LIFE_MS - ASKED_MS)
    await answered(channel)
    expect(issuer.shown).toHaveLength(3)
  },
)

describe('whoever brings', () => {
  async function raw(url: string, protocols: readonly string[] = []) {
    const headers = { authorization: 'Bearer ada.1' }
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/live`, ['rejoin.1', ...protocols], {
      headers,
    })
    closing.push(async () => socket.terminate())
    const frames: number[][] = []
    socket.on('message', (data) => frames.push([...(data as Buffer)]))
    const closed = new Promise<string>((resolve) =>
      socket.once('close', (_, text) => resolve(text.toString())),
    )
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    return { socket, closed, frames }
  }

  test.each([
    ['the token of somebody else', 'bob.1', /^UNAUTHENTICATED: /],
    ['none that is known', 'who', /^UNAUTHENTICATED: /],
    ['nothing', '', /^UNAUTHENTICATED: /],
  ])('%s is closed', async (_, token, text) => {
    const { server } = await serve(new Issuer())
    const { socket, closed } = await raw(server.url)
    socket.send(encodeSignIn(token))
    expect(await closed).toMatch(text)
  })

  test('two at once is closed', async () => {
    let judge = (): void => {}
    const issuer = new Issuer()
    let isFirst = true
    const { server } = await serve(issuer, {
      authenticate: ({ headers }) => {
        if (!isFirst) return new Promise((resolve) => (judge = () => resolve(issuer.judge(tokenOf(headers)))))
        isFirst = false
        return issuer.judge(tokenOf(headers))
      },
    })
    const { socket, closed } = await raw(server.url)
    socket.send(encodeSignIn('ada.2'))
    socket.send(encodeSignIn('ada.3'))
    expect(await closed).toMatch(/^MESSAGE_UNEXPECTED: /)
    judge()
  })

  test('one to a hub that cannot take it is closed', async () => {
    const issuer = new Issuer()
    const server = await serveHub<User>({
      accept: echo,
      host: '127.0.0.1',
      port: 0,
      clock: issuer.clock,
      authenticate: ({ headers }) => issuer.judge(tokenOf(headers)),
      signInOf: (principal) => principal,
    })
    closing.push(() => server.close())
    const { socket, closed } = await raw(server.url)
    socket.send(encodeSignIn('ada.2'))
    expect(await closed).toMatch(/^MESSAGE_UNEXPECTED: /)
  })

  test('none, and did not say that it would, is not asked', async () => {
    const issuer = new Issuer()
    const { server } = await serve(issuer)
    const asked = await raw(server.url, ['rejoin.renew'])
    const silent = await raw(server.url)
    for (const { socket, frames } of [asked, silent]) {
      socket.send(encodeFrame({ kind: 'whole', channel: 1, payload: encodeUp(hello()) }))
      await until(() => frames.length > 0)
    }
    issuer.clock.advance(ASKED_MS)
    await until(() => asked.frames.some((bytes) => bytes[1] === 6))
    expect(asked.frames.filter((bytes) => bytes[1] === 6)).toEqual([[0, 6, 0]])
    expect(silent.frames.filter((bytes) => bytes[1] === 6)).toEqual([])
  })
})
