/**
 * Folding: the stored updates become one snapshot once they outgrow the snapshot they follow, so that opening stays quick
 * and the store stays small. Only acknowledged state, at the stored cursor, between two other records.
 */
import type { Crdt, ReplicaStep, ReplicaStore } from '@rejoin/core'
import type { ReplicaMemory } from './memory.ts'
import type { PendingWrites } from './pending-writes.ts'

/** Bytes of updates that are not worth a fold. */
const FOLD_BYTES_MIN = 64 * 1024

export class Folding {
  readonly #memory: ReplicaMemory
  readonly #writes: PendingWrites
  readonly #store: ReplicaStore
  readonly #crdt: Crdt

  constructor(memory: ReplicaMemory, writes: PendingWrites, store: ReplicaStore, crdt: Crdt) {
    this.#memory = memory
    this.#writes = writes
    this.#store = store
    this.#crdt = crdt
  }

  /** Takes note of what the store now holds. */
  recorded(steps: readonly ReplicaStep[]): void {
    const memory = this.#memory
    for (const step of steps) {
      if (step.kind === 'remote') memory.updateBytes += bytesOf(step.updates)
      if (step.kind === 'snapshot') {
        memory.snapshotBytes = step.snapshot.length
        memory.updateBytes = 0
      }
      if (step.kind === 'reset') {
        memory.snapshotBytes = step.snapshot?.length ?? 0
        memory.updateBytes = bytesOf(step.updates)
      }
    }
    this.foldIfGrown()
  }

  foldIfGrown(): void {
    const { snapshotBytes, updateBytes } = this.#memory
    if (updateBytes <= Math.max(FOLD_BYTES_MIN, snapshotBytes)) return
    this.#writes.addJob(
      () => this.#fold(),
      (steps) => this.recorded(steps),
    )
  }

  async #fold(): Promise<readonly ReplicaStep[] | null> {
    const stored = await this.#store.load()
    if (stored === null || stored.cursor === null) return null
    const snapshot = this.#crdt.updates.compact(stored.base)
    return [{ kind: 'snapshot', snapshot, cursor: stored.cursor, hlc: stored.hlc }]
  }
}

function bytesOf(updates: readonly Uint8Array[]): number {
  return updates.reduce((sum, { length }) => sum + length, 0)
}
