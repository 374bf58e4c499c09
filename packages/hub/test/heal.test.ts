/** What a replica may bring back to a hub that lost history, and what it may not: each check for itself, at the wire. */
import {
  CLIENT_ID_MIN,
  HlcClock,
  limits,
  REBUILD_CLIENT_ID,
  SyncError,
  type Cursor,
  type DownMessage,
  type Heal,
  type Hello,
  type Write,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { anyone, markRestored, verifyNamespace, type HubOptions, type Principal } from '../src/index.ts'
import { Author, Line, NAMESPACE, openWorld, pass, settle, textsOf, type World } from './world.ts'

const diverged = 'Refused:room:HISTORY_DIVERGED Closing:HISTORY_DIVERGED'
const capabilities = ['delta', 'rebuild', 'newer', 'heal']

interface Lost {
  readonly world: World
  readonly store: MapHubStore
  /** Who wrote all of it. */
  readonly ada: Author
  /** Where ada stood in the history that was lost. */
  readonly cursor: Cursor
  /** All that was acknowledged, and is not in the backup from the second on. */
  readonly base: readonly Uint8Array[]
}

/** Four commits, of which the backup has one. */
async function lost(options: Partial<HubOptions> = {}, marked = true): Promise<Lost> {
  const clock = new VirtualClock(1)
  const before = new MapHubStore()
  const world = openWorld({ store: before, clock })
  const ada = new Author(clock)
  const line = new Line(world).hello(ada)
  await settle()
  const base: Uint8Array[] = []
  let backup = before
  for (let i = 1; i <= 4; i++) {
    const commit = ada.note(`n${i}`)
    base.push(commit.update)
    line.push(line.cursor?.epoch ?? null, commit)
    await settle()
    if (i === 1) backup = before.copy()
  }
  const { cursor } = line
  if (cursor === null) throw new Error('nothing was written')
  await world.hub.close()
  if (marked) await markRestored(backup, yjsCrdt.updates, clock)
  return { world: openWorld({ ...options, store: backup, clock }), store: backup, ada, cursor, base }
}

async function greet(
  { world, ada, cursor }: Lost,
  more: Partial<Hello> = {},
  principal: Principal = anyone,
): Promise<Line> {
  const line = new Line(world, principal).hello(ada, cursor, { ackedCounter: 4, capabilities, ...more })
  await pass(world.clock, 1_000)
  return line
}

function wantedBy(line: Line): Uint8Array {
  const wanted = line.of('HealWanted').at(-1)
  if (wanted === undefined) throw new Error(`nothing is wanted: ${line.story}`)
  return wanted.stateVector
}

function healOf({ base }: Lost, line: Line, more: Partial<Heal> = {}): Heal {
  return {
    type: 'Heal',
    counter: 4,
    domainVersion: 1,
    update: yjsCrdt.updates.diff(base, wantedBy(line)),
    ...more,
  }
}

/** Greets and answers with `heal`; the story of what came of it, after the question. */
async function answer(
  lostHub: Lost,
  more: (line: Line) => Partial<Heal>,
): Promise<{ story: string; message: string; line: Line }> {
  const line = await greet(lostHub)
  expect(line.story).toBe('Welcome:heal HealWanted')
  const asked = line.received.length
  line.channel.send(healOf(lostHub, line, more(line)))
  await pass(lostHub.world.clock, 2_000)
  const rest = line.received.slice(asked)
  const refused = rest.find(
    (message): message is Extract<DownMessage, { type: 'Refused' }> => message.type === 'Refused',
  )
  return { story: line.story.split(' ').slice(2).join(' '), message: refused?.message ?? '', line }
}

async function recordsOf(store: MapHubStore): Promise<number> {
  const tail = await store.readTail(NAMESPACE, 0, { records: 100, bytes: Infinity })
  return tail.kind === 'records' ? tail.records.length : -1
}

const honest = (): Partial<Heal> => ({})

test('[25] what is brought back honestly is taken, logged beyond all that was lost, and given as a snapshot', async () => {
  const hub = await lost()
  const { story, line } = await answer(hub, honest)
  const beyond = 1 + 2 * 2 ** 32
  expect(story).toMatch(/^Welcome:snapshot Snapshot@(\d+) CaughtUp@\1:4$/)
  expect(line.cursor?.seq).toBeGreaterThan(2 ** 32)
  expect(line.cursor?.seq).toBeLessThan(beyond)
  expect(textsOf(line.updates)).toEqual({
    n1: 'text of n1',
    n2: 'text of n2',
    n3: 'text of n3',
    n4: 'text of n4',
  })
  const paths = { heal: { times: 1 }, snapshot: { times: 1 } }
  expect(hub.world.hub.metrics()).toMatchObject({ heals: 1, refusals: {}, paths })
  // The backup knew whose client id it is, so she goes on under it.
  line.push(hub.cursor.epoch, hub.ada.note('n5'))
  await settle()
  expect(line.story).toMatch(/ Ack:5@\d+ Tail@\d+\[own5\]$/)
})

test('[11][25] under a client id that came back its author goes on, exactly where it ends, and nobody else from then on', async () => {
  const hub = await lost()
  const bob = new Author(hub.world.clock, hub.base)
  const { update } = bob.note('of bob')
  const line = await greet(hub)
  line.channel.send(healOf({ ...hub, base: [...hub.base, update] }, line))
  await pass(hub.world.clock, 1_000)
  const { cursor } = line
  const more = { ...bob.note('more'), counter: 1, prev: 0 }
  const push = async (author: Author, commit: typeof more, story: RegExp): Promise<void> => {
    const own = new Line(hub.world).hello(author, cursor, { capabilities, ackedCounter: 0 })
    await pass(hub.world.clock, 1_000)
    own.push(hub.cursor.epoch, commit)
    await settle()
    expect(own.story).toMatch(story)
  }
  // The backup knew whose client id it is.
  await push(hub.ada, hub.ada.note('more'), /Ack:5@\d+/)
  // Of one that only the heal has brought whoever goes on exactly where it ends: nobody else has such bytes.
  const skipping = { ...bob.note('later'), counter: 1, prev: 0 }
  await push(bob, skipping, /Refused:1:UPDATE_CLOCK_GAP$/)
  await push(bob, more, /Ack:1@\d+/)
  const mallory = new Author(hub.world.clock, hub.base)
  await push(mallory, { ...skipping, hlc: skipping.hlc }, /Refused:1:CLIENT_TAKEN$/)
})

test('[25][2] brought back twice, after an answer that was lost, it is logged once', async () => {
  const hub = await lost()
  await answer(hub, honest)
  const records = await recordsOf(hub.store)
  const again = await answer(hub, honest)
  expect(again.story).toMatch(/^Welcome:snapshot Snapshot@(\d+) CaughtUp@\1:4$/)
  expect(await recordsOf(hub.store)).toBe(records)
  expect(hub.world.hub.metrics().heals).toBe(1)
})

test('[25] who answers too late is asked again for what is missing by then', async () => {
  const hub = await lost()
  const [first, second] = [
    await greet(hub),
    await greet(hub, { replica: new Author(hub.world.clock).replica, ackedCounter: 0 }),
  ]
  const late = healOf(hub, second, { counter: 0 })
  first.channel.send(healOf(hub, first))
  await pass(hub.world.clock, 1_000)
  second.channel.send(late)
  await pass(hub.world.clock, 1_000)
  expect(second.story).toBe('Welcome:heal HealWanted HealWanted')
  second.channel.send(healOf(hub, second, { counter: 0 }))
  await pass(hub.world.clock, 1_000)
  expect(second.story).toMatch(/HealWanted Welcome:snapshot Snapshot@\d+ CaughtUp@\d+:0$/)
})

test('[14] who answers with something else each time is not asked for ever', async () => {
  const hub = await lost()
  const line = await greet(hub)
  const { base } = hub
  for (let i = 0; i < limits.healTriesMax; i++) {
    // Made for a hub that has nothing at all.
    const update = yjsCrdt.updates.diff(base, yjsCrdt.updates.stateVector(new Map()))
    line.channel.send(healOf(hub, line, { update }))
    await pass(hub.world.clock, 1_500)
  }
  expect(line.of('HealWanted')).toHaveLength(limits.healTriesMax)
  expect(line.story).toMatch(/Refused:room:STORE_UNAVAILABLE Closing:STORE_UNAVAILABLE$/)
  expect(await recordsOf(hub.store)).toBe(2)
})

test('[11][25] what comes instead of an answer is not admitted, and its author keeps it', async () => {
  const hub = await lost()
  const line = await greet(hub)
  line.push(hub.cursor.epoch, hub.ada.note('n5'))
  await pass(hub.world.clock, 1_000)
  expect(line.story).toBe('Welcome:heal HealWanted')
  expect(await line.channel.closed).toMatchObject({ code: null })
  expect(await recordsOf(hub.store)).toBe(2)
})

test('[25] who cannot or may not bring anything back is refused as ever', async () => {
  const hub = await lost()
  expect((await greet(hub, { capabilities: ['delta', 'newer'] })).story).toBe(diverged)
  const reader = { ...anyone, name: 'reader', canWrite: () => false }
  // Perhaps others have brought it back: it looks for itself whether that is all that it has.
  expect((await greet(hub, {}, reader)).story).toMatch(/^Welcome:snapshot Snapshot@(\d+) CaughtUp@\1:1$/)
  expect((await greet(hub, { capabilities: [...capabilities, 'more'] }, reader)).story).toBe(diverged)
  expect((await greet(hub, {}, { ...reader, canRead: () => false })).story).toMatch(/FORBIDDEN/)
})

/** A document of the author's with something of its own kind in it. */
function made(hub: Lost, line: Line, change: (doc: Y.Doc) => void, clientId = 7_777): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = clientId
  for (const update of hub.base) Y.applyUpdate(doc, update)
  change(doc)
  return Y.encodeStateAsUpdate(doc, wantedBy(line))
}

function entry(hub: Lost, table: string, key: string, value: unknown): readonly unknown[] {
  return [table, key, value, hub.ada.hlc.last]
}

const push = (hub: Lost, element: readonly unknown[]) => (doc: Y.Doc) => {
  // Behind what is there, as every replica writes; Yjs's own insert names a right neighbour, where there is one.
  doc.getArray('entries').push([element])
}

const uint = (value: number): number[] => {
  const bytes: number[] = []
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...bytes, left]
    bytes.push((left % 128) | 128)
  }
}

test.each<[string, string, (hub: Lost, line: Line) => Partial<Heal>]>([
  ['bytes that do not read', 'UPDATE_MALFORMED', () => ({ update: Uint8Array.of(1, 2, 3) })],
  [
    'bytes with something after them',
    'UPDATE_MALFORMED',
    (hub, line) => ({ update: Uint8Array.of(...healOf(hub, line).update, 0) }),
  ],
  [
    'a nested type',
    'UPDATE_DISALLOWED',
    (hub, line) => ({ update: made(hub, line, (doc) => doc.getArray('entries').push([new Y.Map()])) }),
  ],
  [
    'another root',
    'UPDATE_DISALLOWED',
    (hub, line) => ({ update: made(hub, line, (doc) => doc.getArray('others').push([1])) }),
  ],
  [
    'an element that is no entry',
    'UPDATE_DISALLOWED',
    (hub, line) => ({ update: made(hub, line, push(hub, ['x'])) }),
  ],
  [
    'a reserved client id',
    'UPDATE_DISALLOWED',
    (hub, line) => ({ update: made(hub, line, push(hub, entry(hub, 'notes', 'k', 'v')), CLIENT_ID_MIN - 1) }),
  ],
  [
    'the client id of rebuilt documents',
    'UPDATE_DISALLOWED',
    (hub, line) => ({ update: made(hub, line, push(hub, entry(hub, 'notes', 'k', 'v')), REBUILD_CLIENT_ID) }),
  ],
  [
    'a table that the domain does not have',
    'ENTRY_INVALID',
    (hub, line) => ({ update: made(hub, line, push(hub, entry(hub, 'secrets', 'k', 'v'))) }),
  ],
  [
    'a value that the schema forbids',
    'ENTRY_INVALID',
    (hub, line) => ({ update: made(hub, line, push(hub, entry(hub, 'notes', 'k', 7))) }),
  ],
  [
    'a deletion of items that nobody knows',
    'UPDATE_UNKNOWN_ITEM',
    () => ({ update: Uint8Array.from([0, 1, ...uint(9_000), 1, 0, 1]) }),
  ],
  [
    'items behind one that nobody knows',
    'UPDATE_UNKNOWN_ITEM',
    (hub) => {
      const stranger = yjsCrdt.open(9_000, [])
      const write: Write = { kind: 'set', table: 'notes', key: ['k'], value: 'v' }
      const unknown = stranger.write([write], hub.ada.hlc.last)
      const behind = yjsCrdt.open(9_001, unknown === null ? [] : [unknown])
      return { update: behind.write([{ ...write, key: ['l'] }], hub.ada.hlc.last) ?? Uint8Array.of() }
    },
  ],
  [
    'more client ids than one heal may bring',
    'UPDATE_DISALLOWED',
    (hub) => {
      const count = limits.healClientsMax + 1
      const root = [1, 7, ...new TextEncoder().encode('entries')]
      const sections = Array.from({ length: count }, (_, i) => [
        1,
        ...uint(2 ** 31 - i),
        0,
        // One deleted item each.
        0x01,
        ...root,
        1,
      ])
      void hub
      return { update: Uint8Array.from([...uint(count), ...sections.flat(), 0]) }
    },
  ],
])('[11][25] %s is refused with %s, and leaves no trace', async (_, code, more) => {
  const hub = await lost()
  const before = await recordsOf(hub.store)
  const { story, message, line } = await answer(hub, (asked) => more(hub, asked))
  expect(message).toContain(code)
  expect(story).toBe(diverged)
  expect(await recordsOf(hub.store)).toBe(before)
  expect(hub.world.hub.metrics()).toMatchObject({ heals: 0, refusals: { HISTORY_DIVERGED: 1 } })
  void line
  // And whoever brings back the truth is heard.
  expect((await answer(hub, honest)).story).toMatch(/CaughtUp@\d+:4$/)
})

test.each<[string, string, (hub: Lost, line: Line) => Partial<Heal>]>([
  ['a newer version of the domain', 'DOMAIN_TOO_NEW', () => ({ domainVersion: 3 })],
  [
    'an entry whose stamp is far ahead',
    'HLC_AHEAD',
    ({ ada, base, world }, line) => {
      const ahead = new HlcClock(ada.replica, null).tick(world.clock.now() + limits.hlcAheadMsMax + 60_000)
      const doc = yjsCrdt.open(9_000, base)
      const update = doc.write([{ kind: 'set', table: 'notes', key: ['k'], value: 'v' }], ahead)
      if (update === null) throw new Error('nothing was written')
      return { update: yjsCrdt.updates.diff([...base, update], wantedBy(line)) }
    },
  ],
])('[11][25] %s is refused with %s, which the replica may mend', async (_, code, more) => {
  const hub = await lost()
  const before = await recordsOf(hub.store)
  const { story } = await answer(hub, (asked) => more(hub, asked))
  expect(story).toBe(`Refused:room:${code} Closing:${code}`)
  expect(await recordsOf(hub.store)).toBe(before)
})

test('[14] who never answers is closed, and one that goes meanwhile is nobody', async () => {
  const hub = await lost()
  const line = await greet(hub)
  await pass(hub.world.clock, limits.answerMsMax + limits.fragmentsMsMax + 1_000)
  expect(line.story).toBe('Welcome:heal HealWanted Closing:TIMED_OUT')
  const other = await greet(hub)
  other.channel.close()
  await settle()
  expect(hub.world.hub.metrics().sessions).toBe(0)
})

/** The same history, rebuilt before it was lost. */
function rebuilt(hub: Lost): { later: Lost; digest: string } {
  const { snapshot, digest } = yjsCrdt.updates.rebuild(hub.base)
  const cursor = { ...hub.cursor, epoch: hub.cursor.epoch + 9 }
  return { later: { ...hub, cursor, base: [snapshot] }, digest }
}

test('[10][25] a document of a later epoch takes the place of a restored one', async () => {
  const hub = await lost()
  const { world } = hub
  const { later, digest } = rebuilt(hub)
  const idle = new Line(world).hello(new Author(world.clock), null, { capabilities })
  await settle()
  const { line, story } = await answer(later, honest)
  expect(story).toMatch(/^Welcome:snapshot Snapshot@\d+ CaughtUp@\d+:4$/)
  expect(line.cursor?.epoch).toBe(later.cursor.epoch)
  expect(Object.keys(textsOf(line.updates))).toEqual(['n1', 'n2', 'n3', 'n4'])
  await pass(world.clock, 500)
  // Who was connected is reset to it.
  expect(idle.story).toMatch(/Welcome:reset Snapshot@\d+ CaughtUp@\d+:0$/)
  expect(idle.cursor).toEqual(line.cursor)
  // Another of the lost epoch heals; one of the epoch before, of what was lost, is refused.
  expect((await answer({ ...later, cursor: { ...later.cursor, seq: 3 } }, honest)).story).toMatch(/CaughtUp/)
  expect((await greet({ ...hub, cursor: { ...hub.cursor, seq: 3 } })).story).toBe(diverged)
  // What the store says when it is opened anew is the same.
  const next = openWorld({ store: hub.store, clock: world.clock })
  const reader = new Line(next).hello(new Author(world.clock), null, { capabilities })
  await pass(world.clock, 500)
  expect(reader.cursor).toEqual(line.cursor)
  const report = await verifyNamespace(hub.store, yjsCrdt.updates, NAMESPACE)
  expect(report).toMatchObject({ faults: [], digest })
})

test('[10][25] but not once something came to that one, and not without a word of the loss', async () => {
  const hub = await lost()
  const bob = new Author(hub.world.clock)
  const line = new Line(hub.world).hello(bob)
  await settle()
  line.push(line.cursor?.epoch ?? null, bob.note('new'))
  await settle()
  expect((await greet(rebuilt(hub).later)).story).toBe(diverged)
  expect((await greet(rebuilt(await lost({}, false)).later)).story).toBe(diverged)
})

/** A store whose checkpoints are not installed: as if the hub had crashed right before. */
class CrashingStore extends MapHubStore {
  isCrashing = false

  override async installCheckpoint(...args: Parameters<MapHubStore['installCheckpoint']>) {
    if (this.isCrashing) throw new SyncError('STORE_CLOSED', 'crashed')
    return await super.installCheckpoint(...args)
  }
}

test.each([false, true])(
  '[3][25] a crash between the record and its checkpoint loses nothing (adopted: %s)',
  async (isAdopted) => {
    const found = await lost()
    const store = new CrashingStore()
    const tail = await found.store.readTail(NAMESPACE, 0, { records: 9, bytes: Infinity })
    for (const { prev, body, seq } of tail.kind === 'records' ? tail.records : [])
      await store.append(NAMESPACE, prev, body, seq - 1)
    const hub = { ...found, store, world: openWorld({ store, clock: found.world.clock }) }
    const { later, digest } = rebuilt(hub)
    store.isCrashing = true
    const { story } = await answer(isAdopted ? later : hub, honest)
    expect(story).toMatch(/STORE_CLOSED$/)
    const report = await verifyNamespace(store, yjsCrdt.updates, NAMESPACE)
    expect(report).toMatchObject({ faults: [], digest })
    store.isCrashing = false
    const next = openWorld({ store, clock: hub.world.clock })
    const again = await answer({ ...(isAdopted ? later : hub), world: next }, honest)
    expect(again.story).toMatch(/^Welcome:snapshot Snapshot@\d+ CaughtUp@\d+:4$/)
    expect(Object.keys(textsOf(again.line.updates))).toEqual(['n1', 'n2', 'n3', 'n4'])
    expect(await recordsOf(store)).toBe(3)
    expect((await verifyNamespace(store, yjsCrdt.updates, NAMESPACE)).faults).toEqual([])
  },
)

test('[25][13] a log whose records stand where it says that they were lost is told to be damaged', async () => {
  const { store } = await lost()
  const tail = await store.readTail(NAMESPACE, 0, { records: 9, bytes: Infinity })
  const moved = new MapHubStore()
  for (const { prev, body } of tail.kind === 'records' ? tail.records : [])
    await moved.append(NAMESPACE, prev, body)
  const { faults } = await verifyNamespace(moved, yjsCrdt.updates, NAMESPACE)
  expect(faults.map(({ message }) => message)).toEqual([expect.stringContaining('is lost, and stands there')])
})
