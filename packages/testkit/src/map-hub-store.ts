/**
 * `HubStore` over plain Maps: for tests and simulations. It keeps every promise of the port but one: nothing is on disk, so
 * what was appended outlives a `crash()` and not the process.
 */
import {
  assert,
  SyncError,
  type AppendResult,
  type Durability,
  type HubStore,
  type LogRange,
  type Namespace,
  type NamespaceState,
  type NewCheckpoint,
  type Seq,
  type StoredCheckpoint,
  type StoredRecord,
  type TailLimit,
  type TailResult,
} from '@rejoin/core'
import { noFault, throwFault, type StoreFault } from './store-fault.ts'

export interface MapHubStoreOptions {
  readonly incarnation?: string
  /** Default `durable`; what it says changes nothing else. */
  readonly durability?: Durability
  readonly fault?: StoreFault
}

interface Log {
  records: StoredRecord[]
  floor: Seq
  checkpoint: NewCheckpoint | null
}

type Kept = { readonly kind: 'present'; readonly log: Log } | { readonly kind: 'removed' }

export class MapHubStore implements HubStore {
  readonly incarnation: string
  readonly durability: Durability
  readonly #fault: StoreFault
  #kept = new Map<Namespace, Kept>()
  #closed = false
  #lateReads = 0
  /** What a late reader sees, and for how many more reads. */
  #late: { readonly kept: ReadonlyMap<Namespace, Kept>; reads: number } | null = null

  constructor(options: MapHubStoreOptions = {}) {
    this.incarnation = options.incarnation ?? 'kept in memory'
    this.durability = options.durability ?? 'durable'
    this.#fault = options.fault ?? noFault
  }

  /** The store as the next process finds it; this one is closed at once, whatever is under way. */
  crash(fault: StoreFault = noFault): MapHubStore {
    const store = new MapHubStore({ incarnation: this.incarnation, durability: this.durability, fault })
    store.#kept = this.#kept
    this.#closed = true
    return store
  }

  /**
   * The same store as a second hub has it, at the same time; closing one leaves the other. Its reads may be late (St4): of
   * what others write it sees nothing for `lateReads` reads, as behind a replica of a database; its own writes it sees at once.
   */
  beside(fault: StoreFault = noFault, lateReads = 0): MapHubStore {
    const store = new MapHubStore({ incarnation: this.incarnation, durability: this.durability, fault })
    store.#kept = this.#kept
    store.#lateReads = lateReads
    return store
  }

  /** A backup of this moment: a store of its own from here on, which knows nothing of having been restored. */
  copy(fault: StoreFault = noFault): MapHubStore {
    const store = new MapHubStore({ incarnation: this.incarnation, durability: this.durability, fault })
    store.#kept = copyOf(this.#kept)
    return store
  }

  /** At once, whoever reads late: the newest seq of a namespace, 0 where there is none. */
  headOf(namespace: Namespace): Seq {
    const log = this.#log(namespace)
    return log === null ? 0 : headOf(log)
  }

  append(namespace: Namespace, after: Seq, body: Uint8Array, beyond: Seq = 0): Promise<AppendResult> {
    return this.#call('append', () => {
      const kept = this.#kept.get(namespace)
      if (kept?.kind === 'removed') return { kind: 'moved', head: 0 }
      const log = kept?.log ?? emptyLog()
      const head = headOf(log)
      if (after !== head) return { kind: 'moved', head }
      const seq = Math.max(head, beyond) + 1
      log.records.push({ seq, prev: head, body: body.slice() })
      this.#kept.set(namespace, { kind: 'present', log })
      return { kind: 'appended', seq }
    })
  }

  readTail(namespace: Namespace, after: Seq, limit: TailLimit): Promise<TailResult> {
    return this.#call('readTail', () => {
      const log = logIn(this.#readable(), namespace)
      if (log !== null && after < log.floor) return { kind: 'gap', ...rangeOf(log) }
      const rest = log?.records.filter((record) => record.seq > after) ?? []
      const records = firstOf(rest, limit)
      return { kind: 'records', records, more: records.length < rest.length }
    })
  }

  heads(namespaces: readonly Namespace[]): Promise<ReadonlyMap<Namespace, LogRange>> {
    return this.#call('heads', () => {
      const ranges = new Map<Namespace, LogRange>()
      const kept = this.#readable()
      for (const namespace of namespaces) {
        const log = logIn(kept, namespace)
        if (log !== null) ranges.set(namespace, rangeOf(log))
      }
      return ranges
    })
  }

  state(namespace: Namespace): Promise<NamespaceState> {
    return this.#call('state', () => this.#readable().get(namespace)?.kind ?? 'unknown')
  }

  checkpoint(namespace: Namespace): Promise<StoredCheckpoint | null> {
    return this.#call('checkpoint', () => {
      const checkpoint = logIn(this.#readable(), namespace)?.checkpoint ?? null
      if (checkpoint === null) return null
      const { seq, marks, snapshot } = checkpoint
      return { seq, marks, snapshot: () => this.#call('snapshot', () => snapshot) }
    })
  }

  installCheckpoint(namespace: Namespace, checkpoint: NewCheckpoint): Promise<'installed' | 'superseded'> {
    return this.#call('installCheckpoint', () => {
      const log = this.#log(namespace)
      if (log === null || checkpoint.seq <= (log.checkpoint?.seq ?? 0)) return 'superseded'
      assert(checkpoint.seq <= headOf(log), 'a checkpoint covers records that are in the log')
      const { seq, marks, snapshot } = checkpoint
      log.checkpoint = { seq, marks: marks.slice(), snapshot: snapshot.slice() }
      return 'installed'
    })
  }

  trim(namespace: Namespace, upTo: Seq): Promise<LogRange> {
    return this.#call('trim', () => {
      const log = this.#log(namespace)
      if (log === null) return { floor: 0, head: 0 }
      // St5: what a checkpoint covers. St6: never the newest.
      const covered = Math.min(upTo, log.checkpoint?.seq ?? 0, headOf(log) - 1)
      const dropped = log.records.filter((record) => record.seq <= covered)
      log.floor = dropped.at(-1)?.seq ?? log.floor
      log.records = log.records.slice(dropped.length)
      return rangeOf(log)
    })
  }

  namespaces(): Promise<readonly Namespace[]> {
    return this.#call('namespaces', () => {
      const kept = this.#readable()
      return [...kept.keys()].filter((namespace) => logIn(kept, namespace) !== null).sort()
    })
  }

  remove(namespace: Namespace): Promise<void> {
    return this.#call('remove', () => {
      if (this.#log(namespace) !== null) this.#kept.set(namespace, { kind: 'removed' })
    })
  }

  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }

  /** Happens at once; the caller hears of it later, as with a disk. */
  async #call<T>(name: string, call: () => T): Promise<T> {
    this.#checkOpen()
    throwFault(this.#fault, name)
    const result = call()
    if (writes.has(name)) this.#late = null
    await Promise.resolve()
    // A crash came between: nobody hears of what happened.
    this.#checkOpen()
    throwFault(this.#fault, `${name} done`)
    return result
  }

  #checkOpen(): void {
    if (this.#closed) throw new SyncError('STORE_CLOSED', 'the hub store is closed: open it again')
  }

  /** For a write: never late, and what it leaves is seen at once. */
  #log(namespace: Namespace): Log | null {
    return logIn(this.#kept, namespace)
  }

  #readable(): ReadonlyMap<Namespace, Kept> {
    if (this.#lateReads === 0) return this.#kept
    if (this.#late === null || this.#late.reads === 0) {
      this.#late = { kept: copyOf(this.#kept), reads: this.#lateReads }
    }
    this.#late.reads -= 1
    return this.#late.kept
  }
}

function logIn(all: ReadonlyMap<Namespace, Kept>, namespace: Namespace): Log | null {
  const kept = all.get(namespace)
  return kept?.kind === 'present' ? kept.log : null
}

function copyOf(all: ReadonlyMap<Namespace, Kept>): Map<Namespace, Kept> {
  return new Map(
    [...all].map(([namespace, kept]) => [
      namespace,
      kept.kind === 'removed'
        ? kept
        : { kind: 'present', log: { ...kept.log, records: [...kept.log.records] } },
    ]),
  )
}

const writes: ReadonlySet<string> = new Set(['append', 'installCheckpoint', 'trim', 'remove'])

function emptyLog(): Log {
  return { records: [], floor: 0, checkpoint: null }
}

function headOf(log: Log): Seq {
  return log.records.at(-1)?.seq ?? 0
}

function rangeOf(log: Log): LogRange {
  return { floor: log.floor, head: headOf(log) }
}

function firstOf(records: readonly StoredRecord[], limit: TailLimit): readonly StoredRecord[] {
  let bytes = 0
  const beyond = records.findIndex((record, i) => {
    bytes += record.body.length
    return i > 0 && (i >= limit.records || bytes > limit.bytes)
  })
  return beyond === -1 ? records : records.slice(0, beyond)
}
