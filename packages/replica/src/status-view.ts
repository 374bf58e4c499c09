/**
 * What the app is shown of a replica, put together when it is asked for. Who listens hears of it when something in it is
 * different from what they were last shown, and only then.
 */
import { listConflicts, type AnyDomain, type Registers } from '@rejoin/core'
import type { Folding } from './folding.ts'
import { isTooNew, type ReplicaMemory } from './memory.ts'
import type { PendingWrites } from './pending-writes.ts'
import type { Connection, ReplicaStatus } from './status.ts'
import type { ReplicaWitness } from './vanished.ts'

export interface StatusParts {
  readonly domain: AnyDomain
  readonly localStateLost: ReplicaWitness | null
  readonly memory: ReplicaMemory
  readonly writes: PendingWrites
  readonly folding: Folding
  readonly connection: Connection
}

interface Shown {
  readonly status: ReplicaStatus
  /** All of it but the conflicts. */
  readonly text: string
  /** Whether the number of conflicts was read from it. */
  readonly isCounted: boolean
}

export class StatusView {
  readonly #parts: StatusParts
  readonly #known: Registers

  /** @param known what conflicts are listed from. */
  constructor(parts: StatusParts, known: Registers) {
    this.#parts = parts
    this.#known = known
  }

  get status(): ReplicaStatus {
    return this.#show().status
  }

  listen(listener: (status: ReplicaStatus) => void): () => void {
    let last = this.#show()
    return this.#parts.connection.listen(() => {
      const now = this.#show()
      // Counting walks every table that has a parent: it is done for those who looked at it.
      const isSame =
        now.text === last.text && !(last.isCounted && now.status.conflicts !== last.status.conflicts)
      if (isSame) return
      // Counting it for the comparison was not the app's.
      last = now.isCounted ? this.#show() : now
      listener(last.status)
    })
  }

  #show(): Shown {
    const { domain, memory, writes, folding, connection } = this.#parts
    const plain: Omit<ReplicaStatus, 'conflicts'> = {
      state: connection.state,
      copyOf: memory.copyOf,
      localStateLost: this.#parts.localStateLost,
      pending: memory.outbox.size,
      cursor: memory.cursor,
      persistence: writes.persistence,
      folding: folding.state,
      saved: writes.durability,
      acked: connection.acked,
      domainTooNew: isTooNew(memory, domain) ? memory.domainVersion : null,
      divergence: connection.divergence,
      rejected: memory.rejected.size,
      ...connection.notes,
    }
    const known = this.#known
    let conflicts: number | null = null
    return {
      text: JSON.stringify(plain),
      get isCounted() {
        return conflicts !== null
      },
      status: {
        ...plain,
        get conflicts() {
          return (conflicts ??= listConflicts(domain, known).length)
        },
      },
    }
  }
}
