/**
 * Hubs that are restored from backups, and replicas that come back to them: everything in one process, on a clock that moves
 * when somebody waits. What every replica was ever told to be acknowledged is remembered, and what any of them had seen.
 */
import {
  commitName,
  defineDomain,
  Id,
  map,
  type AppendResult,
  type Clock,
  type CommitId,
  type Cursor,
  type Dial,
  type DownMessage,
  type HubChannel,
  type Namespace,
  type OpOf,
  type Seq,
  type StoredReplica,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import {
  anyone,
  healNamespace,
  markRestored,
  openHub,
  verifyNamespace,
  type HealedNamespace,
  type Hub,
  type HubOptions,
  type Principal,
} from '@rejoin/hub'
import { openReplica, type Replica, type SyncReport } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore } from '@rejoin/testkit'
import { memoryDial, type MemoryHub } from '@rejoin/transport'
import { z } from 'zod'
import { decodeRecord, type LogRecord } from '../../packages/hub/src/record.ts'
import { oneShot, overlaid } from '../support/overlaid.ts'
import { signalsWithin, SteppedTime, turn } from '../support/stepped-time.ts'
import { repeated, viewOf } from '../support/views.ts'

export const NAMESPACE: Namespace = 'home'
export const notes = defineDomain({
  name: 'notes',
  version: 1,
  tables: { notes: map({ key: Id, value: z.string().max(100_000) }) },
  ops: (op) => ({
    Noted: op(z.object({ id: Id, text: z.string().max(100_000) }), (t, o) => t.notes.set(o.id, o.text)),
    Forgotten: op(z.object({ id: Id }), (t, o) => t.notes.remove(o.id)),
  }),
})
export type Notes = typeof notes
export type NotesOp = OpOf<Notes>

export interface FoundRecord {
  readonly seq: Seq
  readonly record: LogRecord
}

export class Member {
  readonly name: string
  readonly clock: Clock
  readonly principal: Principal
  readonly #world: World
  store = new MapReplicaStore()
  /** Set as soon as it is opened. */
  replica!: Replica<Notes>
  /** Which hub it goes to. */
  hub = 0
  wire!: MemoryHub
  /** What came down, oldest first. */
  readonly heard: DownMessage[] = []
  /** Every cursor that it was seen at. */
  readonly cursors: Cursor[] = []

  constructor(name: string, clock: Clock, world: World, principal: Principal) {
    this.name = name
    this.clock = clock
    this.#world = world
    this.principal = principal
  }

  async open(): Promise<this> {
    const wire = memoryDial({
      clock: this.clock,
      accept: (channel) => void this.#world.hubAt(this.hub).accept(heardBy(this, channel), this.principal),
    })
    this.wire = wire
    this.replica = await openReplica({
      domain: notes,
      namespace: NAMESPACE,
      store: this.store,
      crdt: yjsCrdt,
      clock: this.clock,
      dial: this.dial,
      live: false,
    })
    return this
  }

  readonly dial: Dial = (signal) => this.wire.dial(signal)

  /** As over HTTP: everything up before anything comes down. */
  readonly oneShotDial: Dial = async (signal) => oneShot(await this.wire.dial(signal))

  async restart(): Promise<void> {
    this.wire.cut()
    this.store = this.store.crash()
    await turn()
    this.replica.disconnect()
    await this.open()
  }

  cut(): void {
    this.wire.cut()
  }

  note(id: string, text: string): CommitId | null {
    return this.apply({ type: 'Noted', id, text })
  }

  forget(id: string): CommitId | null {
    return this.apply({ type: 'Forgotten', id })
  }

  apply(op: NotesOp): CommitId | null {
    const receipt = this.replica.apply(op)
    receipt.saved.catch(() => {})
    if (receipt.kind === 'unchanged') return null
    const name = commitName(receipt.id)
    receipt.acked.then(
      () => this.#world.acked.add(name),
      () => {},
    )
    return receipt.id
  }

  get texts(): Record<string, string> {
    return Object.fromEntries(
      [...this.replica.tables.notes.entries()].map(([key, value]) => [String(key), value]),
    )
  }

  /** Paths of the greetings, in order. */
  get paths(): readonly string[] {
    return this.heard.flatMap((message) => (message.type === 'Welcome' ? [message.path] : []))
  }
}

/** The hub's end, with what it says written down. */
function heardBy(member: Member, channel: HubChannel): HubChannel {
  return overlaid(channel, {
    send: (message) => {
      member.heard.push(message)
      channel.send(message)
    },
  })
}

export interface WorldOptions extends Partial<HubOptions> {
  readonly hubs?: number
}

export class World {
  store = watched(new MapHubStore(), [])
  readonly members: Member[] = []
  readonly hubs: Hub[] = []
  /** Names of commits that their author was told to be acknowledged. */
  readonly acked = new Set<string>()
  readonly #options: Partial<HubOptions>
  readonly #time: SteppedTime
  readonly #signals = signalsWithin()

  constructor(seed = 1, { hubs = 1, ...options }: WorldOptions = {}) {
    this.#time = new SteppedTime(seed)
    this.#options = options
    for (let i = 0; i < hubs; i++) this.hubs.push(this.#openHub())
  }

  hubAt(index: number): Hub {
    const hub = this.hubs[index % this.hubs.length]
    if (hub === undefined) throw new Error('a world has a hub')
    return hub
  }

  /** Later stamps from here on. */
  step(): void {
    this.#time.step()
  }

  async join(name: string, principal: Principal = anyone): Promise<Member> {
    const member = await new Member(name, this.clock(), this, principal).open()
    this.members.push(member)
    return member
  }

  /** The store as it is now, for later. */
  backup(): MapHubStore {
    const backup = this.store.copy()
    logs.set(backup, [...loggedOf(this.store)])
    return backup
  }

  /** The hubs stop, and start again over the backup. @param marked whether the operator did it by the book. */
  async restore(backup: MapHubStore, { marked }: { marked: boolean }): Promise<void> {
    for (const member of this.members) member.cut()
    await this.finish(Promise.all(this.hubs.map((hub) => hub.close())))
    this.store = watched(backup.copy(), loggedOf(backup))
    if (marked) await markRestored(this.store, yjsCrdt.updates, this.clock())
    this.hubs.forEach((_, i) => (this.hubs[i] = this.#openHub()))
    await turn()
  }

  /** From the member's own store, without a wire. @param more what it says otherwise. */
  async heal(member: Member, more: Partial<StoredReplica> = {}): Promise<HealedNamespace> {
    const stored = await member.store.load()
    if (stored === null) throw new Error('it has nothing')
    const parts = { store: this.store, updates: yjsCrdt.updates, clock: this.clock() }
    return await this.finish(healNamespace(parts, NAMESPACE, notes, { ...stored, ...more }))
  }

  async sync(member: Member, { oneShot = false }: { oneShot?: boolean } = {}): Promise<SyncReport> {
    this.step()
    try {
      return await this.finish(member.replica.syncOnce(oneShot ? member.oneShotDial : undefined))
    } finally {
      this.#noteCursor(member)
    }
  }

  /** Everybody exchanges everything. */
  async settle(...members: readonly Member[]): Promise<void> {
    const all = members.length === 0 ? this.members : members
    for (let round = 0; round < 3; round++) for (const member of all) await this.sync(member)
  }

  /** Time passes until the work is done. */
  finish<T>(work: Promise<T>): Promise<T> {
    return this.#time.finish(work)
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) await this.#time.pass(50)
    for (const member of this.members) this.#noteCursor(member)
  }

  /** Until all of these are live and have nothing left to send. */
  async settleLive(...members: readonly Member[]): Promise<void> {
    for (let i = 0; i < 400; i++) {
      if (members.every(({ replica: { status } }) => status.state === 'live' && status.pending === 0)) return
      await this.pass(50)
    }
    throw new Error(`it never settles: ${JSON.stringify(members.map(({ replica }) => replica.status))}`)
  }

  async records(): Promise<readonly FoundRecord[]> {
    const range = (await this.store.heads([NAMESPACE])).get(NAMESPACE)
    if (range === undefined) return []
    const tail = await this.store.readTail(NAMESPACE, range.floor, { records: 10_000, bytes: Infinity })
    if (tail.kind !== 'records') return []
    return tail.records.map(({ seq, body }) => ({ seq, record: decodeRecord(body, 'a record').record }))
  }

  async heals(): Promise<readonly FoundRecord[]> {
    return (await this.records()).filter(({ record }) => record.kind === 'heal')
  }

  /** Names of the commits in the log, in order. */
  async logged(): Promise<readonly string[]> {
    return (await this.records()).flatMap(({ record }) =>
      record.kind === 'commits' ? record.commits.map(({ id }) => commitName(id)) : [],
    )
  }

  /** Commits that came into this log more than once, also where it was trimmed since; what a backup has, it keeps. */
  get loggedTwice(): readonly string[] {
    return repeated(loggedOf(this.store))
  }

  /** What is wrong with the log; empty where nothing is. */
  async faults(): Promise<readonly string[]> {
    const { faults } = await verifyNamespace(this.store, yjsCrdt.updates, NAMESPACE)
    return faults.map(({ seq, message }) => `${seq}: ${message}`)
  }

  /** What a reader of each replica sees, and what is kept. */
  views(members: readonly Member[] = this.members): readonly object[] {
    return members.map(({ replica, texts }) => ({ texts, ...viewOf(replica) }))
  }

  clock(): Clock {
    return this.#time.clock()
  }

  #noteCursor({ replica, cursors }: Member): void {
    const { cursor } = replica.status
    if (cursor !== null) cursors.push(cursor)
  }

  #openHub(): Hub {
    return openHub({
      updates: yjsCrdt.updates,
      domains: [notes],
      signals: this.#signals,
      ...this.#options,
      store: this.store,
      clock: this.clock(),
    })
  }
}

/** Names of the commits of each store, in order: hubs trim, and a test has to know all the same. */
const logs = new WeakMap<MapHubStore, string[]>()

function loggedOf(store: MapHubStore): readonly string[] {
  return logs.get(store) ?? []
}

function watched(store: MapHubStore, logged: readonly string[]): MapHubStore {
  const names = [...logged]
  logs.set(store, names)
  const append = store.append.bind(store)
  store.append = async (namespace, after, body, beyond): Promise<AppendResult> => {
    const result = await append(namespace, after, body, beyond)
    if (result.kind === 'appended') {
      const { record } = decodeRecord(body, 'an append')
      if (record.kind === 'commits') names.push(...record.commits.map(({ id }) => commitName(id)))
    }
    return result
  }
  return store
}
