/** What moves while a session or a room looks elsewhere: the parts alone, since a whole hub rarely shows them. */
import { expect, test } from 'vitest'
import {
  noSignals,
  ZERO_TAG,
  type Cursor,
  type DownMessage,
  type HubStore,
  type LogView,
  type Namespace,
  type Seq,
  type TailLimit,
} from '@rejoin/core'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, inlineWork, type Hub } from '../src/index.ts'
import { catchUp, type CatchUpOutlet, type CatchUpSnapshot, type CatchUpSource } from '../src/catch-up.ts'
import { Healer } from '../src/healer.ts'
import { readPage, type LogPage } from '../src/log.ts'
import { HubCounts } from '../src/metrics.ts'
import { decodeRecord, encodeRecord } from '../src/record.ts'
import { replicaLimitsOf, ReplicaRefusals } from '../src/replica-bound.ts'
import { Room } from '../src/room.ts'
import { RoomReader } from '../src/room-reader.ts'
import { PackedSnapshots } from '../src/packed-snapshots.ts'
import { Session } from '../src/session.ts'
import { Author, Line, NAMESPACE, notes, openWorld, settle, textsOf } from './world.ts'

/** Appends `count` commits by way of a hub that is gone afterwards; the cursors that its author saw. */
async function write(store: HubStore, clock: VirtualClock, count: number, ada = new Author(clock)) {
  const world = openWorld({ store, clock })
  const line = new Line(world).hello(ada)
  await settle()
  const epoch = (): number | null => line.cursor?.epoch ?? null
  for (let i = 0; i < count; i++) {
    line.push(epoch(), ada.note(`n${ada.counter + 1}`))
    await settle()
  }
  await world.hub.close()
  await settle()
  return { ada, cursors: line.of('Tail').map(({ cursor }) => cursor) }
}

/** A room, and one session in it, without the hub around them. */
function openRoom(store: HubStore, clock: VirtualClock) {
  const counts = new HubCounts()
  const log = (): void => {}
  const nothing = (): void => {}
  const { updates } = yjsCrdt
  const parts = { store, clock, counts, log, updates, heavy: inlineWork(updates), signals: noSignals }
  const told = { checkReadable: nothing, grown: nothing, full: nothing, released: nothing, idle: nothing }
  const replicaRefusals = new ReplicaRefusals(clock, log)
  const bounds = { documentBytesMax: Infinity, replicaLimits: replicaLimitsOf(), replicaRefusals }
  const room = new Room(NAMESPACE, { ...parts, ...told, ...bounds })
  const sessions: Session[] = []
  const healer = new Healer(parts)
  const domains = new Map([[notes.name, notes]])
  const checkpoint = (): Promise<never> => Promise.reject(new Error('no checkpoint is needed here'))
  const accept: Hub['accept'] = (channel, principal) => {
    const session = new Session(channel, principal, {
      ...parts,
      domains,
      healer,
      packed: new PackedSnapshots(null, log),
      room: () => room,
      checkpoint,
    })
    sessions.push(session)
    return session.run()
  }
  // A line only ever asks a hub to accept.
  const line = new Line({ hub: { accept } as Hub, clock }, anyone)
  return { room, line, sessions, reader: new RoomReader(room, { store, clock, checkpoint }) }
}

async function recordsOf(store: HubStore) {
  const tail = await store.readTail(NAMESPACE, 0, { records: 100, bytes: Infinity })
  return tail.kind === 'records' ? tail.records : []
}

test('[6][8] a record that does not follow what a live session was sent is not sent, but what lies between is read', async () => {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  const { ada } = await write(store, clock, 1)
  const { room, line, sessions } = openRoom(store, clock)
  line.hello(new Author(clock))
  await settle()
  const { cursors } = await write(store, clock, 2, ada)
  const cursor = cursors.at(-1)
  if (cursor === undefined) throw new Error('nothing was written')
  sessions[0]?.deliver({ prev: 2, cursor, commits: [], own: new Map() })
  await settle()
  expect(line.story).toBe('Welcome:tail Tail@1[1] CaughtUp@1:0')
  await room.look()
  await settle()
  expect(line.story).toBe('Welcome:tail Tail@1[1] CaughtUp@1:0 Tail@2[2] Tail@3[3]')
})

test('[6] a log that was replaced by another of the same length is noticed by those who are live', async () => {
  const clock = new VirtualClock(1)
  const stores = [new MapHubStore(), new MapHubStore()] as const
  await write(stores[0], clock, 1)
  const [only] = (await recordsOf(stores[0])).map(({ body }) => decodeRecord(body, 'it').record)
  if (only?.kind !== 'commits') throw new Error('one record of commits')
  const commits = only.commits.map((commit) => ({ ...commit, principal: 'somebody else' }))
  await stores[1].append(NAMESPACE, 0, encodeRecord(ZERO_TAG, { ...only, commits }, 1).bytes)
  let now: HubStore = stores[0]
  const store = new Proxy(stores[0] as HubStore, {
    get: (_, name) => {
      const value: unknown = Reflect.get(now, name)
      return typeof value === 'function' ? (value.bind(now) as unknown) : value
    },
  })
  const { room, line } = openRoom(store, clock)
  line.hello(new Author(clock))
  await settle()
  await room.reopen()
  await settle()
  expect(line.story).toBe('Welcome:tail Tail@1[1] CaughtUp@1:0')
  now = stores[1]
  await room.reopen()
  await settle()
  expect(line.story).toMatch(/CaughtUp@1:0 Refused:room:HISTORY_DIVERGED Closing:HISTORY_DIVERGED$/)
})

test('[7] a tail stops before a rebuild: bytes of two epochs never travel together', async () => {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  await write(store, clock, 2)
  const [one, two] = (await recordsOf(store)).map(({ body }) => decodeRecord(body, 'it'))
  if (one === undefined || two === undefined || two.record.kind !== 'commits') throw new Error('two records')
  // The log again, with a rebuild in its middle.
  const log = new MapHubStore()
  const epoch = one.record.epoch + 1
  const began = {
    kind: 'rebuild',
    from: one.record.epoch,
    epoch,
    domain: 'notes',
    digest: 'of the first',
    forgot: null,
  } as const
  const rebuild = encodeRecord(one.tag, began, 1)
  const after = encodeRecord(rebuild.tag, { ...two.record, epoch }, 1)
  for (const [seq, { body }] of (await recordsOf(store)).slice(0, 1).entries())
    await log.append(NAMESPACE, seq, body)
  await log.append(NAMESPACE, 1, rebuild.bytes)
  await log.append(NAMESPACE, 2, after.bytes)

  const first: Cursor = { epoch: one.record.epoch, seq: 1, tag: one.tag }
  const rebuilt: Cursor = { epoch, seq: 2, tag: rebuild.tag }
  const source = new MovingSource(log, first, { epoch, seq: 3, tag: after.tag }, rebuilt)
  const sent: DownMessage[] = []
  await catchUp(source, outletTo(sent), newcomer, 'greeting')
  expect(sent.map((message) => [message.type, 'cursor' in message ? message.cursor : null])).toEqual([
    ['Welcome', null],
    ['Tail', first],
    ['Welcome', null],
    ['NewerDomain', null],
    ['Snapshot', rebuilt],
    ['Tail', source.head],
    ['CaughtUp', source.head],
  ])
  expect(sent[2]).toMatchObject({ path: 'reset' })
})

const newcomer = {
  cursor: null,
  ackedCounter: 0,
  holdsMore: false,
  replica: new Author(new VirtualClock(1)).replica,
}

/** A log whose head moves on while its first page is read. */
class MovingSource implements CatchUpSource {
  readonly namespace = NAMESPACE
  head: Cursor
  readonly #store: HubStore
  readonly #next: Cursor
  readonly #checkpoint: Cursor

  constructor(store: HubStore, head: Cursor, next: Cursor, checkpoint: Cursor) {
    this.#store = store
    this.head = head
    this.#next = next
    this.#checkpoint = checkpoint
  }

  view(): Promise<LogView> {
    const { head } = this
    return Promise.resolve({
      epoch: head.epoch,
      head,
      floor: 0,
      checkpointSeq: null,
      tagAtCursor: null,
      rebuild: null,
      began: 1,
      mark: 0,
      lost: [],
      isBare: false,
    })
  }

  async page(at: Cursor | null): Promise<LogPage> {
    const page = await readPage(this.#store, NAMESPACE, at ?? { seq: 0, tag: null })
    this.head = this.#next
    return page
  }

  snapshot(): Promise<CatchUpSnapshot> {
    return Promise.resolve({ cursor: this.#checkpoint, snapshot: new Uint8Array(2), domainVersion: 3 })
  }

  reach(): Promise<void> {
    return Promise.resolve()
  }
}

function outletTo(sent: DownMessage[]): CatchUpOutlet {
  return {
    durability: 'durable',
    offers: { delta: true, rebuild: true, heal: true, writes: true },
    heal: () => Promise.resolve('left'),
    outlived: false,
    has: () => false,
    pack: () => Promise.resolve(null),
    ready: () => Promise.resolve(),
    send: (message) => void sent.push(message),
    holds: (domainVersion) => void sent.push({ type: 'NewerDomain', domainVersion }),
    arrive: (cursor) => void sent.push({ type: 'CaughtUp', cursor, ackedCounter: 0, ackedHlc: null }),
  }
}

test('[8] a page holds nothing that the room does not know yet: it will come live', async () => {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  const { ada } = await write(store, clock, 2)
  const { room, reader } = openRoom(store, clock)
  await room.opened()
  await write(store, clock, 2, ada)
  const page = await reader.page(null)
  expect(page.kind === 'entries' && page.entries.map(({ seq }) => seq)).toEqual([1, 2])
  await room.look()
  const next = await reader.page(null)
  expect(next.kind === 'entries' && next.entries.map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
})

/** A store in which something happens just before the log is read. */
class TurnStore extends MapHubStore {
  beforeTail: (() => Promise<unknown>) | null = null

  override async readTail(namespace: Namespace, after: Seq, limit: TailLimit) {
    const act = this.beforeTail
    this.beforeTail = null
    await act?.()
    return await super.readTail(namespace, after, limit)
  }
}

test('[10] a namespace that another hub checkpoints and trims while it is opened opens further on', async () => {
  const clock = new VirtualClock(1)
  const store = new TurnStore()
  await write(store, clock, 5)
  const [here, there] = [openWorld({ store, clock }), openWorld({ store, clock, retention: { commits: 1 } })]
  store.beforeTail = () => there.hub.checkpoint(NAMESPACE)
  const line = new Line(here).hello(new Author(clock))
  await settle()
  expect((await store.heads([NAMESPACE])).get(NAMESPACE)).toEqual({ floor: 4, head: 5 })
  expect(line.story).toBe('Welcome:snapshot Snapshot@5 CaughtUp@5:0')
  expect(Object.keys(textsOf(line.updates))).toHaveLength(5)
})

test('[13] a rebuild of other content than the log holds is reported, and not completed', async () => {
  const clock = new VirtualClock(1)
  const store = new MapHubStore()
  await write(store, clock, 2)
  const last = (await recordsOf(store)).map(({ body }) => decodeRecord(body, 'it')).at(-1)
  if (last === undefined) throw new Error('the log is empty')
  const epoch = last.record.epoch + 1
  const began = { kind: 'rebuild', from: last.record.epoch, epoch, domain: 'notes', forgot: null } as const
  const { bytes } = encodeRecord(last.tag, { ...began, digest: 'of something else' }, 1)
  await store.append(NAMESPACE, 2, bytes)
  const line = new Line(openWorld({ store, clock })).hello(new Author(clock))
  await settle()
  expect(line.story).toBe('Refused:room:STORE_CORRUPT Closing:STORE_CORRUPT')
  expect(line.of('Refused')[0]?.message).toMatch(/rebuild at 3 was made of other content/)
  expect(await store.checkpoint(NAMESPACE)).toBeNull()
})
