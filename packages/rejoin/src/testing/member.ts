/** One replica of the world, with its disk and its clock, through crashes. */
import type { AnyDomain, Clock, Dial, Namespace, ReplicaStore } from '@rejoin/core'
import { openReplica, type Replica } from '@rejoin/replica'
import { MapReplicaStore } from '@rejoin/testkit'
import { GatedStore } from './gated-store.ts'
import type { WorldPorts } from './ports.ts'

export interface MemberParts {
  readonly index: number
  readonly domain: AnyDomain
  readonly namespace: Namespace
  readonly clock: Clock
  readonly dial: Dial
  readonly ports: WorldPorts
}

export class Member {
  readonly index: number
  /** Whether it is to be connected. */
  isLive = false
  /** Milliseconds that its wall clock is ahead of the world's. */
  aheadMs = 0
  readonly #parts: MemberParts
  readonly #clock: Clock
  #disk: MapReplicaStore
  #gate: GatedStore
  #store: ReplicaStore
  #replica: Replica<AnyDomain> | null = null

  constructor(parts: MemberParts) {
    this.index = parts.index
    this.#parts = parts
    const { clock, ports, index } = parts
    const own: Clock = {
      now: () => clock.now() + this.aheadMs,
      sleep: (ms, signal) => clock.sleep(ms, signal),
      random: (count) => clock.random(count),
    }
    this.#clock = ports.clock(own, index)
    this.#disk = new MapReplicaStore()
    this.#gate = new GatedStore(this.#disk)
    this.#store = this.#gate
  }

  get isOpen(): boolean {
    return this.#replica !== null
  }

  get replica(): Replica<AnyDomain> {
    if (this.#replica === null) throw new Error(`replica ${this.index} is not open`)
    return this.#replica
  }

  get disk(): GatedStore {
    return this.#gate
  }

  /** As the replica sees it. */
  get store(): ReplicaStore {
    return this.#store
  }

  async open(): Promise<void> {
    const { domain, namespace, dial, ports, index } = this.#parts
    this.#store = ports.replicaStore(this.#gate, index)
    this.#replica = await openReplica({
      domain,
      namespace,
      store: this.#store,
      crdt: ports.crdt(index),
      clock: this.#clock,
      dial,
      live: this.isLive,
    })
  }

  /** What was not recorded is lost; what is left of the old process neither records nor says anything. */
  crash(): void {
    const old = this.replica
    const gate = this.#gate
    this.#disk = this.#disk.crash()
    this.#gate = new GatedStore(this.#disk)
    this.#replica = null
    gate.set('works')
    old.close().catch(() => {})
  }

  connect(): void {
    this.isLive = true
    this.replica.connect()
  }

  disconnect(): void {
    this.isLive = false
    this.replica.disconnect()
  }

  /** Ends it in the ordinary way. */
  async end(): Promise<void> {
    this.#gate.set('works')
    await this.#replica?.close()
  }
}
