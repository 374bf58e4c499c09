/**
 * Folding: the stored updates become one snapshot once they outgrow the snapshot they follow, in bytes, so that opening stays
 * quick and the store stays small. Only acknowledged state, at the stored cursor, between two other records; and only what
 * was read again and found to hold what it was made of. One that fails changes nothing, is told, and is tried again later.
 */
import {
  SyncError,
  type ClientClocks,
  type ClientId,
  type Clock,
  type Crdt,
  type CrdtUpdates,
  type ErrorCode,
  type ReplicaStep,
  type ReplicaStore,
} from '@rejoin/core'
import { Backoff } from './backoff.ts'
import type { ReplicaMemory } from './memory.ts'
import type { PendingWrites } from './pending-writes.ts'

/** Bytes of updates that are not worth a fold. */
const FOLD_BYTES_MIN = 64 * 1024

/** Why what is stored cannot be folded: nothing is lost by it, but it grows, and opens more slowly. */
export interface FoldingTrouble {
  readonly cause: { readonly code: ErrorCode; readonly message: string }
  /** In a row. */
  readonly failures: number
}

export interface FoldingParts {
  readonly memory: ReplicaMemory
  readonly writes: PendingWrites
  readonly store: ReplicaStore
  readonly crdt: Crdt
  readonly clock: Clock
  /** Whether folding works has changed. */
  readonly onChange: () => void
}

export class Folding {
  readonly #parts: FoldingParts
  readonly #backoff: Backoff
  #trouble: FoldingTrouble | null = null
  #waiting = false

  constructor(parts: FoldingParts) {
    this.#parts = parts
    this.#backoff = new Backoff(parts.clock)
  }

  get state(): 'ok' | FoldingTrouble {
    return this.#trouble ?? 'ok'
  }

  /** Takes note of what the store now holds. */
  recorded(steps: readonly ReplicaStep[]): void {
    const { memory } = this.#parts
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
    const { memory, writes } = this.#parts
    const { snapshotBytes, updateBytes } = memory
    if (this.#waiting || updateBytes <= Math.max(FOLD_BYTES_MIN, snapshotBytes)) return
    writes.addJob({
      work: () => this.#fold(),
      onRecorded: (steps) => {
        this.#over()
        this.recorded(steps)
      },
      onFailed: (error) => this.#fail(error),
    })
  }

  async #fold(): Promise<readonly ReplicaStep[] | null> {
    const { store, crdt } = this.#parts
    const stored = await store.load()
    if (stored === null || stored.cursor === null) return null
    const snapshot = verifiedFold(crdt.updates, stored.base)
    return [{ kind: 'snapshot', snapshot, cursor: stored.cursor, hlc: stored.hlc }]
  }

  #over(): void {
    this.#backoff.reset()
    if (this.#trouble === null) return
    this.#trouble = null
    this.#parts.onChange()
  }

  #fail({ code, message }: SyncError): void {
    this.#trouble = { cause: { code, message }, failures: (this.#trouble?.failures ?? 0) + 1 }
    this.#parts.onChange()
    void this.#retryLater()
  }

  async #retryLater(): Promise<void> {
    const { clock, writes } = this.#parts
    this.#waiting = true
    await clock.sleep(this.#backoff.next(), writes.closed)
    this.#waiting = false
    if (!writes.closed.aborted) this.foldIfGrown()
  }
}

/**
 * One snapshot of a base, which holds the same items and says the same.
 * @throws SyncError STORE_UNAVAILABLE where it does not, UPDATE_MALFORMED where the base does not read.
 */
function verifiedFold(updates: CrdtUpdates, base: readonly Uint8Array[]): Uint8Array {
  const snapshot = updates.compact(base)
  const isSame =
    areSame(updates.clocks(snapshot), clocksOf(updates, base)) &&
    updates.digest([snapshot]) === updates.digest(base)
  if (isSame) return snapshot
  const why = 'the folded base does not hold what it was made of; it was thrown away'
  throw new SyncError('STORE_UNAVAILABLE', `${why}, and the base is as it was`)
}

function clocksOf(updates: CrdtUpdates, parts: readonly Uint8Array[]): ClientClocks {
  const clocks = new Map<ClientId, number>()
  for (const part of parts) {
    for (const [client, clock] of updates.clocks(part)) {
      clocks.set(client, Math.max(clock, clocks.get(client) ?? 0))
    }
  }
  return clocks
}

function areSame(a: ClientClocks, b: ClientClocks): boolean {
  return a.size === b.size && [...a].every(([client, clock]) => b.get(client) === clock)
}

function bytesOf(updates: readonly Uint8Array[]): number {
  return updates.reduce((sum, { length }) => sum + length, 0)
}
