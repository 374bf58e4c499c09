// Every body of the gateway, byte shape by byte shape, from a real hub over real HTTP.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SyncError } from '@rejoin/core'
import { anyone, type Principal } from '@rejoin/hub'
import type { IntentsOp } from '@rejoin/intents'
import type { ReceivedQueryLog } from 'rejoin'
import { GatewayWorld, ThinClient, type Native } from './world.ts'
import { contentOf } from './thin-state.ts'

const greet: IntentsOp = { type: 'IntentAdded', id: 'greet', phrasesByLang: { en: ['hello', 'hi'] } }
const bye: IntentsOp = { type: 'IntentAdded', id: 'bye', phrasesByLang: { en: ['goodbye'] } }

describe('sync and snapshot', () => {
  let world: GatewayWorld
  let replica: Native
  let sync: () => Promise<void>
  const logged: ReceivedQueryLog[] = []

  beforeAll(async () => {
    world = await GatewayWorld.open({ onQueryLog: (entries) => void logged.push(...entries) })
    ;({ replica, sync } = await world.native())
    replica.apply(greet)
    await sync()
    replica.apply(bye)
    await sync()
    replica.apply({ type: 'NamespaceMetadataUpdated', edit: { name: 'Support', description: 'helps' } })
    await sync()
  })
  afterAll(() => world.close())

  test.each([
    ['nothing asked', {}, {}],
    ['equal: nothing new', { local_versions: { support: 3 } }, { support: { up_to_date: true, version: 3 } }],
    [
      'behind, and takes no deltas: cold',
      { local_versions: { support: 2 } },
      { support: { cold_start_required: true, version: 3 } },
    ],
    [
      'takes deltas, but says that it takes none: cold',
      { local_versions: { support: 2 }, supports_delta: false },
      { support: { cold_start_required: true, version: 3 } },
    ],
    [
      'behind by one',
      { local_versions: { support: 2 }, supports_delta: true },
      {
        support: {
          version: 3,
          ops: [
            {
              kind: 'namespace_metadata_updated',
              edit_json: '{"description":"helps","name":"Support"}',
              version: 3,
            },
          ],
        },
      },
    ],
    [
      'below what it takes ops from: cold',
      { local_versions: { support: 1 }, supports_delta: true, oplog_min_version: 2 },
      { support: { cold_start_required: true, version: 3 } },
    ],
    [
      'ahead of the log: cold, and told why',
      { local_versions: { support: 9 }, supports_delta: true },
      { support: { cold_start_required: true, version: 3, reason: 'ahead' } },
    ],
    [
      'unknown here: nothing new, and told apart from what is here',
      { local_versions: { nowhere: 4, 'No Name!': 0 }, supports_delta: true },
      {
        nowhere: { up_to_date: true, version: 0, state: 'unknown' },
        'No Name!': { up_to_date: true, version: 0, state: 'unknown' },
      },
    ],
    [
      'members that nobody knows are let be',
      { local_versions: { support: 3 }, hostname: 'x', library_version: 'thin/1.0', tick_interval_secs: 5 },
      { support: { up_to_date: true, version: 3 } },
    ],
  ])('POST /api/sync, %s', async (_, request, namespaces) => {
    const { status, text } = await world.post('/api/sync', request)
    expect(status).toBe(200)
    expect(JSON.parse(text)).toEqual({ namespaces, logs_accepted: 0, corrections_applied: 0 })
  })

  test('from the beginning every op comes, with the version of its commit', async () => {
    const { json } = await world.post('/api/sync', { local_versions: { support: 0 }, supports_delta: true })
    const texts = { description: null, instructions: null, persona: null }
    expect(json['namespaces']).toEqual({
      support: {
        version: 3,
        ops: [
          {
            kind: 'intent_added',
            id: 'greet',
            phrases_by_lang: { en: ['hello', 'hi'] },
            ...texts,
            version: 1,
          },
          { kind: 'intent_added', id: 'bye', phrases_by_lang: { en: ['goodbye'] }, ...texts, version: 2 },
          {
            kind: 'namespace_metadata_updated',
            edit_json: '{"description":"helps","name":"Support"}',
            version: 3,
          },
        ],
      },
    })
  })

  test.each([
    ['all', {}, ['support']],
    ['all, by an empty list', { namespace_ids: [] }, ['support']],
    ['one', { namespace_ids: ['support'] }, ['support']],
    ['one twice', { namespace_ids: ['support', 'support'] }, ['support']],
    ['unknown ones are left out', { namespace_ids: ['nowhere', 'support', '?!'] }, ['support']],
    ['none that is there', { namespace_ids: ['nowhere'] }, []],
  ])('POST /api/snapshot, %s', async (_, request, ids) => {
    const { status, json, text } = await world.post('/api/snapshot', request)
    expect(status).toBe(200)
    const found = json['namespaces'] as Record<string, { version: number; export: string }>
    expect(Object.keys(json)).toEqual(['namespaces'])
    expect(Object.keys(found)).toEqual(ids)
    expect(text.startsWith('{"namespaces":{')).toBe(true)
    for (const id of ids) {
      expect(Object.keys(found[id] ?? {})).toEqual(['version', 'export'])
      expect(found[id]?.version).toBe(3)
      expect(JSON.parse(found[id]?.export ?? '')).toEqual({
        training: { bye: { en: ['goodbye'] }, greet: { en: ['hello', 'hi'] } },
        descriptions: {},
        instructions: {},
        persona: {},
        sources: {},
        targets: {},
        schemas: {},
        guardrails: {},
        version: 3,
        intent_types: {},
        weights: [],
        namespace: { name: 'Support', description: 'helps' },
        domain_descriptions: {},
        extras: {},
      })
    }
  })

  test('GET /api/namespaces lists what is here', async () => {
    const { status, text } = await world.send('GET', '/api/namespaces')
    expect(status).toBe(200)
    expect(JSON.parse(text)).toEqual([{ id: 'support', name: 'Support', description: 'helps', version: 3 }])
  })

  test('the query log goes to whoever takes it, and is counted', async () => {
    const entry = { query: 'hello', app_id: 'app', detected_intents: ['greet'], timestamp_ms: 17 }
    const { json } = await world.post('/api/sync', { logs: [entry, { ...entry, session_id: 's', extra: 1 }] })
    expect(json).toEqual({ namespaces: {}, logs_accepted: 2, corrections_applied: 0 })
    const whole = { ...entry, confidence: 'none', router_version: 0, source: 'connected:anyone' }
    expect(logged).toEqual([whole, { ...whole, session_id: 's', extra: 1 }])
  })

  test.each([
    ['no JSON', '{"logs":', 400, 'INPUT_INVALID'],
    ['nothing', '', 400, 'INPUT_INVALID'],
    ['no object', '[]', 400, 'INPUT_INVALID'],
    ['a version that is none', '{"local_versions":{"support":-1}}', 400, 'INPUT_INVALID'],
    ['a version as text', '{"local_versions":{"support":"3"}}', 400, 'INPUT_INVALID'],
    ['a version beyond every number', '{"local_versions":{"support":1e400}}', 400, 'INPUT_INVALID'],
    ['__proto__ as a namespace', '{"local_versions":{"__proto__":1}}', 400, 'INPUT_INVALID'],
    ['deep nesting', `{"x":${'['.repeat(5_000)}${']'.repeat(5_000)}}`, 400, 'INPUT_INVALID'],
    ['a correction without a query', '{"corrections":[{"namespace":"support"}]}', 400, 'INPUT_INVALID'],
    [
      'too many corrections',
      JSON.stringify({
        corrections: Array.from({ length: 1_001 }, () => ({
          namespace: 'a',
          query: 'q',
          wrong_intent: 'w',
          right_intent: 'r',
        })),
      }),
      400,
      'INPUT_INVALID',
    ],
    ['too much', JSON.stringify({ x: 'x'.repeat(5 * 1024 * 1024) }), 413, 'MESSAGE_TOO_LARGE'],
  ])('what is no request is refused and changes nothing: %s', async (_, body, status, error) => {
    const answer = await world.post('/api/sync', body)
    expect({ status: answer.status, error: answer.json['error'] }).toEqual({ status, error })
    expect(answer.json['message']).toEqual(expect.any(String))
  })

  test('ill-formed UTF-8 is refused', async () => {
    const { status } = await world.send('POST', '/api/sync', new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]))
    expect(status).toBe(400)
  })

  test.each([
    ['GET', '/api/sync'],
    ['POST', '/api/elsewhere'],
    ['DELETE', '/api/namespaces'],
  ])('what is not there is said to be so: %s %s', async (method, path) => {
    const { status, json } = await world.send(method, path)
    expect({ status, error: json['error'] }).toEqual({ status: 404, error: 'MESSAGE_UNKNOWN' })
  })
})

describe('corrections', () => {
  test('are carried out before the deltas are made, each with its outcome, and reach everybody', async () => {
    const world = await GatewayWorld.open()
    const { replica, sync } = await world.native()
    replica.apply([greet, bye])
    await sync()
    const correction = { namespace: 'support', wrong_intent: 'bye', right_intent: 'greet' }
    const first = await world.post('/api/sync', {
      local_versions: { support: 1 },
      supports_delta: true,
      corrections: [
        { ...correction, query: 'goodbye', id: 'c1' },
        { ...correction, query: 'hello' },
        { ...correction, query: '  ' },
        { ...correction, query: 'x', right_intent: 'nobody', id: 'c4' },
        { ...correction, query: 'x', namespace: 'nowhere' },
        { ...correction, query: 'a\u0000b' },
      ],
    })
    expect(first.json).toEqual({
      namespaces: {
        support: {
          version: 2,
          ops: [
            { kind: 'phrase_removed', intent_id: 'bye', phrase: 'goodbye', version: 2 },
            { kind: 'phrase_added', intent_id: 'greet', phrase: 'goodbye', lang: 'en', version: 2 },
          ],
        },
      },
      logs_accepted: 0,
      corrections_applied: 3,
      corrections: [
        { id: 'c1', status: 'applied' },
        { status: 'unchanged' },
        { status: 'unchanged' },
        { id: 'c4', status: 'rejected', error: 'PARENT_MISSING', message: expect.any(String) as string },
        { status: 'rejected', error: 'NAMESPACE_UNKNOWN', message: expect.any(String) as string },
        { status: 'rejected', error: 'OP_INVALID', message: expect.any(String) as string },
      ],
    })
    // Sent again, since the answer was lost: nothing more happens.
    const again = await world.post('/api/sync', { corrections: [{ ...correction, query: 'goodbye' }] })
    expect(again.json['corrections']).toEqual([{ status: 'unchanged' }])
    await sync()
    expect(replica.status.cursor?.seq).toBe(2)
    expect([...replica.tables.phrases.entries(['greet'])].map(([[, , phrase]]) => phrase).sort()).toEqual([
      'goodbye',
      'hello',
      'hi',
    ])
    await world.close()
  })

  test('[3] one that counted is there after the hub was started anew', async () => {
    const world = await GatewayWorld.open()
    const { replica, sync } = await world.native()
    replica.apply([greet, bye])
    await sync()
    const corrections = [
      { namespace: 'support', query: 'see you', wrong_intent: 'greet', right_intent: 'bye' },
    ]
    const { json } = await world.post('/api/sync', { corrections })
    expect(json['corrections_applied']).toBe(1)
    await world.restart()
    const thin = new ThinClient(world, { again: 'replaces', strayWeights: 'kept' })
    thin.subscribe('support')
    await thin.sync()
    expect(thin.state('support').content().intents['bye']?.phrases).toEqual({ en: ['goodbye', 'see you'] })
    expect(thin.versions).toEqual({ support: 2 })
    await world.close()
  })

  test('[1] two thin clients and a native replica correct, and hold the same', async () => {
    const world = await GatewayWorld.open()
    const { replica, sync } = await world.native()
    replica.apply([greet, bye])
    await sync()
    const thin = [
      new ThinClient(world, { again: 'replaces', strayWeights: 'kept' }),
      new ThinClient(world, { again: 'adds', strayWeights: 'ignored' }, false),
    ]
    for (const client of thin) client.subscribe('support')
    const correction = { namespace: 'support', wrong_intent: 'bye', right_intent: 'greet' }
    await Promise.all(
      thin.map((client, i) =>
        client.sync([
          { ...correction, query: `q${i}` },
          { ...correction, query: 'both' },
        ]),
      ),
    )
    replica.apply({ type: 'PhraseAdded', intentId: 'bye', phrase: 'both', lang: 'en' })
    await sync()
    for (const client of thin) await client.sync()
    await sync()
    for (const client of thin) expect(client.state('support').content()).toEqual(contentOf(replica.tables))
    expect([...replica.tables.phrases.entries(['greet'])].length).toBe(5)
    await world.close()
  })
})

describe('signing in', () => {
  const principals: Record<string, Principal> = {
    reads: { ...anyone, id: 'reads', name: 'reads', canWrite: () => false },
    other: {
      ...anyone,
      id: 'other',
      name: 'other',
      canRead: (name) => name === 'other',
      canWrite: () => false,
    },
  }
  let world: GatewayWorld

  beforeAll(async () => {
    world = await GatewayWorld.open()
    for (const namespace of ['support', 'other']) {
      const { replica, sync } = await world.native(namespace)
      replica.apply(greet)
      await sync()
    }
    await world.restart({
      authenticate: ({ headers }) => {
        const key = headers.get('x-api-key') ?? ''
        if (key === 'busy') throw new SyncError('RATE_LIMITED', 'too many')
        return key === 'all' ? anyone : (principals[key] ?? null)
      },
    })
  })
  afterAll(() => world.close())

  test.each([
    ['/api/sync', {}],
    ['/api/sync', { 'x-api-key': 'wrong' }],
    ['/api/snapshot', { 'x-api-key': 'wrong' }],
    ['/api/elsewhere', { 'x-api-key': 'wrong' }],
  ])('nobody that is known: 401 with an empty body at %s with %j', async (path, headers) => {
    const answer = await world.post(path, {}, headers)
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 401, text: '' })
  })

  test('whoever may not write corrects nothing, and is told', async () => {
    const correction = { query: 'q', wrong_intent: 'a', right_intent: 'greet' }
    const corrections = ['support', 'nowhere'].map((namespace) => ({ ...correction, namespace }))
    const request = { corrections, local_versions: { support: 1 } }
    const { status, json } = await world.post('/api/sync', request, { 'x-api-key': 'reads' })
    expect(status).toBe(200)
    expect(json['corrections']).toMatchObject([
      { status: 'rejected', error: 'FORBIDDEN' },
      { status: 'rejected', error: 'NAMESPACE_UNKNOWN' },
    ])
    expect(json['namespaces']).toEqual({ support: { up_to_date: true, version: 1 } })
  })

  test('what somebody may not read is not there for them', async () => {
    const headers = { 'x-api-key': 'other' }
    expect((await world.send('GET', '/api/namespaces', null, headers)).json).toMatchObject([{ id: 'other' }])
    const { json } = await world.post('/api/sync', { local_versions: { support: 0 } }, headers)
    expect(json['namespaces']).toEqual({ support: { up_to_date: true, version: 0, state: 'unknown' } })
    const snapshots = await world.post('/api/snapshot', {}, headers)
    expect(Object.keys(snapshots.json['namespaces'] as object)).toEqual(['other'])
    const named = await world.post('/api/snapshot', { namespace_ids: ['support'] }, headers)
    expect(named.text).toBe('{"namespaces":{}}')
    expect((await world.send('GET', '/v1/support/ops', null, headers)).status).toBe(403)
  })

  test('too much at once is told as such', async () => {
    expect((await world.post('/api/sync', {}, { 'x-api-key': 'busy' })).status).toBe(429)
  })
})

test('a hub that serves no thin clients has nothing at their paths', async () => {
  const world = await GatewayWorld.open({ gateway: false })
  expect((await world.post('/api/sync', {})).status).toBe(404)
  await world.close()
})
