/** A replica's disk that stalls or fails when a story says so. What stalls is not recorded before it works again. */
import {
  SyncError,
  type Durability,
  type ReplicaStep,
  type ReplicaStore,
  type StoredReplica,
} from '@rejoin/core'
import type { DiskState } from '@rejoin/testkit'

export class GatedStore implements ReplicaStore {
  readonly #store: ReplicaStore
  #state: DiskState = 'works'
  readonly #waiting: (() => void)[] = []

  constructor(store: ReplicaStore) {
    this.#store = store
  }

  get durability(): Durability {
    return this.#store.durability
  }

  get state(): DiskState {
    return this.#state
  }

  set(state: DiskState): void {
    this.#state = state
    if (state !== 'stalls') for (const go of this.#waiting.splice(0)) go()
  }

  load(): Promise<StoredReplica | null> {
    return this.#store.load()
  }

  async record(steps: readonly ReplicaStep[]): Promise<void> {
    while (this.#state === 'stalls') await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.#state === 'fails') throw new SyncError('STORE_UNAVAILABLE', 'the story lets the disk fail')
    await this.#store.record(steps)
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}
