// Plain Yjs clients at the engine itself: what is taken of them and what not, over one hub and over several on one store.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { limits, SyncError, type InspectedState, type ItemRange } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { DeletedItems } from '../src/deleted-items.ts'
import { anyone, openHub, readLog, type Principal } from '../src/index.ts'
import { Marks } from '../src/marks.ts'
import { admitPlain } from '../src/plain-admission.ts'
import { checkEpoch, epochFiller } from '../src/plain-epoch.ts'
import { plainReplicaOf } from '../src/plain-identity.ts'
import { PlainClient } from './plain-client.ts'
import {
  Author,
  Line,
  NAMESPACE,
  notes,
  openWorld,
  other,
  pass,
  settle,
  textsOf,
  type World,
} from './world.ts'

async function logOf(world: World) {
  const commits = []
  for await (const commit of readLog(world.store, NAMESPACE)) commits.push(commit)
  return commits
}

test('what a plain client writes is logged without ops and reaches replicas, and theirs reach it', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  const plain = new PlainClient(world.clock, 9_001).connect(world.hub)
  await settle()
  plain.note('milk').note('bread').forget('milk')
  await settle()
  expect(textsOf(line.updates)).toEqual({ bread: 'text of bread' })
  line.push(line.cursor?.epoch ?? null, ada.note('salt'))
  await settle()
  expect(plain.texts).toEqual({ bread: 'text of bread', salt: 'text of salt' })
  const replica = plainReplicaOf(anyone)
  const own = (await logOf(world)).filter(({ id }) => id.replica === replica)
  expect(own.every(({ ops, principal }) => ops.length === 0 && principal === 'anyone')).toBe(true)
  expect(own.map(({ id, prev }) => [prev, id.counter])).toEqual(own.map((_, i) => [i, i + 1]))
})

test('[5] resending everything it holds, deletions too, is no news to a hub that knows it, after a checkpoint as well', async () => {
  const world = openWorld()
  const plain = new PlainClient(world.clock, 9_001).connect(world.hub)
  await settle()
  for (const id of ['a', 'b', 'c']) plain.note(id)
  plain.forget('b').note('a', 'again')
  await settle()
  const { commits, records } = world.hub.metrics()
  const all = Y.encodeStateAsUpdate(
    plain.doc,
    yjsCrdt.updates.stateVector(
      new Map([...Y.decodeStateVector(Y.encodeStateVector(plain.doc))].filter(([id]) => id < 1_024)),
    ),
  )
  for (let i = 0; i < 20; i++)
    plain.say({ type: 'Update', update: all }).say({ type: 'SyncStep2', update: all })
  await settle()
  await world.hub.checkpoint(NAMESPACE)
  plain.say({ type: 'Update', update: all })
  await settle()
  expect(plain.closedWith).toBe(null)
  expect(world.hub.metrics()).toMatchObject({ commits, records })
})

test('[7] what a document says before it has shown its epoch waits for that, and then comes once', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  new Line(world).hello(ada).push(null, ada.note('milk'))
  await settle()
  const plain = new PlainClient(world.clock, 9_001)
  plain.isAnswering = false
  plain.connect(world.hub)
  plain.note('before it heard anything')
  await settle()
  plain.note('after it heard all')
  await settle()
  expect(await logOf(world)).toHaveLength(1)
  const asked = plain.received.find((message) => message.type === 'SyncStep1')
  plain.tell(asked?.stateVector ?? new Uint8Array(0))
  await settle()
  plain.note('live')
  await settle()
  expect((await logOf(world)).map(({ id }) => id.counter)).toEqual([1, 1, 2])
  expect(Object.keys(plain.texts)).toHaveLength(4)
  const reader = new PlainClient(world.clock, 9_002).connect(world.hub)
  await settle()
  expect(reader.texts).toEqual(plain.texts)
})

test('a document that is written on while it greets a namespace that does not exist begins it with all it holds', async () => {
  const world = openWorld()
  const plain = new PlainClient(world.clock, 9_001).note('offline').note('gone')
  plain.connect(world.hub)
  // Each goes on from what the hub has not heard of yet: its answer brings that.
  plain.forget('gone').note('while it greets')
  await settle()
  plain.note('live')
  await settle()
  expect(plain.closedWith).toBe(null)
  expect((await logOf(world)).map(({ id }) => id.counter)).toEqual([1, 2])
  const reader = new PlainClient(world.clock, 9_002).connect(world.hub)
  await settle()
  expect(Object.keys(reader.texts).toSorted()).toEqual(['live', 'offline', 'while it greets'])
})

test('[5] two hubs over one store take what clients of one principal write at once, each commit once', async () => {
  const [store, clock] = [new MapHubStore(), new VirtualClock(1)]
  const worlds = [0, 1].map(() => openWorld({ store, clock }))
  const clients = worlds.map(({ hub }, i) => new PlainClient(clock, 9_001 + i).connect(hub))
  await settle()
  for (let round = 0; round < 10; round++) {
    for (const [i, client] of clients.entries()) client.note(`${i}-${round}`)
    await settle()
  }
  await pass(clock, limits.followMs + 1_000)
  const names = Array.from({ length: 10 }, (_, round) => [`0-${round}`, `1-${round}`]).flat()
  for (const client of clients) {
    expect(client.closedWith).toBe(null)
    expect(Object.keys(client.texts).toSorted()).toEqual(names.toSorted())
  }
  const world = worlds[0]
  if (world === undefined) throw new Error('there are two')
  const counters = (await logOf(world)).map(({ id }) => id.counter)
  expect(counters).toEqual(counters.map((_, i) => i + 1))
})

test('[13] a namespace that was deleted is not begun anew by a plain client that was there before it existed', async () => {
  const [store, clock] = [new MapHubStore(), new VirtualClock(1)]
  const [here, there] = [openWorld({ store, clock }), openWorld({ store, clock })]
  const late = new PlainClient(clock, 9_001).connect(there.hub)
  await settle()
  new PlainClient(clock, 9_002).connect(here.hub).note('a')
  await settle()
  await store.remove(NAMESPACE)
  late.note('late')
  await pass(clock, 1_000)
  expect(late.closedWith?.code).toBe('NAMESPACE_DELETED')
  expect(await store.state(NAMESPACE)).toBe('removed')
})

test('[11] a replica cannot greet as a plain client', async () => {
  const world = openWorld()
  const line = new Line(world).hello({ replica: plainReplicaOf(anyone) })
  await settle()
  expect(line.story).toBe('Refused:room:REPLICA_TAKEN Closing:REPLICA_TAKEN')
})

test('a hub of several domains asks which one a new namespace is of', async () => {
  const world = openWorld()
  const undecided = new PlainClient(world.clock, 9_001).connect(world.hub, { domain: null })
  undecided.note('a')
  await settle()
  expect(undecided.closedWith?.code).toBe('DOMAIN_UNKNOWN')
  expect(await world.store.state(NAMESPACE)).toBe('unknown')
  new PlainClient(world.clock, 9_002).connect(world.hub, { domain: 'notes' }).note('a')
  await settle()
  const wrong = new PlainClient(world.clock, 9_003).connect(world.hub, { domain: other.name }).note('b')
  await settle()
  expect(wrong.closedWith?.code).toBe('DOMAIN_MISMATCH')
  const known = new PlainClient(world.clock, 9_004).connect(world.hub, { domain: null })
  await settle()
  expect(known.texts).toEqual({ a: 'text of a' })
})

test('an app that does not know everything in a document reads it and writes nothing', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  ada.domainVersion = 2
  new Line(world).hello(ada, null, { domainVersion: 2 }).push(null, ada.note('new'))
  await settle()
  const old = new PlainClient(world.clock, 9_001).connect(world.hub, { domainVersion: 1 })
  await settle()
  expect(old.texts).toEqual({ new: 'text of new' })
  old.note('mine')
  await settle()
  expect(old.closedWith?.code).toBe('DOMAIN_TOO_NEW')
  expect(await logOf(world)).toHaveLength(1)
})

test('[11] an entry that its schema forbids closes its client, and everything it wrote before stays', async () => {
  const world = openWorld()
  const plain = new PlainClient(world.clock, 9_001).connect(world.hub)
  const bystander = new PlainClient(world.clock, 9_002).connect(world.hub)
  await settle()
  plain.note('a')
  await settle()
  const entries = plain.doc.getArray('entries')
  entries.insert(entries.length, [['notes', 'b', 7, plain.wrapped.newestHlc]])
  await settle()
  expect(plain.closedWith?.code).toBe('ENTRY_INVALID')
  expect(plain.received.at(-1)).toMatchObject({ type: 'PermissionDenied' })
  expect(bystander.closedWith).toBe(null)
  expect(bystander.texts).toEqual({ a: 'text of a' })
})

test('a hub that is closing logs what it took, and takes no more', async () => {
  const world = openWorld()
  const plain = new PlainClient(world.clock, 9_001).connect(world.hub)
  await settle()
  plain.note('a')
  await settle()
  plain.note('b')
  await world.hub.close()
  expect(plain.closedWith?.code).toBe('HUB_CLOSING')
  const next = openHub({ store: world.store, updates: yjsCrdt.updates, domains: [notes], clock: world.clock })
  const again = new PlainClient(world.clock, 9_003, plain.doc)
  again.connect(next)
  await settle()
  const reader = new PlainClient(world.clock, 9_002).connect(next)
  await settle()
  expect(reader.texts).toEqual({ a: 'text of a', b: 'text of b' })
})

test('[11] whatever bytes come, the answer is a refusal with a code, or nothing that was not honest', () => {
  const clock = new VirtualClock(1)
  const marks = Marks.begin(7, 'notes')
  const plain = new PlainClient(clock, 9_001)
  for (const id of ['a', 'b']) plain.note(id)
  plain.forget('a')
  const honest = Y.encodeStateAsUpdate(plain.doc)
  const principal: Principal = { ...anyone, id: 'stranger' }
  let admitted = 0
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }), (strikes) => {
      const update = honest.slice()
      for (const [at, byte] of strikes) update[at % update.length] = byte
      const state = readOrCode(update)
      if (typeof state === 'string') return state.startsWith('UPDATE_')
      const admission = admitPlain(
        {
          namespace: NAMESPACE,
          principal,
          domain: notes,
          domainVersion: 1,
          replica: plainReplicaOf(principal),
          epoch: 7,
          update,
          state,
          isMarked: false,
          deleted: () => null,
        },
        marks,
        yjsCrdt.updates,
        clock.now(),
        limits.freshClientsMin,
      )
      if (admission.kind === 'refused') return admission.error.code !== 'HUB_INTERNAL'
      if (admission.kind !== 'admitted') return true
      admitted++
      // What is logged can be read by everybody, and holds nothing but notes.
      const doc = yjsCrdt.open(4_000, [admission.commit.update])
      const names = [...doc.tableNames()]
      doc.destroy()
      return names.every((name) => name === 'notes')
    }),
    { numRuns: 20_000 },
  )
  expect(admitted).toBeGreaterThan(100)
})

test('the table of deleted items says what a set of them would', () => {
  const range = fc.record({
    client: fc.constantFrom(1, 2),
    clock: fc.nat(40),
    length: fc.integer({ min: 1, max: 10 }),
  })
  const itemsOf = (ranges: readonly ItemRange[]): string[] =>
    ranges.flatMap(({ client, clock, length }) => Array.from({ length }, (_, i) => `${client}:${clock + i}`))
  fc.assert(
    fc.property(fc.array(range), fc.array(range), (added, asked) => {
      const table = new DeletedItems()
      const model = new Set<string>()
      for (const each of added) {
        table.add([each])
        for (const item of itemsOf([each])) model.add(item)
        expect(itemsOf(table.missing(asked))).toEqual(itemsOf(asked).filter((item) => !model.has(item)))
      }
    }),
    { numRuns: 1_000 },
  )
})

test('[7] epochs that follow each other have fillers that no document takes for each other', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 48 }),
      fc.integer({ min: 1, max: 2 ** 24 + 1 }),
      (epoch, more) => {
        const [before, after] = [epochFiller(epoch), epochFiller(epoch + more)]
        expect([before.client, before.length]).not.toEqual([after.client, after.length])
        expect(before.length).toBeLessThan(2 ** 31)
        const marks = Marks.begin(epoch + more, 'notes')
        const held = new Map([[before.client, before.length]])
        expect(() => checkEpoch(NAMESPACE, held, marks)).toThrow(/connect again with an empty/)
        expect(checkEpoch(NAMESPACE, new Map([[after.client, after.length]]), marks)).toBe(true)
      },
    ),
  )
})

function readOrCode(update: Uint8Array): InspectedState | string {
  try {
    return yjsCrdt.updates.inspectState(update)
  } catch (error) {
    return error instanceof SyncError ? error.code : 'no code'
  }
}
