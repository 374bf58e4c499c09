/** The two stores on a simulated disk, through crashes, power cuts, copies and backups. */
import type {
  Durability,
  HubStore,
  LogRange,
  Namespace,
  NamespaceState,
  NewCheckpoint,
  ReplicaStep,
  ReplicaStore,
  Seq,
  StoredCheckpoint,
  StoredReplica,
  TailLimit,
  TailResult,
  AppendResult,
} from '@rejoin/core'
import { MapHubStore, MapReplicaStore } from '@rejoin/testkit'
import type { Chance } from './chance.ts'
import { SimulatedDisk } from './simulated-disk.ts'

/** Batches between two syncs of a store that syncs later, at most. */
const UNSYNCED_MAX = 6

/** What a place holds, and what of it is not synced yet. */
class Unsynced<Store> {
  readonly #copy: (store: Store) => Store
  #synced: Store
  #batches: ((store: Store) => void)[] = []

  constructor(store: Store, copy: (store: Store) => Store) {
    this.#copy = copy
    this.#synced = copy(store)
  }

  wrote(store: Store, batch: (store: Store) => void, chance: Chance): void {
    this.#batches.push(batch)
    if (this.#batches.length > chance.below(UNSYNCED_MAX + 1)) this.sync(store)
  }

  sync(store: Store): void {
    this.#synced = this.#copy(store)
    this.#batches = []
  }

  /** What is there once the power is back; null: everything. */
  afterPowerCut(chance: Chance): Store | null {
    const kept = chance.below(this.#batches.length + 1)
    if (kept === this.#batches.length) return null
    for (const batch of this.#batches.slice(0, kept)) batch(this.#synced)
    return this.#synced
  }
}

/** Hears what was carried out on a hub's store, in order. */
export interface HubStoreWitness {
  appended(namespace: Namespace, seq: Seq, prev: Seq, body: Uint8Array): void
  removed(namespace: Namespace): void
}

/** The folder of a hub: what is in it outlives the processes that have it open. */
export class HubPlace {
  readonly durability: Durability
  readonly #chance: Chance
  readonly #witness: HubStoreWitness
  #store: MapHubStore
  #unsynced: Unsynced<MapHubStore> | null

  constructor(durability: Durability, chance: Chance, witness: HubStoreWitness) {
    this.durability = durability
    this.#chance = chance
    this.#witness = witness
    this.#store = new MapHubStore({ durability })
    this.#unsynced = this.#unsyncedOf(this.#store)
  }

  get store(): MapHubStore {
    return this.#store
  }

  /** For one process. */
  open(disk: SimulatedDisk): HubStore {
    return new HubStoreOnDisk(this, disk)
  }

  backup(): MapHubStore {
    return this.#store.copy()
  }

  restore(backup: MapHubStore): void {
    this.#store = backup.copy()
    this.#unsynced = this.#unsyncedOf(this.#store)
  }

  /** @returns whether something is gone with it. */
  cutPower(): boolean {
    const left = this.#unsynced?.afterPowerCut(this.#chance) ?? null
    if (left === null) return false
    this.restore(left)
    return true
  }

  write<T>(batch: (store: MapHubStore) => Promise<T>): Promise<T> {
    const result = batch(this.#store)
    this.#unsynced?.wrote(this.#store, (store) => void batch(store), this.#chance)
    return result
  }

  append(namespace: Namespace, after: Seq, body: Uint8Array, beyond: Seq): Promise<AppendResult> {
    // The map store carries it out before it returns; its answer comes later.
    return this.write((store) => store.append(namespace, after, body, beyond))
  }

  /** Told at once, before anybody can be answered. */
  noteAppended(namespace: Namespace, seq: Seq, prev: Seq, body: Uint8Array): void {
    this.#witness.appended(namespace, seq, prev, body)
  }

  noteRemoved(namespace: Namespace): void {
    this.#witness.removed(namespace)
  }

  #unsyncedOf(store: MapHubStore): Unsynced<MapHubStore> | null {
    return this.durability === 'durable' ? null : new Unsynced(store, (each) => each.copy())
  }
}

class HubStoreOnDisk implements HubStore {
  readonly #place: HubPlace
  readonly #disk: SimulatedDisk
  readonly incarnation: string
  readonly durability: Durability

  constructor(place: HubPlace, disk: SimulatedDisk) {
    this.#place = place
    this.#disk = disk
    this.incarnation = place.store.incarnation
    this.durability = place.durability
  }

  append(namespace: Namespace, after: Seq, body: Uint8Array, beyond: Seq = 0): Promise<AppendResult> {
    return this.#disk.call('write', () => {
      const place = this.#place
      const before = place.store.headOf(namespace)
      const result = place.append(namespace, after, body, beyond)
      const head = place.store.headOf(namespace)
      if (head !== before) place.noteAppended(namespace, head, after, body)
      return result
    })
  }

  readTail(namespace: Namespace, after: Seq, limit: TailLimit): Promise<TailResult> {
    return this.#disk.call('read', () => this.#place.store.readTail(namespace, after, limit))
  }

  heads(namespaces: readonly Namespace[]): Promise<ReadonlyMap<Namespace, LogRange>> {
    return this.#disk.call('read', () => this.#place.store.heads(namespaces))
  }

  state(namespace: Namespace): Promise<NamespaceState> {
    return this.#disk.call('read', () => this.#place.store.state(namespace))
  }

  async checkpoint(namespace: Namespace): Promise<StoredCheckpoint | null> {
    const found = await this.#disk.call('read', () => this.#place.store.checkpoint(namespace))
    if (found === null) return null
    const { seq, marks } = found
    return { seq, marks, snapshot: () => this.#disk.call('read', () => found.snapshot()) }
  }

  installCheckpoint(namespace: Namespace, checkpoint: NewCheckpoint): Promise<'installed' | 'superseded'> {
    return this.#disk.call('write', () =>
      this.#place.write((store) => store.installCheckpoint(namespace, checkpoint)),
    )
  }

  trim(namespace: Namespace, upTo: Seq): Promise<LogRange> {
    return this.#disk.call('write', () => this.#place.write((store) => store.trim(namespace, upTo)))
  }

  namespaces(): Promise<readonly Namespace[]> {
    return this.#disk.call('read', () => this.#place.store.namespaces())
  }

  remove(namespace: Namespace): Promise<void> {
    return this.#disk.call('write', () => {
      this.#place.noteRemoved(namespace)
      return this.#place.write((store) => store.remove(namespace))
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** The folder of a replica. */
export class ReplicaPlace {
  readonly durability: Durability
  readonly #chance: Chance
  #store: MapReplicaStore
  #unsynced: Unsynced<MapReplicaStore> | null = null

  constructor(durability: Durability, chance: Chance, store?: MapReplicaStore) {
    this.durability = durability
    this.#chance = chance
    this.#store = store ?? new MapReplicaStore({ durability, clones: false })
    this.sync()
  }

  get store(): MapReplicaStore {
    return this.#store
  }

  /** @param recorded hears what was carried out. */
  open(disk: SimulatedDisk, recorded: (steps: readonly ReplicaStep[]) => void): ReplicaStore {
    return new ReplicaStoreOnDisk(this, disk, recorded)
  }

  record(steps: readonly ReplicaStep[]): Promise<void> {
    const batch = (store: MapReplicaStore): Promise<void> => store.record(steps)
    const result = batch(this.#store)
    this.#unsynced?.wrote(this.#store, (store) => void batch(store), this.#chance)
    return result
  }

  /** A copy of the folder, which is noticed when it is opened. */
  copied(): MapReplicaStore {
    return this.#store.noticedCopy()
  }

  putBack(backup: MapReplicaStore): void {
    this.#store = backup.noticedCopy()
    this.sync()
  }

  /**
   * A folder that lost batches has given their counters away, and is taken for a copy when it is opened.
   * @returns whether something is gone with the power.
   */
  cutPower(): boolean {
    const left = this.#unsynced?.afterPowerCut(this.#chance) ?? null
    if (left === null) return false
    this.putBack(left)
    return true
  }

  sync(): void {
    this.#unsynced = this.durability === 'durable' ? null : new Unsynced(this.#store, (each) => each.copy())
  }
}

class ReplicaStoreOnDisk implements ReplicaStore {
  readonly #place: ReplicaPlace
  readonly #disk: SimulatedDisk
  readonly #recorded: (steps: readonly ReplicaStep[]) => void

  constructor(place: ReplicaPlace, disk: SimulatedDisk, recorded: (steps: readonly ReplicaStep[]) => void) {
    this.#place = place
    this.#disk = disk
    this.#recorded = recorded
  }

  get durability(): Durability {
    return this.#place.durability
  }

  load(): Promise<StoredReplica | null> {
    return this.#disk.call('read', () => this.#place.store.load())
  }

  record(steps: readonly ReplicaStep[]): Promise<void> {
    return this.#disk.call('write', () => {
      const result = this.#place.record(steps)
      this.#recorded(steps)
      return result
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
