// The rows of the hazards that JSON can say: refused with a code, by themselves or as one correction among good ones, and nothing
// of them is in the log. What an update's bytes could do beyond that has no way in here.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isErrorCode, limits } from '@rejoin/core'
import { GatewayWorld, type Native } from './world.ts'

let world: GatewayWorld
let replica: Native
let sync: () => Promise<void>

beforeAll(async () => {
  world = await GatewayWorld.open()
  ;({ replica, sync } = await world.native())
  replica.apply([
    { type: 'IntentAdded', id: 'greet', phrasesByLang: { en: ['hello'] } },
    { type: 'IntentAdded', id: 'bye', phrasesByLang: { en: ['goodbye'] } },
  ])
  await sync()
})
afterAll(() => world.close())

const correction = (fields: string): string =>
  `{"corrections":[{"namespace":"support","query":"q","wrong_intent":"bye","right_intent":"greet",${fields}}]}`

/** Texts of requests, since no object can say all of them. */
const bodies: readonly (readonly [name: string, body: string])[] = [
  ['D1 a member named __proto__', correction('"__proto__":{"right_intent":"bye"},"query":5')],
  ['D2 a namespace named __proto__', '{"local_versions":{"__proto__":{"up_to_date":true}}}'],
  ['D3 nesting', correction(`"x":${'['.repeat(6_000)}${']'.repeat(6_000)}`)],
  ['D6 half a surrogate pair as a query', correction('"query":"\\ud83d"')],
  ['D6 half a surrogate pair as an intent', correction('"right_intent":"\\udc00"')],
  ['D7 a number that is none as a query', correction('"query":1e400')],
  ['D9 a query larger than a key', correction(`"query":"${'k'.repeat(limits.keyBytesMax + 1)}"`)],
  ['D9 an intent larger than a key', correction(`"right_intent":"${'k'.repeat(limits.keyBytesMax + 1)}"`)],
  ['U+0000 in a query', correction('"query":"a\\u0000b"')],
  ['an intent that nobody has', correction('"right_intent":"constructor"')],
  ['a namespace that is a path', correction('"namespace":"../support"')],
  ['a namespace with another byte order', correction('"namespace":"\\ufeffsupport"')],
]

test.each(bodies)('[11] [12] %s is refused, and the log stays as it is', async (_, body) => {
  const before = await world.hub.verify('support')
  const { status, json } = await world.post('/api/sync', body)
  const outcomes = (json['corrections'] ?? []) as readonly {
    readonly status: string
    readonly error?: string
  }[]
  const refused = status === 400 ? [json['error']] : outcomes.map(({ error }) => error)
  expect(refused).toHaveLength(1)
  expect(isErrorCode(String(refused[0]))).toBe(true)
  expect(refused[0]).not.toBe('HUB_INTERNAL')
  expect(await world.hub.verify('support')).toEqual(before)
  // A good one beside it is not held up.
  const good = { namespace: 'support', query: 'hello', wrong_intent: 'bye', right_intent: 'greet' }
  expect((await world.post('/api/sync', { corrections: [good] })).json['corrections_applied']).toBe(1)
})

test('names of every object are names like others: they are no namespaces here, and nothing of theirs is read', async () => {
  const names = ['constructor', 'prototype', 'toString', 'hasOwnProperty', 'default', '..', 'CON', '']
  const versions = Object.fromEntries(names.map((name) => [name, 3]))
  const { json } = await world.post('/api/sync', { local_versions: versions, supports_delta: true })
  const unknown = { up_to_date: true, version: 0, state: 'unknown' }
  expect(json['namespaces']).toEqual(Object.fromEntries(names.map((name) => [name, unknown])))
  const { text } = await world.post('/api/snapshot', { namespace_ids: names })
  expect(text).toBe('{"namespaces":{}}')
  await sync()
  expect(replica.status.pending).toBe(0)
})

test('[14] corrections count as the commits that they are: beyond the rate a request is refused as a whole', async () => {
  const limited = await GatewayWorld.open({ peerLimits: { commits: { perSecond: 0.01, burst: 2 } } })
  try {
    const { replica, sync } = await limited.native()
    replica.apply([
      { type: 'IntentAdded', id: 'a', phrasesByLang: {} },
      { type: 'IntentAdded', id: 'b', phrasesByLang: {} },
    ])
    await sync()
    const fields = { namespace: 'support', wrong_intent: 'a', right_intent: 'b' }
    const post = (...queries: string[]) =>
      limited.post('/api/sync', { corrections: queries.map((query) => ({ ...fields, query })) })
    // Nobody signs in: all of an address share ten times what one principal has.
    const twenty = Array.from({ length: 20 }, (_, i) => `query ${i}`)
    expect((await post(...twenty)).json).toMatchObject({ corrections_applied: 20 })
    const refused = await post('one more')
    expect(refused.status).toBe(429)
    expect(refused.json).toMatchObject({ error: 'RATE_LIMITED' })
    // What makes none is served on.
    expect((await post()).status).toBe(200)
  } finally {
    await limited.close()
  }
})
