/**
 * Real replicas with a clock each, a real hub, and beside them the model: every step is done to both, and after every step
 * the replica that did it must read and list what the model says.
 */
import { deepStrictEqual, equal } from 'node:assert/strict'
import { authorOf, SyncError, type AnyDomain, type AnyOp, type Conflict, type ErrorCode } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub, type Hub } from '@rejoin/hub'
import { openReplica, type Receipt, type Replica, type Resolution } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial } from '@rejoin/transport'
import { type Effect, type Json, type Shapes } from './effects.ts'
import { Model } from './model.ts'

/** A domain told twice: to the engine, and to the model. */
export interface Told<Op extends AnyOp> {
  readonly domain: AnyDomain
  readonly shapes: Shapes
  /** What an op does; `rows` reads what its author sees. */
  readonly effects: (op: Op, rows: (table: string) => ReturnType<Model['rows']>) => readonly Effect[]
}

interface Member {
  readonly replica: Replica<AnyDomain>
  readonly clock: VirtualClock
}

/** What maps and records have in common. */
export interface Rows {
  get(key: string | readonly string[]): unknown
  has(key: string | readonly string[]): boolean
  entries(): Iterable<[string | readonly string[], unknown]>
  readonly size: number
}

export const NAMESPACE = 'semantics'

export class World<Op extends AnyOp> {
  readonly model: Model
  readonly hubStore: MapHubStore
  readonly #told: Told<Op>
  readonly #hub: Hub
  readonly #members: readonly Member[]

  private constructor(told: Told<Op>, hubStore: MapHubStore, hub: Hub, members: readonly Member[]) {
    this.#told = told
    this.hubStore = hubStore
    this.#hub = hub
    this.#members = members
    this.model = new Model(
      told.shapes,
      members.map(({ replica }) => authorOf(replica.id)),
    )
  }

  /** @param skews milliseconds by which each replica's clock is wrong: as many replicas as there are skews. */
  static async open<Op extends AnyOp>(told: Told<Op>, skews: readonly number[]): Promise<World<Op>> {
    const hubStore = new MapHubStore()
    const hubClock = new VirtualClock(0)
    const hub = openHub({
      store: hubStore,
      updates: yjsCrdt.updates,
      domains: [told.domain],
      clock: hubClock,
    })
    const members: Member[] = []
    for (const [i, skew] of skews.entries()) {
      const clock = new VirtualClock(i + 1, hubClock.now() + skew)
      const { dial } = memoryDial({ clock, accept: (channel) => void hub.accept(channel, anyone) })
      const replica = await openReplica({
        domain: told.domain,
        namespace: NAMESPACE,
        store: new MapReplicaStore(),
        crdt: yjsCrdt,
        clock,
        dial,
        live: false,
      })
      members.push({ replica, clock })
    }
    return new World(told, hubStore, hub, members)
  }

  get count(): number {
    return this.#members.length
  }

  replica(who: number): Replica<AnyDomain> {
    return this.#member(who).replica
  }

  /** What the replica is called in stamps. */
  author(who: number): string {
    return authorOf(this.replica(who).id)
  }

  /** The rows of a table, as the replica reads them. */
  read(who: number, table: string): Rows {
    const reads = this.replica(who).tables[table]
    if (reads === undefined || !('entries' in reads)) throw new Error(`${table} has no rows`)
    // Which key and value types a table has is not known here.
    return reads as unknown as Rows
  }

  apply(who: number, ...ops: Op[]): 'commit' | 'unchanged' | 'refused' {
    const rows = (table: string) => this.model.rows(who, table)
    const effects = ops.flatMap((op) => this.#told.effects(op, rows))
    return this.#both(who, effects, (replica) => replica.apply(ops as never))
  }

  /** @param effects what the resolution does, by the caller's own reckoning. */
  resolve(who: number, conflict: Conflict, resolution: Resolution, effects: readonly Effect[]): string {
    return this.#both(who, effects, (replica) => replica.resolve(conflict, resolution))
  }

  async sync(who: number): Promise<void> {
    await this.replica(who).syncOnce()
    this.model.exchange(who)
    this.check(who)
  }

  /** The replica's clock moves; back too, as clocks of devices do. */
  wait(who: number, ms: number): void {
    this.#member(who).clock.advance(ms)
  }

  /** Everybody hears everything; then they agree to the byte. */
  async settle(): Promise<void> {
    for (let round = 0; round < 2; round++) for (const who of this.#members.keys()) await this.sync(who)
    const views = this.#members.map(({ replica }) => ({
      // A document that was put together in another order may keep its dead items in other pieces.
      encoded: Buffer.from(yjsCrdt.updates.compact([replica.encode()])).toString('hex'),
      conflicts: replica.conflicts(),
      unplaced: replica.unplaced,
      pending: replica.status.pending,
      rejected: replica.rejected,
    }))
    for (const view of views) deepStrictEqual(view, { ...views[0], unplaced: 0, pending: 0, rejected: [] })
  }

  /** The replica reads and lists what the model says. */
  check(who: number): void {
    const { replica } = this.#member(who)
    for (const table of Object.keys(this.#told.shapes)) {
      deepStrictEqual(rowsOf(this.read(who, table)), this.model.rows(who, table))
    }
    const listed = replica.conflicts()
    deepStrictEqual(listed.map(plain), this.model.conflicts(who))
    for (const { choices } of listed) {
      const stamps = choices.map(({ hlc }) => hlc)
      deepStrictEqual(stamps, [...stamps].sort().reverse())
    }
    equal(replica.status.conflicts, listed.length)
  }

  async close(): Promise<void> {
    for (const { replica } of this.#members) await replica.close()
    await this.#hub.close()
  }

  #both(
    who: number,
    effects: readonly Effect[],
    act: (replica: Replica<AnyDomain>) => Receipt,
  ): 'commit' | 'unchanged' | 'refused' {
    const { replica, clock } = this.#member(who)
    const before = replica.encode()
    const outcome = outcomeOf(() => act(replica).kind)
    const expected = this.model.apply(who, effects, clock.now())
    equal(outcome, expected === 'refused' ? 'PARENT_MISSING' : expected)
    if (expected !== 'commit') deepStrictEqual(replica.encode(), before)
    this.check(who)
    return expected
  }

  #member(who: number): Member {
    const member = this.#members[who]
    if (member === undefined) throw new Error(`no replica ${who}`)
    return member
  }
}

/** By every way of reading, which must agree. */
function rowsOf(reads: Rows): readonly unknown[] {
  const rows = [...reads.entries()]
  equal(reads.size, rows.length)
  for (const [key, value] of rows) {
    equal(reads.has(key), true)
    deepStrictEqual(reads.get(key), value)
  }
  return rows.map(([key, value]) => [typeof key === 'string' ? [key] : key, value])
}

function plain(conflict: Conflict): unknown {
  const { choices, ...rest } = conflict
  return { ...rest, choices: choices.map(({ value, author, at }) => ({ value: value as Json, author, at })) }
}

function outcomeOf<T>(act: () => T): T | ErrorCode {
  try {
    return act()
  } catch (error) {
    if (error instanceof SyncError) return error.code
    throw error
  }
}
