/**
 * Folding: the stored updates become one snapshot once they outgrow the snapshot they follow, in bytes, so that opening stays
 * quick and the store stays small. Only acknowledged state, at the stored cursor; and only what was read again and found to
 * hold what it was made of. A small base is folded between two records. A large one is read, folded elsewhere while records
 * go on, and replaces exactly what was read. One that fails changes nothing, is told, and is tried again later.
 */
import {
  asSyncError,
  type Clock,
  type Crdt,
  type Cursor,
  type ErrorCode,
  type Hlc,
  type ReplicaStep,
  type ReplicaStore,
  type SyncError,
} from '@rejoin/core'
import { Backoff } from './backoff.ts'
import { deferred, type Deferred } from './deferred.ts'
import { inlineFold, verifiedFold, type FoldWork } from './fold-work.ts'
import type { ReplicaMemory } from './memory.ts'
import type { PendingWrites } from './pending-writes.ts'

/** Bytes of updates that are not worth a fold. */
const FOLD_BYTES_MIN = 64 * 1024
/** Milliseconds that closing waits for a fold: who opens a replica for a moment only would otherwise never have one made. */
const CLOSING_MS_MAX = 10_000

/** Why what is stored cannot be folded: nothing is lost by it, but it grows, and opens more slowly. */
export interface FoldingTrouble {
  readonly cause: { readonly code: ErrorCode; readonly message: string }
  /** In a row. */
  readonly failures: number
}

export interface FoldingParts {
  readonly namespace: string
  readonly memory: ReplicaMemory
  readonly writes: PendingWrites
  readonly store: ReplicaStore
  readonly crdt: Crdt
  readonly clock: Clock
  /** Where large bases are folded; null: here. */
  readonly elsewhere: FoldWork | null
  readonly log: (line: string) => void
  /** Whether folding works has changed. */
  readonly onChange: () => void
}

/** Acknowledged state as the store had it. */
interface StoredBase {
  readonly base: readonly Uint8Array[]
  readonly cursor: Cursor
  readonly hlc: Hlc | null
}

type FoldSteps = readonly ReplicaStep[]

export class Folding {
  readonly #parts: FoldingParts
  readonly #backoff: Backoff
  readonly #here: FoldWork
  #trouble: FoldingTrouble | null = null
  /** One is being made, or waits to be tried again. */
  #isBusy = false
  /** The one that is being made elsewhere. */
  #away: Deferred | null = null

  constructor(parts: FoldingParts) {
    this.#parts = parts
    this.#backoff = new Backoff(parts.clock)
    this.#here = inlineFold(parts.crdt.updates)
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
    const { memory, elsewhere } = this.#parts
    const { snapshotBytes, updateBytes } = memory
    if (this.#isBusy || updateBytes <= Math.max(FOLD_BYTES_MIN, snapshotBytes)) return
    this.#isBusy = true
    if (elsewhere === null || snapshotBytes + updateBytes < elsewhere.bytesMin) {
      this.#betweenRecords(() => this.#foldHere())
    } else void this.#foldElsewhere(elsewhere)
  }

  /** Resolves when what is being folded elsewhere is recorded, or has failed, or takes too long to wait for. */
  async settled(): Promise<void> {
    if (this.#away === null) return
    const over = new AbortController()
    await Promise.race([this.#away.promise, this.#parts.clock.sleep(CLOSING_MS_MAX, over.signal)])
    over.abort('over')
  }

  async #foldHere(): Promise<FoldSteps | null> {
    const stored = await this.#load()
    if (stored === null) return null
    const { base, cursor, hlc } = stored
    return [{ kind: 'snapshot', snapshot: await verifiedFold(this.#here, base), cursor, hlc }]
  }

  /** Nothing waits for it: what is recorded meanwhile is recorded at once. */
  async #foldElsewhere(work: FoldWork): Promise<void> {
    const { writes } = this.#parts
    this.#away = deferred()
    try {
      const stored = await this.#load()
      if (stored === null) return this.#end()
      const snapshot = await verifiedFold(work, stored.base)
      if (!writes.closed.aborted) this.#betweenRecords(() => this.#replace(stored, snapshot))
    } catch (cause) {
      this.#fail(asSyncError(cause, 'STORE_UNAVAILABLE', 'what is stored could not be folded'))
    }
  }

  /** The base may be another one by now: what was recorded after what was folded stays behind it. */
  async #replace(folded: StoredBase, snapshot: Uint8Array): Promise<FoldSteps | null> {
    const now = await this.#load()
    if (now === null || !isContinued(folded, now)) return null
    const { cursor, hlc } = now
    const updates = now.base.slice(folded.base.length)
    if (updates.length === 0) return [{ kind: 'snapshot', snapshot, cursor, hlc }]
    return [
      { kind: 'snapshot', snapshot, cursor: folded.cursor, hlc: folded.hlc },
      { kind: 'remote', updates, settled: [], cursor, hlc },
    ]
  }

  async #load(): Promise<StoredBase | null> {
    const stored = await this.#parts.store.load()
    if (stored === null || stored.cursor === null) return null
    return { base: stored.base, cursor: stored.cursor, hlc: stored.hlc }
  }

  #betweenRecords(work: () => Promise<FoldSteps | null>): void {
    this.#parts.writes.addJob({
      work: async () => {
        const steps = await work()
        // Nothing to fold, or what was folded was replaced meanwhile: what is there now is looked at when it grows.
        if (steps === null) this.#end()
        return steps
      },
      onRecorded: (steps) => {
        this.#end()
        this.#over()
        this.recorded(steps)
      },
      onFailed: (error) => this.#fail(error),
    })
  }

  #end(): void {
    this.#isBusy = false
    this.#away?.resolve()
    this.#away = null
  }

  #over(): void {
    this.#backoff.reset()
    if (this.#trouble === null) return
    this.#trouble = null
    this.#parts.onChange()
  }

  #fail({ code, message }: SyncError): void {
    const { namespace, writes, log, onChange } = this.#parts
    // Nobody is there to be told, and nothing was changed.
    if (writes.closed.aborted) return
    if (this.#trouble?.cause.code !== code)
      log(
        `${namespace}: what is stored was not folded, nothing is lost, it is tried again: ${code} ${message}`,
      )
    this.#trouble = { cause: { code, message }, failures: (this.#trouble?.failures ?? 0) + 1 }
    onChange()
    this.#away?.resolve()
    this.#away = null
    void this.#retryLater()
  }

  async #retryLater(): Promise<void> {
    const { clock, writes } = this.#parts
    await clock.sleep(this.#backoff.next(), writes.closed)
    this.#isBusy = false
    if (!writes.closed.aborted) this.foldIfGrown()
  }
}

/** Whether a base is what it was, with updates after it or none: not a snapshot in its place, nor another epoch. */
function isContinued(before: StoredBase, now: StoredBase): boolean {
  return (
    before.cursor.epoch === now.cursor.epoch &&
    before.base.length <= now.base.length &&
    before.base.every((part, i) => areEqual(part, now.base[i]))
  )
}

function areEqual(a: Uint8Array, b: Uint8Array | undefined): boolean {
  if (b === undefined || a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

function bytesOf(updates: readonly Uint8Array[]): number {
  return updates.reduce((sum, { length }) => sum + length, 0)
}
