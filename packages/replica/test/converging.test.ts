// Three replicas and a real hub in one process: random ops, offline phases, broken connections, lost answers, crashes,
// compaction and rebuilds. Whatever happens, everybody ends with the same content and every commit is logged once.
import { commitName, type HubStore, type ReplicaChannel } from '@rejoin/core'
import { digestOf, yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub, readLog, rebuildNamespace, type Hub } from '@rejoin/hub'
import type { Replica } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial, type MemoryHub } from '@rejoin/transport'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  itemSet,
  listAdded,
  listRemoved,
  openTodo,
  titled,
  todo,
  turn,
  type Todo,
  type TodoOp,
  finished,
} from './support.ts'

type Step =
  | { kind: 'apply'; replica: number; op: TodoOp }
  | { kind: 'sync'; replica: number; oneShot: boolean }
  | { kind: 'connect' | 'disconnect' | 'crash' | 'cut' | 'deaf'; replica: number }
  | { kind: 'pass' | 'checkpoint' | 'rebuild' | 'restart hub' }

const name = fc.constantFrom('a', 'b', 'c')
const text = fc.constantFrom('x', 'y', 'z')
const op: fc.Arbitrary<TodoOp> = fc.oneof(
  fc.tuple(name, text).map(([id, title]) => listAdded(id, title)),
  fc.tuple(name, text).map(([id, title]) => titled(id, title)),
  fc.tuple(name, name, text).map(([list, item, value]) => itemSet(list, item, value)),
  fc.tuple(name, name).map(([list, item]): TodoOp => ({ type: 'ItemRemoved', list, item })),
  name.map(listRemoved),
)
const replica = fc.nat({ max: 2 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ kind: fc.constant('apply' as const), replica, op }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('sync' as const), replica, oneShot: fc.boolean() }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'connect' as const,
        'disconnect' as const,
        'crash' as const,
        'cut' as const,
        'deaf' as const,
      ),
      replica,
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('pass' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('checkpoint' as const, 'rebuild' as const, 'restart hub' as const),
    }),
  },
)

class Installation {
  readonly #world: World
  readonly wire: MemoryHub
  store = new MapReplicaStore()
  replica: Replica<Todo>

  private constructor(world: World, wire: MemoryHub, replica: Replica<Todo>, store: MapReplicaStore) {
    this.#world = world
    this.wire = wire
    this.replica = replica
    this.store = store
  }

  static async make(world: World): Promise<Installation> {
    const wire = memoryDial({
      clock: world.clock,
      accept: (channel) => void world.hub.accept(channel, anyone),
    })
    const store = new MapReplicaStore()
    const replica = await openTodo({ clock: world.clock, store, dial: wire.dial, live: false })
    return new Installation(world, wire, replica, store)
  }

  /** Loses what was not recorded. */
  async crash(): Promise<void> {
    this.wire.cut()
    this.store = this.store.crash()
    await turn()
    this.replica.disconnect()
    this.replica = await openTodo({
      clock: this.#world.clock,
      store: this.store,
      dial: this.wire.dial,
      live: false,
    })
  }

  /** As over HTTP: everything up before anything comes down. */
  readonly oneShotDial = async (signal: AbortSignal): Promise<ReplicaChannel> => {
    const channel = await this.wire.dial(signal)
    return new Proxy(channel, {
      get: (target, property) => {
        if (property === 'oneShot') return true
        const value: unknown = Reflect.get(target, property, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
}

class World {
  readonly clock: VirtualClock
  hubStore = new MapHubStore()
  hub: Hub
  installations: Installation[] = []
  readonly accepted = new Set<string>()
  readonly acked = new Set<string>()
  /** Where each commit was found in the log. */
  readonly logged = new Map<string, Set<number>>()

  constructor(seed: number) {
    this.clock = new VirtualClock(seed)
    this.hub = this.#openHub()
  }

  #openHub(): Hub {
    return openHub({
      store: this.#readBeforeTrims(this.hubStore),
      updates: yjsCrdt.updates,
      domains: [todo],
      clock: this.clock,
      retention: { commits: 3, bytes: 1 },
      checkpoint: { bytesMin: 200 },
    })
  }

  /** Commits are counted before the hub forgets them. */
  #readBeforeTrims(store: MapHubStore): HubStore {
    const trim: HubStore['trim'] = async (namespace, upTo) => {
      await this.readLog()
      return store.trim(namespace, upTo)
    }
    return new Proxy(store, {
      get: (target, property) => {
        const value: unknown = property === 'trim' ? trim : Reflect.get(target, property, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  async step(step: Step): Promise<void> {
    switch (step.kind) {
      case 'apply':
        return this.#apply(this.#at(step.replica).replica, step.op)
      case 'sync':
        return this.#sync(this.#at(step.replica), step.oneShot)
      case 'connect':
        this.#at(step.replica).replica.connect()
        return
      case 'disconnect':
        this.#at(step.replica).replica.disconnect()
        return
      case 'crash':
        return this.#at(step.replica).crash()
      case 'cut':
        this.#at(step.replica).wire.cut()
        return
      case 'deaf':
        // Pushes arrive, answers do not.
        this.#at(step.replica).wire.swallow('down')
        return
      case 'pass':
        await turn()
        this.clock.advance(700)
        await turn()
        return
      case 'checkpoint':
        await this.hub.checkpoint('home').catch(() => {})
        return
      case 'rebuild':
        await rebuildNamespace(
          this.#readBeforeTrims(this.hubStore),
          yjsCrdt.updates,
          'home',
          this.clock,
        ).catch(() => {})
        return
      case 'restart hub':
        this.hubStore = this.hubStore.crash()
        for (const { wire } of this.installations) wire.cut()
        this.hub = this.#openHub()
        return
    }
  }

  async readLog(): Promise<void> {
    try {
      for await (const { id, seq } of readLog(this.hubStore, 'home')) {
        const seqs = this.logged.get(commitName(id)) ?? new Set()
        this.logged.set(commitName(id), seqs.add(seq))
      }
    } catch {
      // It does not exist yet.
    }
  }

  finish<T>(work: Promise<T>): Promise<T> {
    return finished(this.clock, work)
  }

  #apply(replica: Replica<Todo>, op: TodoOp): void {
    try {
      const receipt = replica.apply(op)
      if (receipt.kind === 'unchanged') return
      const id = commitName(receipt.id)
      // Before it is saved a crash may take it.
      void receipt.saved.then(
        () => this.accepted.add(id),
        () => {},
      )
      void receipt.acked.then(
        () => this.acked.add(id),
        () => {},
      )
    } catch {
      // Its parent is not there.
    }
  }

  async #sync({ replica, oneShotDial }: Installation, oneShot: boolean): Promise<void> {
    await this.finish(replica.syncOnce(oneShot ? oneShotDial : undefined)).catch(() => {})
  }

  #at(index: number): Installation {
    const installation = this.installations[index]
    if (installation === undefined) throw new Error(`no replica ${index}`)
    return installation
  }

  /** Everybody exchanges everything; then also a replica that is new. */
  async settle(): Promise<readonly object[]> {
    for (const { replica, wire } of this.installations) {
      wire.cut()
      replica.disconnect()
    }
    await turn()
    for (let round = 0; round < 3; round++) {
      for (const { replica } of this.installations) await this.finish(replica.syncOnce())
    }
    const fresh = await Installation.make(this)
    await this.finish(fresh.replica.syncOnce())
    await this.readLog()
    return [...this.installations, fresh].map(({ replica }) => ({
      digest: digestOf(replica.registers),
      conflicts: replica.conflicts(),
      document: Buffer.from(yjsCrdt.updates.compact([replica.encode()])).toString('hex'),
      unplaced: replica.unplaced,
      pending: replica.status.pending,
      rejected: replica.rejected,
      persistence: replica.status.persistence,
    }))
  }

  get loggedTwice(): readonly string[] {
    return [...this.logged].filter(([, seqs]) => seqs.size > 1).map(([id]) => id)
  }

  /** Saved or acknowledged, and not in the log. */
  get lost(): readonly string[] {
    return [...this.accepted, ...this.acked].filter((id) => !this.logged.has(id))
  }
}

async function worldOf(seed: number): Promise<World> {
  const world = new World(seed)
  for (let i = 0; i < 3; i++) world.installations.push(await Installation.make(world))
  return world
}

describe('three replicas and a hub', () => {
  test('[1] [3] [4] [5] [10] converge, with every commit in the log once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(step, { minLength: 5, maxLength: 40 }), async (seed, steps) => {
        const world = await worldOf(seed)
        for (const each of steps) {
          await world.step(each)
        }
        const views = await world.settle()
        for (const view of views) expect(view).toEqual(views[0])
        expect(views[0]).toMatchObject({ unplaced: 0, pending: 0, rejected: [], persistence: 'ok' })
        expect(world.loggedTwice).toEqual([])
        expect(world.lost).toEqual([])
      }),
      { numRuns: Number(process.env['RUNS'] ?? 200) },
    )
  }, 300_000)
})
