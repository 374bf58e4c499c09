// JWTs: what one has to be to sign in, and how each of many bad ones is refused.
import { generateKeyPairSync, createHmac, createSign } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { SyncError } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { openIssuerKeys } from '../../src/auth/issuer-keys.ts'
import { openSignIn, type HubSignIn } from '../../src/auth/sign-in.ts'
import { jwtOptionsOf, TokenVerifier } from '../../src/auth/token-verifier.ts'

const clock = new VirtualClock(1)
const nowS = Math.floor(clock.now() / 1_000)
const settings = {
  issuer: 'https://issuer.example',
  audience: 'hub',
  keys: '',
  algorithms: ['ES256', 'RS256'],
}
const good: JWTPayload = {
  iss: 'https://issuer.example',
  aud: 'hub',
  sub: 'ada',
  exp: nowS + 600,
  scope: 'openid read:* write:support-*',
}

interface Issuer {
  readonly key: CryptoKey
  readonly jwk: JWK
}

let folder = ''
let es: Issuer
let rs: Issuer
let foreign: Issuer
let es384: Issuer
let verifier: TokenVerifier

async function issuer(alg: string, kid: string): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rejoin-tokens-'))
  es = await issuer('ES256', 'es')
  rs = await issuer('RS256', 'rs')
  foreign = await issuer('ES256', 'es')
  es384 = await issuer('ES384', 'es384')
  const file = path.join(folder, 'keys.jwks')
  await writeFile(file, JSON.stringify({ keys: [es.jwk, rs.jwk, es384.jwk] }))
  const options = jwtOptionsOf({ ...settings, keys: file }, 'test')
  verifier = new TokenVerifier(options, await openIssuerKeys(file, clock, () => {}), clock)
})
afterAll(async () => {
  verifier.close()
  await rm(folder, { recursive: true, force: true })
})

type Header = Record<string, unknown>

async function sign(claims: JWTPayload, header: Header = {}, by: Issuer = es): Promise<string> {
  const alg = by.jwk.alg ?? ''
  return await new SignJWT(claims)
    .setProtectedHeader({ alg, kid: by.jwk.kid ?? '', typ: 'at+jwt', ...header })
    .sign(by.key)
}

function base64url(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

/** With a signature that the test makes. */
function crafted(header: Header, claims: unknown, signature: (input: string) => string): string {
  const input = `${base64url(header)}.${base64url(claims)}`
  return `${input}.${signature(input)}`
}

async function refusal(token: string): Promise<SyncError> {
  try {
    const { id } = await verifier.signIn(token)
    throw new Error(`signed in ${id}`)
  } catch (error) {
    return error as SyncError
  }
}

function without(claim: string): JWTPayload {
  const { [claim]: _left, ...rest } = good
  return rest
}

const pem = (by: Issuer) => JSON.stringify(by.jwk)
const header = { alg: 'ES256', kid: 'es', typ: 'at+jwt' }
const expired = 'SIGN_IN_EXPIRED'
const none = () => ''

/** What it is, how it is made, and the code where it is not UNAUTHENTICATED. */
const bad: [string, () => string | Promise<string>, string?][] = [
  // Algorithms
  ['alg none', () => crafted({ ...header, alg: 'none' }, good, none)],
  ['alg None', () => crafted({ ...header, alg: 'None' }, good, none)],
  ['alg nOnE with a signature', () => crafted({ ...header, alg: 'nOnE' }, good, () => 'AAAA')],
  ['no alg', () => crafted({ kid: 'es', typ: 'at+jwt' }, good, () => 'AAAA')],
  ['an alg that is a list', () => crafted({ ...header, alg: ['ES256'] }, good, () => 'AAAA')],
  [
    'HS256 with the public key as its secret',
    () =>
      crafted({ ...header, alg: 'HS256', kid: 'rs' }, good, (input) =>
        createHmac('sha256', pem(rs)).update(input).digest('base64url'),
      ),
  ],
  [
    'HS256 with the modulus as its secret',
    () =>
      crafted({ ...header, alg: 'HS256', kid: 'rs' }, good, (input) =>
        createHmac('sha256', Buffer.from(rs.jwk.n ?? '', 'base64url'))
          .update(input)
          .digest('base64url'),
      ),
  ],
  [
    'HS256 with an empty secret',
    () =>
      crafted({ ...header, alg: 'HS256' }, good, (input) =>
        createHmac('sha256', '').update(input).digest('base64url'),
      ),
  ],
  [
    'PS256, which is not allowed',
    async () =>
      await new SignJWT(good)
        .setProtectedHeader({ ...header, alg: 'PS256', kid: 'rs' })
        .sign((await generateKeyPair('PS256')).privateKey),
  ],
  ['a key of the issuer under an alg that is not allowed', () => sign(good, {}, es384)],
  ['the key of one alg under another', () => sign(good, { alg: 'ES256', kid: 'rs' }, es)],
  // Keys
  ['a foreign key under a known kid', () => sign(good, {}, foreign)],
  ['an unknown kid', () => sign(good, { kid: 'other' })],
  ['a kid that is a path', () => sign(good, { kid: '../../../etc/passwd' })],
  ['a kid that is a query', () => sign(good, { kid: "' OR 1=1 --" })],
  ['a kid that is an object', () => crafted({ ...header, kid: { toString: 'es' } }, good, () => 'AAAA')],
  ['a kid named __proto__', () => sign(good, { kid: '__proto__' }, foreign)],
  ['a kid with NUL', () => sign(good, { kid: 'es\0' })],
  ['its own key in the header', () => sign(good, { kid: 'mine', jwk: foreign.jwk }, foreign)],
  ['its own key under a known kid', () => sign(good, { jwk: foreign.jwk }, foreign)],
  ['a jku to fetch keys from', () => sign(good, { kid: 'mine', jku: 'http://127.0.0.1:1/keys' }, foreign)],
  ['an x5u to fetch keys from', () => sign(good, { kid: 'mine', x5u: 'http://127.0.0.1:1/cert' }, foreign)],
  // Signature
  ['no signature', () => crafted(header, good, none)],
  ['a signature of zeros', () => crafted(header, good, () => Buffer.alloc(64).toString('base64url'))],
  ['a signature cut short', async () => (await sign(good)).slice(0, -6)],
  [
    'a signature of something else',
    async () =>
      `${(await sign(good)).split('.').slice(0, 2).join('.')}.${(await sign({ ...good, sub: 'bob' })).split('.')[2]}`,
  ],
  [
    'claims that were changed',
    async () => {
      const [h, , s] = (await sign(good)).split('.')
      return `${h}.${base64url({ ...good, scope: 'admin' })}.${s}`
    },
  ],
  [
    'an ES256 signature in the form of DER',
    () =>
      crafted(header, good, (input) =>
        createSign('sha256')
          .update(input)
          .sign(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
          .toString('base64url'),
      ),
  ],
  // Form
  ['nothing', () => ''],
  ['one part', () => 'abc'],
  ['two parts', async () => (await sign(good)).split('.').slice(0, 2).join('.')],
  ['four parts', async () => `${await sign(good)}.x`],
  ['cut in the middle', async () => (await sign(good)).slice(0, 100)],
  ['other letters than base64url', async () => (await sign(good)).replace('.', '.!')],
  ['a header that is no JSON', () => `${base64url('{"alg":')}.${base64url(good)}.AAAA`],
  ['a header that is a list', () => `${base64url([])}.${base64url(good)}.AAAA`],
  ['too long', () => sign({ ...good, more: 'x'.repeat(9_000) })],
  [
    'crit with an extension nobody knows',
    () =>
      sign(good, { crit: ['exp'], exp: 1 }).catch(() =>
        crafted({ ...header, crit: ['exp'], exp: 1 }, good, () => 'AAAA'),
      ),
  ],
  ['crit that is empty', () => crafted({ ...header, crit: [] }, good, () => 'AAAA')],
  [
    'claims that are not encoded (b64)',
    () => crafted({ ...header, b64: false, crit: ['b64'] }, good, () => 'AAAA'),
  ],
  ['five parts, encrypted', () => 'eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d'],
  // Claims
  ['another issuer', () => sign({ ...good, iss: 'https://evil.example' })],
  ['an issuer with a slash more', () => sign({ ...good, iss: 'https://issuer.example/' })],
  ['no issuer', () => sign(without('iss'))],
  ['another audience', () => sign({ ...good, aud: 'other' })],
  ['several audiences without ours', () => sign({ ...good, aud: ['a', 'b'] })],
  ['no audience', () => sign(without('aud'))],
  ['another type', () => sign(good, { typ: 'JWT' })],
  ['the type of an id token', () => sign(good, { typ: 'id+jwt' })],
  ['no type', () => sign(good, { typ: undefined })],
  ['no sub', () => sign(without('sub'))],
  ['an empty sub', () => sign({ ...good, sub: '' })],
  ['a sub with a line break', () => sign({ ...good, sub: 'ada\nroot' })],
  ['a sub that is a number', () => sign({ ...good, sub: 7 as never })],
  ['no exp', () => sign(without('exp'))],
  ['an exp that is a text', () => sign({ ...good, exp: '9999999999' as never })],
  ['expired', () => sign({ ...good, exp: nowS - 600 }), expired],
  ['expired at this moment', () => sign({ ...good, exp: nowS }), expired],
  ['expired within the tolerance', () => sign({ ...good, exp: nowS - 3 }), expired],
  ['not yet valid', () => sign({ ...good, nbf: nowS + 60 })],
  ['an nbf that is a text', () => sign({ ...good, nbf: 'now' as never })],
]

describe('a bad token is refused with a code, and nothing of it is said', () => {
  test(`there are at least 40 of them`, () => {
    expect(bad.length).toBeGreaterThanOrEqual(40)
    expect(new Set(bad.map(([what]) => what)).size).toBe(bad.length)
  })

  test.each(bad)('%s', async (_, make, code = 'UNAUTHENTICATED') => {
    const token = await make()
    const error = await refusal(token)
    expect(error).toMatchObject({ name: 'SyncError', code })
    expect(error.message).toMatch(/^the token /)
    const parts = token.split('.').filter((part) => part.length > 8)
    expect(parts.filter((part) => error.message.includes(part))).toEqual([])
  })

  test('a key of the hub is none, and is not looked for among them', async () => {
    expect((await refusal(`rj_a_${'0'.repeat(64)}`)).code).toBe('UNAUTHENTICATED')
  })
})

describe('a good token', () => {
  test('signs in its subject until it expires, with the scopes that are ours', async () => {
    const principal = await verifier.signIn(await sign(good))
    expect(principal).toMatchObject({ id: 'user:ada', name: 'user:ada', expiresAt: (nowS + 600) * 1_000 })
    expect([principal.canRead('x'), principal.canWrite('x'), principal.canWrite('support-1')]).toEqual([
      true,
      false,
      true,
    ])
  })

  test.each([
    ['by the other algorithm', () => sign(good, {}, rs)],
    ['for several audiences', () => sign({ ...good, aud: ['other', 'hub'] })],
    ['with its type in full', () => sign(good, { typ: 'application/at+jwt' })],
    ['valid in a moment, within the tolerance', () => sign({ ...good, nbf: nowS + 5 })],
    ['with a list of scopes', () => sign({ ...good, scope: ['read:*'] as never })],
  ])('%s', async (_, make) => {
    expect((await verifier.signIn(await make())).canRead('x')).toBe(true)
  })

  test.each([
    ['none', without('scope')],
    ['of somebody else', { ...good, scope: 'openid profile reads:*' }],
    ['that are no text', { ...good, scope: { read: '*' } as never }],
    ['for a pattern that is none', { ...good, scope: 'read:A* write:' }],
  ])('with scopes %s may do nothing', async (_, claims) => {
    const who = await verifier.signIn(await sign(claims))
    expect([who.canRead('x'), who.canWrite('x'), who.canAdmin('x')]).toEqual([false, false, false])
  })
})

describe('the settings', () => {
  test.each([
    ['an algorithm with a shared secret', { algorithms: ['HS256'] }],
    ['none', { algorithms: ['none'] }],
    ['no algorithm', { algorithms: [] }],
    ['no issuer', { issuer: '' }],
    ['a tolerance above 30 s', { toleranceSeconds: 31 }],
    ['a setting nobody knows', { verify: false }],
  ])('with %s are refused', (_, given) => {
    expect(() => jwtOptionsOf({ ...settings, keys: 'x', ...given }, 'test')).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }),
    )
  })

  test.each(['http://issuer.example/keys', 'https://ada:secret@issuer.example/keys'])(
    'keys from %s are refused',
    async (url) => {
      await expect(openIssuerKeys(url, clock, () => {})).rejects.toMatchObject({
        code: 'INPUT_INVALID',
        message: expect.not.stringContaining('secret'),
      })
    },
  )

  test('a file that is no set of keys is refused', async () => {
    const file = path.join(folder, 'broken.jwks')
    await writeFile(file, '{"keys":')
    await expect(openIssuerKeys(file, clock, () => {})).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })
})

describe("an issuer's keys by URL", () => {
  const servers: Server[] = []
  const opened: { close(): void }[] = []
  afterEach(async () => {
    for (const each of opened.splice(0)) each.close()
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })

  async function issuerAt(answer: {
    status: number
    body: string
  }): Promise<{ url: string; asked: () => number; stop: () => void }> {
    let asked = 0
    const server = createServer((_, response) => {
      asked++
      response
        .writeHead(answer.status, answer.status === 302 ? { location: '/elsewhere' } : {})
        .end(answer.body)
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const stop = () => {
      server.closeAllConnections()
      server.close()
    }
    return { url: `http://127.0.0.1:${port}/keys`, asked: () => asked, stop }
  }

  async function signInBy(url: string, failures: unknown[] = []): Promise<HubSignIn> {
    const options = { ...settings, algorithms: ['ES256' as const, 'RS256' as const], keys: url }
    const signIn = await openSignIn(path.join(folder, 'no-keys'), options, clock, (error) =>
      failures.push(error),
    )
    if (signIn === null) throw new Error('expected a way to sign in')
    opened.push(signIn)
    return signIn
  }

  async function outcome(signIn: HubSignIn, token: string): Promise<string> {
    const headers = new Headers({ authorization: `Bearer ${token}` })
    try {
      const request = { method: 'GET', path: '/', headers, remoteAddress: null }
      return (await signIn.authenticate(request, new AbortController().signal))?.id ?? 'nobody'
    } catch (error) {
      return (error as SyncError).code
    }
  }

  test('are fetched once for many tokens, and a dead issuer keeps nobody out whose key is known', async () => {
    const { url, asked, stop } = await issuerAt({ status: 200, body: JSON.stringify({ keys: [es.jwk] }) })
    const signIn = await signInBy(url)
    for (let i = 0; i < 5; i++) expect(await outcome(signIn, await sign(good))).toBe('user:ada')
    // A key that nobody knows is not asked for again at once.
    for (let i = 0; i < 5; i++)
      expect(await outcome(signIn, await sign(good, { kid: 'new' }))).toBe('UNAUTHENTICATED')
    expect(asked()).toBe(1)
    stop()
    expect(await outcome(signIn, await sign(good))).toBe('user:ada')
  })

  test.each([
    ['away', null],
    ['failing', { status: 500, body: '' }],
    ['sending elsewhere', { status: 302, body: '' }],
    ['sending no keys', { status: 200, body: '<html>' }],
    ['sending far too much', { status: 200, body: ' '.repeat(2 * 1024 * 1024) }],
  ])('%s make it unavailable, which is no fault of the token', async (_, answer) => {
    const { url, stop } = await issuerAt(answer ?? { status: 200, body: '' })
    if (answer === null) stop()
    const failures: unknown[] = []
    const signIn = await signInBy(url, failures)
    expect(await outcome(signIn, await sign(good))).toBe('SIGN_IN_UNAVAILABLE')
    expect(failures.length).toBeGreaterThan(0)
    // Whoever has a key of the hub does not need it.
    expect(await outcome(signIn, `rj_a_${'0'.repeat(64)}`)).toBe('UNAUTHENTICATED')
  })
})
