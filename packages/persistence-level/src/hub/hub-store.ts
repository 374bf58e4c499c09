/**
 * `HubStore` on any `abstract-level` database: promises St1 to St10 of DESIGN section 6. Appends of all namespaces that
 * wait share one synced batch; each is checked against the head that stands when its turn comes (St3). Seqs rise by 1,
 * also over a removal, so that no seq of a namespace ever names two records.
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
  type TailLimit,
  type TailResult,
} from '@rejoin/core'
import { noWitness, type BatchWitness } from '../batch-witness.ts'
import { claim } from '../claims.ts'
import { BareGate, type DatabaseGate } from '../gate/database-gate.ts'
import { durabilityOf } from '../gate/sync-policy.ts'
import type { LevelDatabase } from '../level-database.ts'
import { SealedDatabase } from '../sealed-database.ts'
import { corrupt, tooShort } from '../sealed-value.ts'
import { seqOf } from '../seq-text.ts'
import { checkpointRanges, contentRanges, hubKeys, recordRange } from './hub-keys.ts'
import { HubReads } from './hub-reads.ts'
import { HubWriter } from './hub-writer.ts'
import { emptyRange, rangeOf } from './namespace-state.ts'
import { NamespaceStates } from './namespace-states.ts'
import { encodeRecord } from './record-value.ts'
import { checkSum, readStoreRecord, storeRecordChange, type StoreRecord } from './store-record.ts'

export interface HubContentsOptions {
  /** What a new store is called: a text never used twice. A store that is there keeps its own. */
  readonly incarnation: string
  /** False: a database without a hub store is refused with STORE_CORRUPT instead of being taken as new. */
  readonly createIfMissing?: boolean
  /** For messages; `the hub store` where it is left out. */
  readonly name?: string
  /** Somebody outside the database who remembers how much there was. */
  readonly witness?: BatchWitness
}

export interface HubStoreOptions extends HubContentsOptions {
  /** `each batch` (the default) asks the database to sync before a write is answered; what that means is its own. */
  readonly sync?: 'each batch' | 'never'
}

/**
 * Opens the hub store in `database` and takes it over: closing the store closes the database. Opening reads the state of
 * every namespace once.
 * @throws SyncError STORE_CORRUPT when a batch of writes is missing, FORMAT_TOO_NEW, STORE_LOCKED when it is open already,
 * STORE_UNAVAILABLE.
 */
export async function openHubStore(
  database: LevelDatabase,
  options: HubStoreOptions,
): Promise<LevelHubStore> {
  return await openHubStoreBehind(new BareGate(database, durabilityOf(options.sync ?? 'each batch')), options)
}

export async function openHubStoreBehind(
  gate: DatabaseGate,
  options: HubContentsOptions,
): Promise<LevelHubStore> {
  const name = options.name ?? 'the hub store'
  const release = claim(gate.database, 'hub', name)
  try {
    const sealed = new SealedDatabase(gate, name)
    await sealed.open()
    const record = await storeRecord(sealed, options)
    const witness = options.witness ?? noWitness
    witness.opened(record.batches)
    return new LevelHubStore(sealed, gate.durability, record, witness, release)
  } catch (error) {
    release()
    throw error
  }
}

export class LevelHubStore implements HubStore {
  readonly incarnation: string
  readonly durability: Durability
  readonly #database: SealedDatabase
  readonly #states: NamespaceStates
  readonly #reads: HubReads
  readonly #writer: HubWriter
  readonly #release: () => void
  #closing: Promise<void> | null = null

  /** Use `openHubStore`. */
  constructor(
    database: SealedDatabase,
    durability: Durability,
    record: StoreRecord,
    witness: BatchWitness,
    release: () => void,
  ) {
    this.incarnation = record.incarnation
    this.durability = durability
    this.#database = database
    this.#states = new NamespaceStates(database)
    this.#reads = new HubReads(database, this.#states)
    this.#writer = new HubWriter(database, this.#states, record, witness)
    this.#release = release
    this.#states.damage.keep = (job) => {
      // Closed meanwhile, or on a full disk: it is met again.
      this.#writer.run(0, false, job).catch(() => {})
    }
  }

  append(namespace: Namespace, after: Seq, body: Uint8Array): Promise<AppendResult> {
    return this.#writer.run(body.length, false, async (draft) => {
      const state = await draft.state(namespace)
      const head = state?.kind === 'present' ? state.head : 0
      if (after !== head) return { kind: 'moved', head }
      if (state?.kind === 'removed') await this.#clearRemains(namespace)
      const seq = (state?.kind === 'removed' ? state.last : head) + 1
      draft.put(hubKeys.record(namespace, seq), encodeRecord(head, body))
      const before = state?.kind === 'present' ? state : { floor: 0, checkpoint: 0 }
      await draft.stage(namespace, { ...before, kind: 'present', head: seq })
      return { kind: 'appended', seq }
    })
  }

  async readTail(namespace: Namespace, after: Seq, limit: TailLimit): Promise<TailResult> {
    return await this.#read().readTail(namespace, after, limit)
  }

  async heads(namespaces: readonly Namespace[]): Promise<ReadonlyMap<Namespace, LogRange>> {
    return await this.#read().heads(namespaces)
  }

  async state(namespace: Namespace): Promise<NamespaceState> {
    return await this.#read().state(namespace)
  }

  /** Its snapshot stays readable while the next checkpoint is installed, and is STORE_UNAVAILABLE after the one after. */
  async checkpoint(namespace: Namespace): Promise<StoredCheckpoint | null> {
    return await this.#read().checkpoint(namespace)
  }

  /** `superseded` also where the namespace is gone. */
  installCheckpoint(namespace: Namespace, checkpoint: NewCheckpoint): Promise<'installed' | 'superseded'> {
    const bytes = checkpoint.marks.length + checkpoint.snapshot.length
    return this.#writer.run(bytes, false, async (draft) => {
      const state = await draft.state(namespace)
      if (state?.kind !== 'present' || checkpoint.seq <= state.checkpoint) return 'superseded'
      assert(checkpoint.seq <= state.head, 'a checkpoint covers records that are in the log')
      draft.put(hubKeys.marks(namespace, checkpoint.seq), checkpoint.marks)
      draft.put(hubKeys.snapshot(namespace, checkpoint.seq), checkpoint.snapshot)
      await draft.stage(namespace, { ...state, checkpoint: checkpoint.seq })
      // Not the one that this replaces: somebody may hold it and not have read its snapshot yet.
      for (const range of checkpointRanges(namespace, state.checkpoint)) draft.obsolete(range)
      return 'installed'
    })
  }

  trim(namespace: Namespace, upTo: Seq): Promise<LogRange> {
    return this.#writer.run(0, false, async (draft) => {
      const state = await draft.state(namespace)
      if (state?.kind !== 'present') return emptyRange
      // St5: what a checkpoint covers. St6: never the newest.
      const floorMax = Math.min(upTo, state.checkpoint, state.head - 1)
      const key = floorMax < 1 ? null : await this.#database.lastKey(recordRange(namespace, 0, floorMax))
      const floor = key === null ? 0 : seqOf(key)
      if (floor <= state.floor) return rangeOf(state)
      await draft.stage(namespace, { ...state, floor })
      draft.obsolete(recordRange(namespace, 0, floor))
      return { floor, head: state.head }
    })
  }

  async namespaces(): Promise<readonly Namespace[]> {
    return await this.#read().namespaces()
  }

  /** Also removes a namespace that is damaged. */
  remove(namespace: Namespace): Promise<void> {
    // In a batch of its own: a creation must not clear what is not yet known to be removed.
    return this.#writer.run(0, true, async (draft) => {
      const state = await this.#states.getEvenDamaged(namespace)
      if (state === null || (state !== 'damaged' && state.kind === 'removed')) return
      const head = state === 'damaged' ? 0 : state.head
      const last = Math.max(head, await this.#states.newestRecord(namespace))
      await draft.stage(namespace, { kind: 'removed', last })
      this.#states.damage.end(draft, namespace)
      for (const range of contentRanges(namespace)) draft.obsolete(range)
      draft.afterwards(() => this.#states.damage.ended(namespace))
    })
  }

  /** Answers what was already asked for, then closes the database. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #read(): HubReads {
    if (this.#closing !== null)
      throw new SyncError('STORE_CLOSED', `${this.#database.name} is closed: open it again`)
    if (!this.#writer.running) this.#states.shrink()
    return this.#reads
  }

  async #close(): Promise<void> {
    await this.#writer.end()
    try {
      await this.#database.close()
    } finally {
      this.#release()
    }
  }

  async #clearRemains(namespace: Namespace): Promise<void> {
    for (const range of contentRanges(namespace)) await this.#database.clear(range)
  }
}

/** The record of the store that is there, or of a new one. */
async function storeRecord(database: SealedDatabase, options: HubContentsOptions): Promise<StoreRecord> {
  const found = await readStoreRecord(database)
  if (found !== null) {
    const batchesMin = options.witness?.batchesMin ?? 0
    if (found.batches < batchesMin) throw tooShort(hubKeys.store, database.name, found.batches, batchesMin)
    return await checkSum(database, found)
  }
  if (options.createIfMissing === false || (await database.lastKey({ gt: 'hub!', lt: 'hub!~' })) !== null) {
    throw corrupt(hubKeys.store, `is missing from ${database.name}`)
  }
  const record: StoreRecord = { incarnation: options.incarnation, batches: 1, sum: 0 }
  await database.write([storeRecordChange(record)])
  return record
}
