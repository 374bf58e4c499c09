/**
 * `ReplicaStore` over plain values: for tests and simulations. Batches are recorded whole or not at all; nothing is on disk,
 * so what was recorded outlives a `crash()` and not the process.
 */
import {
  SyncError,
  type Durability,
  type ReplicaStep,
  type ReplicaStore,
  type StoredReplica,
} from '@rejoin/core'
import { modelAfter, storedOf, type ReplicaModel } from './replica-model.ts'
import { noFault, throwFault, type StoreFault } from './store-fault.ts'

export interface MapReplicaStoreOptions {
  /** What it says of itself; default `durable`. */
  readonly durability?: Durability
  readonly fault?: StoreFault
  /** Whether it keeps a clone of what it is given, so that nobody can change it later; default true. */
  readonly clones?: boolean
}

export class MapReplicaStore implements ReplicaStore {
  readonly durability: Durability
  readonly #fault: StoreFault
  readonly #clones: boolean
  #model: ReplicaModel | null = null
  #closed = false

  constructor(options: MapReplicaStoreOptions = {}) {
    this.#fault = options.fault ?? noFault
    this.durability = options.durability ?? 'durable'
    this.#clones = options.clones ?? true
  }

  /** The store as the next process finds it; this one is closed at once, whatever is under way. */
  crash(fault: StoreFault = noFault): MapReplicaStore {
    const store = this.#another(fault)
    store.#model = this.#model
    this.#closed = true
    return store
  }

  /** A copy as it is now that nobody can tell from this one, such as an image of the disk; this one stays in use. */
  copy(): MapReplicaStore {
    const store = this.#another(noFault)
    store.#model = this.#model
    return store
  }

  /** The same where the folder notices it, as one on a disk does. */
  noticedCopy(fault: StoreFault = noFault): MapReplicaStore {
    const store = this.#another(fault)
    store.#model = this.#model && { ...this.#model, isCopy: true }
    return store
  }

  load(): Promise<StoredReplica | null> {
    return this.#call('load', () => (this.#model === null ? null : storedOf(this.#model)))
  }

  record(steps: readonly ReplicaStep[]): Promise<void> {
    return this.#call('record', () => {
      this.#model = steps.reduce<ReplicaModel | null>(
        (model, step) => modelAfter(model, this.#clones ? structuredClone(step) : step),
        this.#model,
      )
    })
  }

  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }

  #another(fault: StoreFault): MapReplicaStore {
    return new MapReplicaStore({ fault, durability: this.durability, clones: this.#clones })
  }

  /** Happens at once; the caller hears of it later, as with a disk. */
  async #call<T>(name: string, call: () => T): Promise<T> {
    this.#checkOpen()
    throwFault(this.#fault, name)
    const result = call()
    await Promise.resolve()
    // A crash came between: nobody hears of what happened.
    this.#checkOpen()
    throwFault(this.#fault, `${name} done`)
    return result
  }

  #checkOpen(): void {
    if (this.#closed) throw new SyncError('STORE_CLOSED', 'the replica store is closed: open it again')
  }
}
