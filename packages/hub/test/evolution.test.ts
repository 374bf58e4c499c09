// Hubs and replicas of two versions of a domain: who may write what, who is told what, and what the log keeps.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineDomain, Id, map, type AnyDomain, type ErrorCode, type PushedCommit } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { readLog, rebuildNamespace, type HubLogEvent } from '../src/index.ts'
import { openLog } from '../src/opening.ts'
import { Author, Line, NAMESPACE, openWorld, pass, settle, type World } from './world.ts'

const text = z.string().max(100)
const notes = map({ key: Id, value: text })
const colors = map({ key: Id, value: z.enum(['red', 'blue']) })

const first = defineDomain({
  name: 'notes',
  version: 1,
  tables: { notes, colors },
  ops: (op) => ({
    Noted: op(z.object({ id: Id, text }), (t, o) => t.notes.set(o.id, o.text)),
    Colored: op(z.object({ id: Id, color: z.string() }), (t, o) => t.colors.set(o.id, o.color as 'red')),
    Odd: op(z.object({ id: Id }), (t, o) => t.notes.set(o.id, 'odd')),
  }),
})
/** `Noted` has another name, colors are gone. */
const second = defineDomain({
  name: 'notes',
  version: 2,
  tables: { notes },
  retired: { colors },
  ops: (op) => ({
    Written: op(z.object({ id: Id, text }), (t, o) => t.notes.set(o.id, o.text)),
  }),
  upcast: {
    Noted: { 1: (o) => ({ ...o, type: 'Written' }) },
    Colored: { 1: () => null },
    Odd: {
      1: () => {
        throw new Error('it is odd')
      },
    },
  },
})

function authorOf(domain: AnyDomain, world: World): Author {
  const author = new Author(world.clock)
  author.domain = domain
  author.domainVersion = domain.version
  return author
}

const greet = async (world: World, author: Author): Promise<Line> => {
  const line = new Line(world).hello(author, null, { domainVersion: author.domainVersion })
  await settle()
  return line
}
const push = async (line: Line, ...commits: PushedCommit[]): Promise<void> => {
  line.push(line.cursor?.epoch ?? null, ...commits)
  await settle()
}
const noted = (author: Author, id: string): PushedCommit => author.commit({ type: 'Noted', id, text: id })
const written = (author: Author, id: string): PushedCommit => author.commit({ type: 'Written', id, text: id })

test('[16] a hub serves a document that is newer than its domain, and lets nothing into it', async () => {
  const [clock, store, events] = [new VirtualClock(1), new MapHubStore(), [] as HubLogEvent[]]
  const newer = openWorld({ clock, store, domains: [second] })
  const ada = authorOf(second, newer)
  const one = written(ada, 'a')
  await push(await greet(newer, ada), one)
  await newer.hub.close()

  const older = openWorld({ clock, store, domains: [first], log: (event) => events.push(event) })
  const bea = authorOf(first, older)
  const line = await greet(older, bea)
  expect(line.story).toBe('Welcome:tail NewerDomain:2 Tail@1[1] CaughtUp@1:0')
  line.forget()
  const head = line.cursor
  await push(line, noted(bea, 'b'))
  expect(line.story).toBe('Refused:1:DOMAIN_TOO_NEW')
  expect(line.of('Refused')[0]?.message).toContain('this hub knows version 1')
  expect(events).toContainEqual(
    expect.objectContaining({ level: 'warn', error: expect.objectContaining({ code: 'DOMAIN_TOO_NEW' }) }),
  )
  // What is in the log already is acknowledged again: that needs no domain.
  const adas = await greet(older, ada)
  await push(adas, one, written(ada, 'c'))
  expect(adas.story).toBe('Welcome:tail Tail@1[1] CaughtUp@1:1 Ack:1again@1 Refused:2:DOMAIN_TOO_NEW')
  expect((await greet(older, authorOf(first, older))).cursor).toEqual(head ?? adas.cursor)
})

test('[16] who does not offer to hear of newer versions is told nothing, and served the same', async () => {
  const world = openWorld({ clock: new VirtualClock(1), store: new MapHubStore(), domains: [second] })
  const ada = authorOf(second, world)
  await push(await greet(world, ada), written(ada, 'a'))
  const old = new Line(world).hello(authorOf(first, world), null, { capabilities: ['delta'] })
  await settle()
  expect(old.story).toBe('Welcome:tail Tail@1[1] CaughtUp@1:0')
})

test('[16] of two hubs over one log, the older one takes nothing in from the moment that the newer one does', async () => {
  const [clock, store] = [new VirtualClock(1), new MapHubStore()]
  const [older, newer] = [first, second].map((domain) => openWorld({ clock, store, domains: [domain] }))
  if (older === undefined || newer === undefined) throw new Error('two hubs')
  const [ada, bea] = [authorOf(first, older), authorOf(second, newer)]
  const adas = await greet(older, ada)
  await push(adas, noted(ada, 'a'))
  await push(await greet(newer, bea), written(bea, 'b'))
  adas.forget()
  await push(adas, noted(ada, 'c'))
  await pass(clock, 1_000)
  expect(adas.story).toContain('NewerDomain:2 Tail@2[1]')
  expect(adas.of('Refused')).toMatchObject([{ counter: 2, code: 'DOMAIN_TOO_NEW' }])
  expect((await openLog(store, yjsCrdt.updates, NAMESPACE)).marks?.head.seq).toBe(2)
})

test('[16] a replica that is newer than the hub is served, may write what the hub knows, and nothing newer', async () => {
  const world = openWorld({ domains: [first] })
  const ada = authorOf(first, world)
  ada.commit({ type: 'Noted', id: 'a', text: 'offline, before the update of the app' })
  const [one] = [ada.commit({ type: 'Noted', id: 'b', text: 'b' })]
  const line = new Line(world).hello(ada, null, { domainVersion: 2 })
  await settle()
  expect(line.story).toBe('Welcome:unknown CaughtUp@none:0')
  const bea = authorOf(second, world)
  const beas = await greet(world, bea)
  await push(beas, written(bea, 'c'))
  expect(beas.story).toBe('Welcome:unknown CaughtUp@none:0 Refused:1:DOMAIN_TOO_NEW')
  await push(line, { ...one, counter: 1, prev: 0, update: new Uint8Array() })
  expect(line.of('Ack')).toHaveLength(1)
})

test('[16] a session is told of a newer version before the first of its commits, and once', async () => {
  const world = openWorld({ domains: [second] })
  const [old, ada] = [authorOf(first, world), authorOf(second, world)]
  const [olds, adas] = [await greet(world, old), await greet(world, ada)]
  await push(olds, noted(old, 'a'))
  await push(adas, written(ada, 'b'))
  await push(adas, written(ada, 'c'))
  expect(olds.story).toBe(
    'Welcome:unknown CaughtUp@none:0 Ack:1@1 Tail@1[own1] NewerDomain:2 Tail@2[1] Tail@3[2]',
  )
  expect(adas.of('NewerDomain')).toEqual([])
  // It may have been told before and not have kept it: who is up to date is told again.
  const again = new Line(world).hello(old, olds.cursor)
  await settle()
  expect(again.story).toBe('Welcome:live NewerDomain:2 CaughtUp@3:1')
})

test('[16] who falls behind is told before a snapshot that another hub made', async () => {
  const [clock, store] = [new VirtualClock(1), new MapHubStore()]
  const options = { clock, store, domains: [second], retention: { commits: 1 } }
  const [here, there] = [openWorld(options), openWorld(options)]
  const line = await greet(here, authorOf(first, here))
  const ada = authorOf(second, there)
  const adas = await greet(there, ada)
  for (const id of ['a', 'b', 'c']) await push(adas, written(ada, id))
  await there.hub.checkpoint(NAMESPACE)
  await pass(clock, 6_000)
  expect(line.story).toBe(
    'Welcome:unknown CaughtUp@none:0 Welcome:snapshot NewerDomain:2 Snapshot@3 CaughtUp@3:0',
  )
})

test('[17] commits of an older version are let in as what they mean now, and logged as they were written', async () => {
  const world = openWorld({ domains: [second] })
  const ada = authorOf(first, world)
  const line = await greet(world, ada)
  const one = noted(ada, 'a')
  const both = ada.commit(
    { text: 'b', type: 'Noted', id: 'b' },
    { type: 'Colored', id: 'b', color: 'blue' },
    { type: 'Resolved', entries: [{ table: 'colors', key: ['b'], value: 'red' }] },
  )
  await push(line, one, both, ada.commit({ type: 'Colored', id: 'a', color: 'red' }))
  expect(line.of('Refused')).toEqual([])
  expect(line.of('Ack')).toHaveLength(3)
  const logged = []
  for await (const { ops, domainVersion } of readLog(world.store, NAMESPACE))
    logged.push({ ops, domainVersion })
  expect(logged.map(({ domainVersion }) => domainVersion)).toEqual([1, 1, 1])
  expect(JSON.stringify(logged[1]?.ops)).toBe(
    '[{"type":"Noted","id":"b","text":"b"},{"type":"Colored","color":"blue","id":"b"},' +
      '{"type":"Resolved","entries":[{"key":["b"],"table":"colors","value":"red"}]}]',
  )
})

test.each<[ErrorCode, string, (ada: Author) => PushedCommit]>([
  ['OP_UNKNOWN', 'an op that has another name now', (ada) => ({ ...noted(ada, 'a'), domainVersion: 2 })],
  [
    'ENTRY_INVALID',
    'an entry of a retired table in a commit of this version',
    (ada) => ({
      ...ada.commit({ type: 'Colored', id: 'a', color: 'red' }),
      domainVersion: 2,
      ops: [{ type: 'Written', id: 'a', text: 'a' }],
    }),
  ],
  [
    'ENTRY_INVALID',
    'an entry of a retired table that its schema there forbids',
    (ada) => {
      ada.domain = { ...first, layouts: defineLoose().layouts }
      return ada.commit({ type: 'Colored', id: 'a', color: 'green' })
    },
  ],
  [
    'ENTRY_UNEXPLAINED',
    'an entry that the op as it is now does not set',
    (ada) => ({ ...noted(ada, 'a'), ops: [{ type: 'Noted', id: 'a', text: 'other' }] }),
  ],
  ['OP_INVALID', 'an op whose upcaster throws', (ada) => ada.commit({ type: 'Odd', id: 'a' })],
  ['OP_UNKNOWN', 'an op of no version', (ada) => ({ ...noted(ada, 'a'), ops: [{ type: 'Sung' }] })],
  [
    'OP_INVALID',
    'an old op whose payload does not fit',
    (ada) => ({ ...noted(ada, 'a'), ops: [{ type: 'Noted', id: 'a', text: 7 }] }),
  ],
])('[11] [17] %s: %s is refused and leaves no trace', async (code, _, commitOf) => {
  const world = openWorld({ domains: [second] })
  const ada = authorOf(first, world)
  const line = await greet(world, ada)
  await push(line, commitOf(ada))
  expect(line.of('Refused')).toMatchObject([{ counter: 1, code }])
  expect(await world.store.state(NAMESPACE)).toBe('unknown')
})

test('[16] the newest version is known after a checkpoint, a trimmed log and a rebuild', async () => {
  const [clock, store] = [new VirtualClock(1), new MapHubStore()]
  const world = openWorld({ clock, store, domains: [second], retention: { commits: 1 } })
  const [old, ada] = [authorOf(first, world), authorOf(second, world)]
  const [olds, adas] = [await greet(world, old), await greet(world, ada)]
  const version = async () => (await openLog(store, yjsCrdt.updates, NAMESPACE)).marks?.domainVersion
  await push(olds, noted(old, 'a'))
  expect(await version()).toBe(1)
  await push(adas, written(ada, 'b'))
  await push(olds, noted(old, 'c'), noted(old, 'd'))
  expect(await version()).toBe(2)
  await world.hub.checkpoint(NAMESPACE)
  expect(await version()).toBe(2)
  await world.hub.close()
  await rebuildNamespace(store, yjsCrdt.updates, NAMESPACE, clock)
  expect(await version()).toBe(2)
  const line = await greet(openWorld({ clock, store, domains: [second] }), authorOf(first, world))
  expect(line.story).toMatch(/^Welcome:snapshot NewerDomain:2 Snapshot@/)
})

/** The same tables, with colors of any name. */
function defineLoose(): AnyDomain {
  return defineDomain({
    name: 'notes',
    version: 1,
    tables: { notes, colors: map({ key: Id, value: z.string() }) },
    ops: () => ({}),
  })
}
