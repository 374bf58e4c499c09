// Deltas as pure values: a real log of replicas that were apart, and a client that carries out what the delta says.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseHlc, SyncError, type AnyOp } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub, readRecords } from '@rejoin/hub'
import { exportOf, GatewayDelta, intents, opOfKind, type IntentsOp, type VersionedOp } from '@rejoin/intents'
import { openReplica, type Replica } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial } from '@rejoin/transport'
import { anyOp, commonOps } from './arbitrary-ops.ts'
import { contentOf, ThinState, type ThinHabits } from './thin-state.ts'

const NAMESPACE = 'support'
type Native = Replica<typeof intents>

async function openWorld(replicas: number) {
  const store = new MapHubStore()
  const clock = new VirtualClock(0)
  const hub = openHub({ store, updates: yjsCrdt.updates, domains: [intents], clock })
  const natives: Native[] = []
  for (let i = 0; i <= replicas; i++) {
    // Their clocks are wrong by a minute each way: what is logged first is not what was meant first.
    const skewed = new VirtualClock(i + 1, clock.now() + (i % 3) * 60_000)
    const { dial } = memoryDial({ clock: skewed, accept: (channel) => void hub.accept(channel, anyone) })
    const store = new MapReplicaStore()
    natives.push(
      await openReplica({
        domain: intents,
        namespace: NAMESPACE,
        store,
        crdt: yjsCrdt,
        clock: skewed,
        dial,
        live: false,
      }),
    )
  }
  const reader = natives.pop()
  if (reader === undefined) throw new Error('there is always one more')
  return {
    store,
    natives,
    reader,
    close: async () => {
      for (const replica of [...natives, reader]) await replica.close()
      await hub.close()
    },
  }
}

/** The delta from a version to what the reader has, or null where there is none. */
async function deltaFrom(
  store: MapHubStore,
  reader: Native,
  version: number,
): Promise<readonly VersionedOp[] | null> {
  const head = reader.status.cursor?.seq ?? 0
  const reading = await readRecords(store, NAMESPACE, version)
  if (reading.kind === 'end') return []
  if (reading.kind === 'gap') return null
  const delta = new GatewayDelta()
  for await (const page of reading.pages) {
    for (const { seq, record } of page) {
      if (record.kind !== 'commits') return null
      for (const { opsJson } of record.commits)
        if (!delta.add(seq, JSON.parse(opsJson) as AnyOp[])) return null
    }
  }
  return delta.settled(reader.tables, head)
}

/** The ops of the log that follow on what one replica does, alone. */
async function deltaOf(...commits: IntentsOp[][]): Promise<readonly VersionedOp[]> {
  const world = await openWorld(1)
  for (const ops of commits) {
    world.natives[0]?.apply(ops)
    await world.natives[0]?.syncOnce()
  }
  await world.reader.syncOnce()
  const ops = await deltaFrom(world.store, world.reader, 0)
  await world.close()
  if (ops === null) throw new Error('there is no delta')
  return ops
}

describe('one writer', () => {
  test('gives the ops of the log as they are, in their JSON, each with its version', async () => {
    const greet = { kind: 'intent_added', id: 'greet', description: null, instructions: null, persona: null }
    expect(
      await deltaOf(
        [{ type: 'IntentAdded', id: 'greet', phrasesByLang: { en: ['hello', 'hi'] } }],
        [{ type: 'PhraseAdded', intentId: 'greet', phrase: 'howdy', lang: 'en' }],
        [{ type: 'PhraseRemoved', intentId: 'greet', phrase: 'hi' }],
        [{ type: 'WeightUpdates', changes: [['hello', 'greet', 0.8]] }],
        [
          {
            type: 'IntentMetadataUpdated',
            id: 'greet',
            edit: { description: 'd', persona: null, guardrails: ['g'] },
          },
        ],
        [{ type: 'NamespaceMetadataUpdated', edit: { name: 'n', default_threshold: 0.5 } }],
        [{ type: 'DomainDescription', domain: 'billing', description: 'about money' }],
        [{ type: 'DomainDescription', domain: 'billing', description: null }],
      ),
    ).toEqual([
      { ...greet, phrases_by_lang: { en: ['hello', 'hi'] }, version: 1 },
      { kind: 'phrase_added', intent_id: 'greet', phrase: 'howdy', lang: 'en', version: 2 },
      { kind: 'phrase_removed', intent_id: 'greet', phrase: 'hi', version: 3 },
      { kind: 'weight_updates', changes: [['hello', 'greet', Math.fround(0.8)]], version: 4 },
      {
        kind: 'intent_metadata_updated',
        id: 'greet',
        edit_json: '{"persona":"","description":"d","guardrails":["g"],"clear":["persona"]}',
        version: 5,
      },
      { kind: 'namespace_metadata_updated', edit_json: '{"default_threshold":0.5,"name":"n"}', version: 6 },
      { kind: 'domain_description', domain: 'billing', description: 'about money', version: 7 },
      { kind: 'domain_description', domain: 'billing', description: null, version: 8 },
    ])
  })

  test('texts of a new intent are told twice, since clients ignore those of intent_added', async () => {
    expect(
      await deltaOf([{ type: 'IntentAdded', id: 'greet', phrasesByLang: {}, description: 'says hello' }]),
    ).toEqual([
      {
        kind: 'intent_added',
        id: 'greet',
        phrases_by_lang: {},
        description: 'says hello',
        instructions: null,
        persona: null,
        version: 1,
      },
      {
        kind: 'intent_metadata_updated',
        id: 'greet',
        edit_json: '{"description":"says hello"}',
        version: 1,
      },
    ])
  })

  test('an intent that comes in parts is added once', async () => {
    const ops = await deltaOf([
      { type: 'IntentAdded', id: 'a', phrasesByLang: { en: ['one'] } },
      { type: 'IntentAdded', id: 'a', phrasesByLang: { en: ['two'] }, startAt: 1 },
    ])
    expect(ops.map(({ kind }) => kind)).toEqual(['intent_added', 'phrase_added'])
  })
})

test('what is said of an intent before it is removed is left out', async () => {
  const ops = await deltaOf(
    [{ type: 'IntentAdded', id: 'a', phrasesByLang: { en: ['one'] } }],
    [{ type: 'WeightUpdates', changes: [['one', 'a', 0.5]] }],
    [{ type: 'IntentRemoved', id: 'a' }],
  )
  expect(ops).toEqual([{ kind: 'intent_removed', id: 'a', version: 3 }])
})

describe('ops that the log order does not explain', () => {
  test('there is none where a choice or an undo is in between', async () => {
    const world = await openWorld(1)
    const [a] = world.natives
    a?.apply({ type: 'IntentAdded', id: 'greet', phrasesByLang: {} })
    await a?.syncOnce()
    a?.undo()
    await a?.syncOnce()
    await world.reader.syncOnce()
    expect(await deltaFrom(world.store, world.reader, 0)).toBeNull()
    await world.close()
  })

  test('there is none where a weight is told that was not written, since it stood when it was told', async () => {
    const world = await openWorld(2)
    const [a, b] = world.natives
    a?.apply(commonOps)
    await a?.syncOnce()
    await b?.syncOnce()
    a?.apply({ type: 'IntentRemoved', id: 'a' })
    await a?.syncOnce()
    a?.apply({ type: 'IntentAdded', id: 'a', phrasesByLang: {} })
    await a?.syncOnce()
    b?.apply({
      type: 'WeightUpdates',
      changes: [
        ['one', 'a', 0.5],
        ['two', 'a', 1],
      ],
    })
    await b?.syncOnce()
    await world.reader.syncOnce()
    expect(world.reader.tables.weights.get(['a', 'one'])).toBeUndefined()
    expect(await deltaFrom(world.store, world.reader, 1)).toBeNull()
    await world.close()
  })

  const who = fc.nat(1)
  const steps = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('apply' as const), who, op: anyOp() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('sync' as const), who }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('poll' as const), who }) },
  )

  test('[1] a client that carries out delta upon delta holds what a native replica reads, whatever its habits', async () => {
    let deltas = 0
    let stamps = 0
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 10, maxLength: 40 }), async (story) => {
        const world = await openWorld(2)
        const habits: ThinHabits[] = [
          { again: 'replaces', strayWeights: 'kept' },
          { again: 'adds', strayWeights: 'ignored' },
        ]
        const clients = habits.map((habit) => ({ state: new ThinState(habit), version: 0 }))
        const poll = async (who: number): Promise<void> => {
          const client = clients[who]
          if (client === undefined) throw new Error('no such client')
          await world.reader.syncOnce()
          const head = world.reader.status.cursor?.seq ?? 0
          if (head === client.version) return
          const delta = await deltaFrom(world.store, world.reader, client.version)
          if (delta === null) client.state.load(JSON.stringify(exportOf(world.reader.tables, head)))
          else for (const op of delta) client.state.apply(op)
          client.version = head
          deltas++
          expect(client.state.content()).toEqual(contentOf(world.reader.tables))
        }
        // What everybody has, so that the story is about differences.
        world.natives[0]?.apply(commonOps)
        for (const native of world.natives) await native.syncOnce()
        await poll(0)
        for (const each of story) {
          if (each.kind === 'poll') await poll(each.who)
          else if (each.kind === 'sync') await world.natives[each.who]?.syncOnce()
          else applyIfMeant(world.natives[each.who], each.op)
        }
        for (const native of world.natives) await native.syncOnce()
        for (const who of clients.keys()) await poll(who)
        stamps += await outOfOrder(world.store)
        await world.close()
      }),
      { numRuns: 1_000 },
    )
    // The runs were about something: deltas were taken, of logs in which later commits were meant earlier.
    expect(deltas).toBeGreaterThan(300)
    expect(stamps).toBeGreaterThan(100)
  })
})

describe('ops of kinds, read', () => {
  test('every op comes back as what it says, members that nobody knows left out', () => {
    const edit = '{"description":"d","schema":{"a":null},"clear":["persona"]}'
    expect(opOfKind({ kind: 'intent_metadata_updated', id: 'a', edit_json: edit, version: 7 })).toEqual([
      {
        type: 'IntentMetadataUpdated',
        id: 'a',
        edit: { description: 'd', schema: { a: null }, persona: null },
      },
    ])
    expect(
      opOfKind({ kind: 'intent_added', id: 'a', phrases_by_lang: {}, description: null, intent_type: 'x' }),
    ).toEqual([{ type: 'IntentAdded', id: 'a', phrasesByLang: {} }])
  })

  test.each([
    [{ kind: 'intent_renamed' }, 'OP_UNKNOWN'],
    [{ kind: 'constructor' }, 'OP_UNKNOWN'],
    [{ kind: 'intent_removed' }, 'INPUT_INVALID'],
    [{ kind: 'namespace_metadata_updated', edit_json: '{' }, 'INPUT_INVALID'],
    [null, 'INPUT_INVALID'],
  ])('what is none is refused: %j', (json, code) => {
    expect(() => opOfKind(json)).toThrowError(expect.objectContaining({ code }) as SyncError)
  })
})

function applyIfMeant(replica: Native | undefined, op: IntentsOp): void {
  try {
    replica?.apply(op)
  } catch (error) {
    if (!(error instanceof SyncError)) throw error
  }
}

/** Commits that are stamped before one that is logged before them. */
async function outOfOrder(store: MapHubStore): Promise<number> {
  const reading = await readRecords(store, NAMESPACE, 0)
  if (reading.kind !== 'records') return 0
  let newest = 0
  let count = 0
  for await (const page of reading.pages) {
    for (const { record } of page) {
      if (record.kind !== 'commits') continue
      for (const { hlc } of record.commits) {
        const { ms } = parseHlc(hlc)
        if (ms < newest) count++
        newest = Math.max(newest, ms)
      }
    }
  }
  return count
}
