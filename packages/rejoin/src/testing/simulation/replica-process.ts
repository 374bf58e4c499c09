/** One replica of a simulated world: a folder, a machine's clock and disk, and the process that has it open, or none. */
import {
  asSyncError,
  commitName,
  type AnyDomain,
  type Clock,
  type Cursor,
  type Dial,
  type Namespace,
  type ReplicaStep,
  type SyncError,
} from '@rejoin/core'
import { openReplica, type Replica } from '@rejoin/replica'
import type { MapReplicaStore } from '@rejoin/testkit'
import type { WorldPorts } from '../ports.ts'
import type { Chance } from './chance.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { ReplicaPlace } from './simulated-stores.ts'
import { ProcessClock, type SimulatedTime, type WallClock } from './simulated-time.ts'

export interface ReplicaParts {
  readonly index: number
  readonly domain: AnyDomain
  readonly namespace: Namespace
  readonly place: ReplicaPlace
  readonly time: SimulatedTime
  readonly chance: Chance
  readonly ports: WorldPorts
  readonly dial: Dial
  /** Hears what its folder was given, once it is there. */
  readonly recorded: (steps: readonly ReplicaStep[]) => void
}

export class ReplicaProcess {
  readonly index: number
  readonly domain: AnyDomain
  readonly namespace: Namespace
  readonly place: ReplicaPlace
  readonly wall: WallClock = { aheadMs: 0, standsAt: null }
  /** Whether it is to be connected. */
  isLive = false
  mayWrite = true
  /** Its folder may have less than what was saved there. */
  hasLost = false
  /** Why it could not be opened the last time, or null. */
  trouble: SyncError | null = null
  /** Why it did not accept what it was given last, or null. */
  refusal: SyncError | null = null
  backup: MapReplicaStore | null = null
  disk = new SimulatedDisk()
  readonly #parts: ReplicaParts
  #clock: ProcessClock
  #replica: Replica<AnyDomain> | null = null

  constructor(parts: ReplicaParts) {
    this.#parts = parts
    this.index = parts.index
    this.domain = parts.domain
    this.namespace = parts.namespace
    this.place = parts.place
    this.#clock = this.#newClock()
  }

  get isOpen(): boolean {
    return this.#replica !== null
  }

  get replica(): Replica<AnyDomain> {
    if (this.#replica === null) throw new Error(`replica ${this.index} is not open`)
    return this.#replica
  }

  /** Of its process. */
  get clock(): Clock {
    return this.#parts.ports.clock(this.#clock, this.index)
  }

  get cursor(): Cursor | null {
    return this.#replica?.status.cursor ?? null
  }

  fullName(counter: number): string {
    return commitName({ replica: this.replica.id, counter })
  }

  /** Never rejects: `trouble` says why it is not open then. */
  async open(): Promise<void> {
    const { ports, index, dial } = this.#parts
    try {
      this.#replica = await openReplica({
        domain: this.domain,
        namespace: this.namespace,
        store: ports.replicaStore(this.place.open(this.disk, this.#parts.recorded), index),
        crdt: ports.crdt(index),
        clock: this.clock,
        dial,
        live: this.isLive,
      })
      this.trouble = null
    } catch (error) {
      this.trouble = asSyncError(error, 'STORE_CORRUPT', 'it does not open')
    }
  }

  /** What was under way on its disk is carried out in part, or not; nothing of the old process does anything any more. */
  kill(power: boolean): void {
    const { state } = this.disk
    this.disk.end(this.#parts.chance)
    this.#clock.end()
    this.#replica = null
    this.#clock = this.#newClock()
    this.disk = new SimulatedDisk()
    // A machine that goes on again has nothing left that could be slow.
    if (state === 'fails' || state === 'full') this.disk.set(state)
    if (power && this.place.cutPower()) this.hasLost = true
  }

  #newClock(): ProcessClock {
    return new ProcessClock(this.#parts.time, this.wall, this.#parts.chance)
  }
}
