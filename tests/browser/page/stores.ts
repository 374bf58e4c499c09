/** Stores in the page's IndexedDB, by number, for the contract suite, which runs outside of it. */
import type { Namespace, ReplicaStep, ReplicaStore } from '@rejoin/core'
import { openReplicaDatabase, type ReplicaDatabase } from '@rejoin/persistence-level/browser'
import { systemClock } from 'rejoin/browser'

export class Stores {
  readonly #databases = new Map<string, ReplicaDatabase>()
  readonly #stores: ReplicaStore[] = []

  /** Its number. */
  async open(database: string, namespace: Namespace): Promise<number> {
    let opened = this.#databases.get(database)
    if (opened === undefined) {
      opened = await openReplicaDatabase(database, { clock: systemClock })
      this.#databases.set(database, opened)
    }
    return this.#stores.push(opened.replica(namespace)) - 1
  }

  async load(store: number) {
    return await this.#at(store).load()
  }

  async record(store: number, steps: readonly ReplicaStep[]): Promise<void> {
    await this.#at(store).record(steps)
  }

  async close(store: number): Promise<void> {
    await this.#at(store).close()
  }

  async closeDatabase(database: string): Promise<void> {
    await this.#databases.get(database)?.close()
    this.#databases.delete(database)
  }

  #at(store: number): ReplicaStore {
    const opened = this.#stores[store]
    if (opened === undefined) throw new Error(`there is no store ${store}`)
    return opened
  }
}
