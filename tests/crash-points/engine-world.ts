/**
 * A hub and two replicas, each a process with a disk of its own; one of them may end at a point of its fuse. Every commit adds
 * a list of its own, so that a commit that was lost is missed by name.
 */
import assert from 'node:assert/strict'
import { commitName, type Clock, type HubStore, type ReplicaStore } from '@rejoin/core'
import { digestOf, yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub, readLog, verifyNamespace, type Hub } from '@rejoin/hub'
import { openReplica, type Replica, type SyncReport } from '@rejoin/replica'
import { VirtualClock } from '@rejoin/testkit'
import { memoryDial, type MemoryHub } from '@rejoin/transport'
import { NAMESPACE, todo, type Todo, type TodoOp } from '../rebuild/world.ts'
import { turn } from '../support/stepped-time.ts'
import { hubDisk, replicaDisk, type Disk, type Level } from './disks.ts'
import { Fuse } from './fuse.ts'

export type Side = 'hub' | 'replica'

/** Commits that stay available as a tail. */
const RETENTION = { commits: 3 }

export class EngineWorld {
  #fuse: Fuse
  readonly #timers = new VirtualClock(1)
  readonly #chance: VirtualClock
  #hubDisk: Disk<HubStore>
  #hubStore!: HubStore
  #hub!: Hub
  #ms = 0
  /** Lists that commits added, by what their author was told of them. */
  readonly #saved = new Set<string>()
  readonly #acked = new Set<string>()
  readonly #level: Level
  /** The one whose process may end, and another one whose does not. */
  a!: Member
  b!: Member

  private constructor(fuse: Fuse, level: Level, disk: Disk<HubStore>) {
    this.#fuse = fuse
    this.#level = level
    this.#hubDisk = disk
    this.#chance = new VirtualClock(2)
  }

  static async of(fuse: Fuse, side: Side, level: Level): Promise<EngineWorld> {
    const never = (): Fuse => new Fuse(null)
    const world = new EngineWorld(fuse, level, await hubDisk(level, side === 'hub' ? fuse : never()))
    await world.#startHub()
    world.a = world.member(await replicaDisk(level, side === 'replica' ? fuse : never()))
    world.b = world.member(await replicaDisk(level, never()))
    for (const member of [world.a, world.b]) await member.open()
    return world
  }

  get hub(): Hub {
    return this.#hub
  }

  get clock(): Clock {
    return {
      now: () => Date.UTC(2026, 0, 1) + this.#ms++,
      sleep: (ms, signal) => this.#timers.sleep(ms, signal),
      random: (count) => this.#chance.random(count),
    }
  }

  member(disk: Disk<ReplicaStore>): Member {
    const member: Member = new Member(this, disk)
    return member
  }

  accept(channel: Parameters<Hub['accept']>[0]): void {
    void this.#hub.accept(channel, anyone)
  }

  /** A commit that adds the list `id` with so many long items. */
  add({ replica }: Member, id: string, items = 0): void {
    const long = Array.from({ length: items }, (_, i): TodoOp => {
      return { type: 'ItemSet', list: id, item: `item-${i}`, text: `${i} `.repeat(600) }
    })
    const receipt = replica.apply([{ type: 'ListAdded', id, title: `list ${id}` }, ...long])
    if (receipt.kind !== 'commit') throw new Error(`${id} is no list of its own`)
    receipt.saved.then(
      () => this.#saved.add(id),
      () => {},
    )
    receipt.acked.then(
      () => this.#acked.add(id),
      () => {},
    )
  }

  sync({ replica }: Member): Promise<SyncReport> {
    return this.finish(replica.syncOnce())
  }

  /** Time passes until the work is done, or its process is. */
  async finish<T>(work: Promise<T>): Promise<T> {
    let done = false
    const mark = (): void => {
      done = true
    }
    work.then(mark, mark)
    for (let i = 0; !done && i < 400; i++) {
      await turn()
      if (this.#fuse.isDead && i > 20) return await new Promise(() => {})
      if (!done) this.#timers.advanceToNext()
    }
    if (!done) throw new Error('it never ends')
    return work
  }

  /** Time passes until it is so. */
  until(isSo: () => boolean): Promise<void> {
    const waiting = async (): Promise<void> => {
      while (!isSo() && !this.#fuse.isDead) await turn()
    }
    return this.finish(waiting())
  }

  /** Whoever ended finds what is left of its disk, and may end once more, by this fuse. */
  async comeBack(side: Side, fuse: Fuse): Promise<void> {
    await this.#end(side, fuse)
    this.#fuse = fuse
  }

  /** Whoever ended comes back to what is left of its disk; then all that was promised is looked for. */
  async checkAfterwards(side: Side): Promise<void> {
    const [saved, acked] = [new Set(this.#saved), new Set(this.#acked)]
    await this.#end(side)
    await this.open(side)
    // Invariant 4: before anything is exchanged.
    const own = [...saved].filter((id) => id.startsWith('a'))
    if (side === 'replica') checkHolds(this.a, own)
    if ((await this.#hubStore.state(NAMESPACE)) === 'present') {
      await this.#checkSound()
      // Invariant 3: the hub alone has what it acknowledged.
      checkHolds(await this.#newcomer(), [...acked])
    }
    for (let round = 0; round < 3; round++) for (const member of [this.a, this.b]) await this.sync(member)
    const members = [this.a, this.b, await this.#newcomer()]
    const views = members.map((member) => ({
      digest: digestOf(member.replica.registers),
      document: Buffer.from(yjsCrdt.updates.compact([member.replica.encode()])).toString('hex'),
      lists: listsOf(member),
    }))
    for (const view of views) assert.deepEqual(view, views[0])
    for (const member of members) {
      const { status, unplaced, rejected } = member.replica
      const { pending, persistence, divergence } = status
      assert.deepEqual({ pending, persistence, divergence, unplaced, rejected }, atRest)
      checkHolds(member, [...saved])
    }
    await this.#checkSound()
  }

  /** Of what the hub holds: its log, its checkpoint, and that each commit id is in the log once (invariant 5). */
  async #checkSound(): Promise<void> {
    // Nobody had saved anything.
    if ((await this.#hubStore.state(NAMESPACE)) === 'unknown') return assert.equal(this.#saved.size, 0)
    const report = await verifyNamespace(this.#hubStore, yjsCrdt.updates, NAMESPACE)
    assert.deepEqual(report.faults, [])
    const names: string[] = []
    for await (const { id } of readLog(this.#hubStore, NAMESPACE)) names.push(commitName(id))
    assert.equal(new Set(names).size, names.length, 'each commit id is in the log once')
  }

  async #end(side: Side, fuse?: Fuse): Promise<void> {
    for (const { wire, replica } of [this.a, this.b]) {
      wire.cut()
      replica.disconnect()
    }
    await turn()
    if (side === 'hub') this.#hubDisk = await this.#hubDisk.left(fuse)
    else await this.a.end(fuse)
  }

  async #newcomer(): Promise<Member> {
    const member = this.member(await replicaDisk(this.#level, new Fuse(null)))
    await member.open()
    await this.sync(member)
    return member
  }

  /** Opens whatever ended. */
  async open(side: Side): Promise<void> {
    await (side === 'hub' ? this.#startHub() : this.a.open())
  }

  async #startHub(): Promise<void> {
    this.#hubStore = await this.#hubDisk.open()
    this.#hub = openHub({
      store: this.#hubStore,
      updates: yjsCrdt.updates,
      domains: [todo],
      clock: this.clock,
      retention: RETENTION,
      checkpoint: { bytesMin: Infinity },
      rebuild: 'never',
    })
  }
}

export class Member {
  readonly wire: MemoryHub
  replica!: Replica<Todo>
  readonly #world: EngineWorld
  #disk: Disk<ReplicaStore>

  constructor(world: EngineWorld, disk: Disk<ReplicaStore>) {
    this.#world = world
    this.#disk = disk
    this.wire = memoryDial({ clock: world.clock, accept: (channel) => world.accept(channel) })
  }

  async open(): Promise<void> {
    this.replica = await openReplica({
      domain: todo,
      namespace: NAMESPACE,
      store: await this.#disk.open(),
      crdt: yjsCrdt,
      clock: this.#world.clock,
      dial: this.wire.dial,
      live: false,
    })
  }

  /** Its process is no more; the next one ends by this fuse. */
  async end(fuse?: Fuse): Promise<void> {
    this.#disk = await this.#disk.left(fuse)
  }

  async stored(): ReturnType<ReplicaStore['load']> {
    return (await (await this.#disk.left()).open()).load()
  }
}

const atRest = { pending: 0, persistence: 'ok', divergence: null, unplaced: 0, rejected: [] }

function checkHolds(member: Member, wanted: readonly string[]): void {
  const found = new Set(listsOf(member))
  assert.deepEqual(
    wanted.filter((id) => !found.has(id)),
    [],
    'every commit that was promised is there',
  )
}

function listsOf({ replica }: Member): readonly string[] {
  return [...replica.tables.lists.entries()].map(([id]) => String(id)).sort()
}
