/**
 * Hubs over one store, and replicas that come and go. Every step of a story has a time of its own, which stamps follow, and
 * chance is drawn by each for itself: so a story told in two worlds gives the same stamps, whatever their hubs do.
 */
import {
  commitName,
  defineDomain,
  Id,
  map,
  records,
  type AppendResult,
  type Clock,
  type HubChannel,
  type Namespace,
  type OpOf,
  type ReplicaChannel,
  type Seq,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub, type Hub, type HubOptions } from '@rejoin/hub'
import { openReplica, type Replica, type SyncReport } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore } from '@rejoin/testkit'
import { memoryDial, type MemoryHub } from '@rejoin/transport'
import { z } from 'zod'
import { decodeRecord } from '../../packages/hub/src/record.ts'
import { oneShot } from '../support/overlaid.ts'
import { signalsWithin, SteppedTime, turn } from '../support/stepped-time.ts'
import { repeated, viewOf } from '../support/views.ts'

export const NAMESPACE: Namespace = 'home'
export const todo = defineDomain({
  name: 'todo',
  version: 1,
  tables: {
    lists: records({ title: z.string().max(200), color: z.enum(['red', 'blue']).optional() }),
    items: map({ key: z.tuple([Id, Id]), value: z.string().max(2_000), under: 'lists' }),
    weights: map({ key: Id, value: z.number(), merge: 'max' }),
  },
  ops: (op) => ({
    ListAdded: op(z.object({ id: Id, title: z.string() }), (t, o) => t.lists.add(o.id, { title: o.title })),
    ListTitled: op(z.object({ id: Id, title: z.string() }), (t, o) => t.lists.set(o.id, { title: o.title })),
    ListRemoved: op(z.object({ id: Id }), (t, o) => t.lists.remove(o.id)),
    ItemSet: op(z.object({ list: Id, item: Id, text: z.string() }), (t, o) =>
      t.items.set([o.list, o.item], o.text),
    ),
    ItemRemoved: op(z.object({ list: Id, item: Id }), (t, o) => t.items.remove([o.list, o.item])),
    Weighed: op(z.object({ id: Id, weight: z.number() }), (t, o) => t.weights.set(o.id, o.weight)),
  }),
})
export type Todo = typeof todo
export type TodoOp = OpOf<Todo>

/** Remembers each commit that was ever logged, since hubs trim and rebuild. */
class RememberingStore extends MapHubStore {
  readonly logged: string[] = []

  override async append(
    namespace: Namespace,
    after: Seq,
    body: Uint8Array,
    beyond?: Seq,
  ): Promise<AppendResult> {
    const result = await super.append(namespace, after, body, beyond)
    if (result.kind === 'appended') {
      const { record } = decodeRecord(body, 'an append')
      if (record.kind === 'commits') this.logged.push(...record.commits.map(({ id }) => commitName(id)))
    }
    return result
  }
}

export class Member {
  readonly wires: readonly MemoryHub[]
  readonly clock: Clock
  store = new MapReplicaStore()
  /** Set as soon as it is opened. */
  replica!: Replica<Todo>
  /** Which hub it goes to. */
  hub = 0
  /** The hub's end of its newest channel. */
  channel: HubChannel | null = null

  constructor(clock: Clock, wires: readonly MemoryHub[]) {
    this.clock = clock
    this.wires = wires
  }

  get wire(): MemoryHub {
    const wire = this.wires[this.hub % this.wires.length]
    if (wire === undefined) throw new Error('a world has a hub')
    return wire
  }

  async open(): Promise<this> {
    this.replica = await openReplica({
      domain: todo,
      namespace: NAMESPACE,
      store: this.store,
      crdt: yjsCrdt,
      clock: this.clock,
      dial: (signal) => this.wire.dial(signal),
      live: false,
    })
    return this
  }

  /** Loses what was not recorded. */
  async crash(): Promise<void> {
    for (const wire of this.wires) wire.cut()
    this.store = this.store.crash()
    await turn()
    this.replica.disconnect()
    await this.open()
  }

  cut(): void {
    for (const wire of this.wires) wire.cut()
  }

  /** As over HTTP: everything up before anything comes down. */
  readonly oneShotDial = async (signal: AbortSignal): Promise<ReplicaChannel> =>
    oneShot(await this.wire.dial(signal))
}

export class World {
  readonly store = new RememberingStore()
  readonly members: Member[] = []
  readonly accepted = new Set<string>()
  /** How each exchange caught up. */
  readonly paths: string[] = []
  readonly hubs: Hub[] = []
  readonly #options: Partial<HubOptions>
  readonly #time: SteppedTime
  readonly #signals = signalsWithin()

  constructor(seed: number, hubs: number, options: Partial<HubOptions> = {}) {
    this.#time = new SteppedTime(seed)
    this.#options = options
    for (let i = 0; i < hubs; i++) this.hubs.push(this.#openHub())
  }

  static async of(
    seed: number,
    { hubs = 1, replicas = 3, ...options }: { hubs?: number; replicas?: number } & Partial<HubOptions> = {},
  ): Promise<World> {
    const world = new World(seed, hubs, options)
    for (let i = 0; i < replicas; i++) world.members.push(await world.newMember())
    return world
  }

  get hub(): Hub {
    return this.hubAt(0)
  }

  hubAt(index: number): Hub {
    const hub = this.hubs[index % this.hubs.length]
    if (hub === undefined) throw new Error('a world has a hub')
    return hub
  }

  at(index: number): Member {
    const member = this.members[index % this.members.length]
    if (member === undefined) throw new Error('a world has replicas')
    return member
  }

  /** The next step's time. */
  step(): void {
    this.#time.step()
  }

  newMember(): Promise<Member> {
    const clock = this.#time.clock()
    const wires = this.hubs.map((_, i) =>
      memoryDial({
        clock,
        accept: (channel) => {
          member.channel = channel
          void this.hubAt(i).accept(channel, anyone)
        },
      }),
    )
    const member: Member = new Member(clock, wires)
    return member.open()
  }

  restartHub(index: number): void {
    for (const { wires } of this.members) wires[index % this.hubs.length]?.cut()
    void this.hubAt(index).close()
    this.hubs[index % this.hubs.length] = this.#openHub()
  }

  /** Where the parent is not there, nothing is applied. */
  apply({ replica }: Member, op: TodoOp): void {
    try {
      const receipt = replica.apply(op)
      if (receipt.kind === 'unchanged') return
      const id = commitName(receipt.id)
      receipt.saved.then(
        () => this.accepted.add(id),
        () => {},
      )
      receipt.acked.catch(() => {})
    } catch {
      // Refused before anything was touched.
    }
  }

  async sync({ replica, oneShotDial }: Member, oneShot = false): Promise<SyncReport> {
    const report = await this.finish(replica.syncOnce(oneShot ? oneShotDial : undefined))
    this.paths.push(report.path)
    return report
  }

  /** Time passes until the work is done. */
  finish<T>(work: Promise<T>): Promise<T> {
    return this.#time.finish(work)
  }

  pass(ms: number): Promise<void> {
    return this.#time.pass(ms)
  }

  /** Everybody stops what is under way and exchanges everything. */
  async settle(): Promise<void> {
    for (const member of this.members) {
      member.cut()
      member.replica.disconnect()
    }
    await turn()
    for (let round = 0; round < 3; round++) for (const member of this.members) await this.sync(member)
  }

  /** Until all who are connected are live and have nothing left to send. */
  async settleLive(): Promise<void> {
    for (let i = 0; i < 200; i++) {
      const done = this.members.every(
        ({ replica: { status } }) => status.state === 'live' && status.pending === 0,
      )
      if (done) return
      await this.pass(50)
    }
    throw new Error('it never settles')
  }

  /** What a reader of each replica sees, and what is kept. */
  views(): readonly object[] {
    return this.members.map(({ replica }) => viewOf(replica))
  }

  get loggedTwice(): readonly string[] {
    return repeated(this.store.logged)
  }

  /** Saved, and not in the log. */
  get lost(): readonly string[] {
    const logged = new Set(this.store.logged)
    return [...this.accepted].filter((id) => !logged.has(id))
  }

  #openHub(): Hub {
    return openHub({
      updates: yjsCrdt.updates,
      domains: [todo],
      signals: this.#signals,
      ...this.#options,
      store: this.store,
      clock: this.#time.clock(),
    })
  }
}
