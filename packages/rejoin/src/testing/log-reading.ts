/** The whole log of the world's hub, read as it grows and before anything of it is trimmed. */
import { entryLine, type HubStore, type Namespace, type ReplicaId, type Seq } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { readLog } from '@rejoin/hub'
import type { LoggedCommit } from '@rejoin/testkit'
import { withMembers } from './proxy.ts'

export class LogReading {
  readonly commits: LoggedCommit[] = []
  readonly #namespace: Namespace
  readonly #indexOf: (replica: ReplicaId) => number
  #readUpTo: Seq = 0
  #fault: string | null = null

  constructor(namespace: Namespace, indexOf: (replica: ReplicaId) => number) {
    this.#namespace = namespace
    this.#indexOf = indexOf
  }

  /** Why it could not be read the last time. */
  get fault(): string | null {
    return this.#fault
  }

  /** @returns the newest seq, 0 where there is no log. */
  async read(store: HubStore): Promise<Seq> {
    try {
      const head = (await store.heads([this.#namespace])).get(this.#namespace)?.head ?? 0
      if (head !== this.#readUpTo) await this.#readOn(store)
      this.#fault = null
      return head
    } catch (error) {
      this.#fault = error instanceof Error ? error.message : String(error)
      return this.#readUpTo
    }
  }

  /** The store, read before each trim. */
  before(store: HubStore): HubStore {
    return withMembers(store, {
      trim: async (namespace, upTo) => {
        await this.read(store)
        return store.trim(namespace, upTo)
      },
    })
  }

  async #readOn(store: HubStore): Promise<void> {
    const after = this.#readUpTo
    for await (const { seq, id, update } of readLog(store, this.#namespace, { after })) {
      // Two may read at once: each record counts once.
      if (seq <= after || seq < this.#readUpTo) continue
      const entries = update.length === 0 ? [] : yjsCrdt.updates.inspect(update).entries
      this.commits.push({ name: `${this.#indexOf(id.replica)}:${id.counter}`, sets: entries.map(entryLine) })
      this.#readUpTo = seq
    }
  }
}
