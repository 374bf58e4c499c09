/**
 * Reads of a hub store. They run beside the writer and need no snapshot of the database: a state names what there is to
 * read and records never change, so a read that finds less than its state promised looks at the state again, and only
 * where that still promises it, something is damaged (invariant 13).
 */
import {
  SyncError,
  type LogRange,
  type Namespace,
  type NamespaceState as NamespaceStateName,
  type Seq,
  type StoredCheckpoint,
  type StoredRecord,
  type TailLimit,
  type TailResult,
} from '@rejoin/core'
import type { SealedDatabase } from '../sealed-database.ts'
import { corrupt, isCorrupt } from '../sealed-value.ts'
import { hubKeys, recordRange } from './hub-keys.ts'
import { rangeOf, readState, type PresentNamespace } from './namespace-state.ts'
import type { NamespaceStates } from './namespace-states.ts'
import { decodeRecord } from './record-value.ts'

/** Attempts of a read that keeps meeting a newer state. */
const attemptsMax = 8

interface TailRead {
  readonly records: readonly StoredRecord[]
  /** The log had no further record up to the head. */
  readonly exhausted: boolean
}

export class HubReads {
  readonly #database: SealedDatabase
  readonly #states: NamespaceStates

  constructor(database: SealedDatabase, states: NamespaceStates) {
    this.#database = database
    this.#states = states
  }

  /** Up to the first damaged record; one that begins with it is STORE_CORRUPT. */
  async readTail(namespace: Namespace, after: Seq, limit: TailLimit): Promise<TailResult> {
    return await this.#states.damage.watch(namespace, () => this.#readTail(namespace, after, limit))
  }

  async #readTail(namespace: Namespace, after: Seq, limit: TailLimit): Promise<TailResult> {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const state = await this.#present(namespace)
      if (state !== null && after < state.floor) return { kind: 'gap', ...rangeOf(state) }
      if (state === null || after >= state.head) return { kind: 'records', records: [], more: false }
      const read = await this.#records(namespace, after, state.head, limit)
      const broken = brokenLink(read, after, state.head)
      const whole = broken === null ? read.records : read.records.filter(({ seq }) => seq < broken)
      if (broken === null || whole.length > 0) {
        return { kind: 'records', records: whole, more: whole.at(-1)?.seq !== state.head }
      }
      const now = await this.#present(namespace)
      if (now !== null && now.floor <= after && now.head >= state.head) {
        throw corrupt(
          hubKeys.record(namespace, broken),
          `breaks the chain of namespace ${namespace}: records after ${after} are missing or out of place`,
        )
      }
    }
    throw this.#busy(namespace)
  }

  async heads(namespaces: readonly Namespace[]): Promise<ReadonlyMap<Namespace, LogRange>> {
    const ranges = new Map<Namespace, LogRange>()
    for (const namespace of namespaces) {
      const state = await this.#present(namespace)
      if (state !== null) ranges.set(namespace, rangeOf(state))
    }
    return ranges
  }

  async state(namespace: Namespace): Promise<NamespaceStateName> {
    return (await this.#states.get(namespace))?.state.kind ?? 'unknown'
  }

  async checkpoint(namespace: Namespace): Promise<StoredCheckpoint | null> {
    return await this.#states.damage.watch(namespace, () => this.#checkpoint(namespace))
  }

  async #checkpoint(namespace: Namespace): Promise<StoredCheckpoint | null> {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const seq = (await this.#present(namespace))?.checkpoint ?? 0
      if (seq === 0) return null
      const marks = await this.#database.get(hubKeys.marks(namespace, seq))
      if (marks !== null)
        return {
          seq,
          marks: marks.body,
          snapshot: () => this.#states.damage.watch(namespace, () => this.#snapshot(namespace, seq)),
        }
      if ((await this.#present(namespace))?.checkpoint === seq) {
        throw corrupt(hubKeys.marks(namespace, seq), `is missing: the checkpoint of namespace ${namespace}`)
      }
    }
    throw this.#busy(namespace)
  }

  /** A namespace whose state is damaged is listed: it exists. */
  async namespaces(): Promise<readonly Namespace[]> {
    const names: Namespace[] = []
    for await (const [key, sealed] of this.#database.sealedEntries(hubKeys.states)) {
      if (readState(key, sealed)?.state.kind !== 'removed') names.push(hubKeys.namespaceOfState(key))
    }
    return names.sort()
  }

  async #present(namespace: Namespace): Promise<PresentNamespace | null> {
    const known = await this.#states.get(namespace)
    return known?.state.kind === 'present' ? known.state : null
  }

  async #records(namespace: Namespace, after: Seq, head: Seq, limit: TailLimit): Promise<TailRead> {
    const records: StoredRecord[] = []
    let bytes = 0
    try {
      for await (const entry of this.#database.entries(recordRange(namespace, after, head))) {
        const record = decodeRecord(entry.key, entry.body)
        bytes += record.body.length
        if (records.length > 0 && bytes > limit.bytes) return { records, exhausted: false }
        records.push(record)
        if (records.length >= limit.records) return { records, exhausted: false }
      }
    } catch (error) {
      // The next read begins with the damaged one.
      if (isCorrupt(error) && records.length > 0) return { records, exhausted: false }
      throw error
    }
    return { records, exhausted: true }
  }

  /** A checkpoint outlives the next one, so that whoever holds it can still read it, but not the one after that. */
  async #snapshot(namespace: Namespace, seq: Seq): Promise<Uint8Array> {
    const entry = await this.#database.get(hubKeys.snapshot(namespace, seq))
    if (entry !== null) return entry.body
    if ((await this.#present(namespace))?.checkpoint === seq) {
      throw corrupt(hubKeys.snapshot(namespace, seq), `is missing: the checkpoint of namespace ${namespace}`)
    }
    throw new SyncError(
      'STORE_UNAVAILABLE',
      `the checkpoint of namespace ${namespace} at ${seq} was replaced: ask for the newest one`,
    )
  }

  #busy(namespace: Namespace): SyncError {
    return new SyncError(
      'STORE_UNAVAILABLE',
      `namespace ${namespace} changed during each of ${attemptsMax} reads: try again`,
    )
  }
}

/** Seq at which the chain from `after` to `head` breaks (St2), or null where it holds as far as it was read. */
function brokenLink({ records, exhausted }: TailRead, after: Seq, head: Seq): Seq | null {
  let last = after
  for (const [i, { seq, prev }] of records.entries()) {
    // `after` need not be a record's seq: then the first one names an older one.
    if (i === 0 ? prev > after : prev !== last) return seq
    last = seq
  }
  return exhausted && last !== head ? head : null
}
