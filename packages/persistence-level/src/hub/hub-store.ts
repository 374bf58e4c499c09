/**
 * `HubStore` on any `abstract-level` database: promises St1 to St10 of DESIGN section 6. Appends of all namespaces that
 * wait share one synced batch; each is checked against the head that stands when its turn comes (St3). Seqs rise, by 1
 * unless told to pass others, also over a removal, so that no seq of a namespace ever names two records.
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
import type { BatchWitness } from '../batch-witness.ts'
import type { SealedDatabase } from '../sealed-database.ts'
import { corrupt } from '../sealed-value.ts'
import { seqOf } from '../seq-text.ts'
import { checkpointRanges, contentRanges, hubKeys, recordRange } from './hub-keys.ts'
import { damagedCheckpoints, findHubDamage, type HubFindings } from './hub-findings.ts'
import { stageMending, type HubMending } from './hub-mending.ts'
import type { HubDraft } from './hub-draft.ts'
import { HubReads } from './hub-reads.ts'
import { HubWriter } from './hub-writer.ts'
import { emptyRange, rangeOf } from './namespace-state.ts'
import { NamespaceStates } from './namespace-states.ts'
import { readableEntries } from './readable-entries.ts'
import { decodeRecord, encodePrev } from './record-value.ts'
import { lossNotes, type StoreRecord } from './store-record.ts'

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

  append(namespace: Namespace, after: Seq, body: Uint8Array, beyond: Seq = 0): Promise<AppendResult> {
    return this.#writer.run(body.length, false, (draft) => {
      const state = draft.knownState(namespace)
      if (state?.kind !== 'present') return this.#appendFirst(draft, namespace, after, body, beyond)
      const { head } = state
      if (after !== head) return { kind: 'moved', head }
      const seq = Math.max(head, beyond) + 1
      draft.put(hubKeys.record(namespace, seq), body, encodePrev(head))
      draft.stageKnown(namespace, { ...state, head: seq })
      return { kind: 'appended', seq }
    })
  }

  /** Of a namespace that does not exist, or not any more, or was not looked at yet. */
  async #appendFirst(
    draft: HubDraft,
    namespace: Namespace,
    after: Seq,
    body: Uint8Array,
    beyond: Seq,
  ): Promise<AppendResult> {
    const state = await draft.state(namespace)
    if (state?.kind === 'removed') {
      clearRemains(draft, namespace)
      return { kind: 'moved', head: 0 }
    }
    const { head } = state ?? emptyRange
    if (after !== head) return { kind: 'moved', head }
    const seq = Math.max(head, beyond) + 1
    draft.put(hubKeys.record(namespace, seq), body, encodePrev(head))
    const before = state ?? { kind: 'present', floor: 0, checkpoint: 0 }
    await draft.stage(namespace, { ...before, head: seq })
    return { kind: 'appended', seq }
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
    return this.#writer.run(0, true, async (draft) => {
      const state = await this.#states.getEvenDamaged(namespace)
      if (state === null) return
      clearRemains(draft, namespace)
      if (state !== 'damaged' && state.kind === 'removed') return
      const head = state === 'damaged' ? 0 : state.head
      const last = Math.max(head, await this.#states.newestRecord(namespace))
      await draft.stage(namespace, { kind: 'removed', last })
      this.#states.damage.end(draft, namespace)
      draft.delete(hubKeys.untold(namespace))
      draft.afterwards(() => this.#states.damage.ended(namespace))
    })
  }

  /** Why the namespace is closed for writing, or null. */
  async closedBy(namespace: Namespace): Promise<SyncError | null> {
    await this.#states.getEvenDamaged(namespace)
    return this.#states.damage.of(namespace)
  }

  /** Every value of the store at this moment, sealed and unchecked. Gives way where the database must be opened anew. */
  entries(): AsyncGenerator<[key: string, sealed: Uint8Array], void, undefined> {
    return this.#database.sealedEntries(hubKeys.all, 'gives way')
  }

  /** The same without what LevelDB cannot read; a namespace that lacks something for it is closed by an entry that says so. */
  readableEntries(): AsyncGenerator<[key: string, sealed: Uint8Array], void, undefined> {
    return readableEntries(() => this.#database.moment())
  }

  /** A value as it stands in the database, unchecked: sealed, or null where there is none. */
  async raw(key: string): Promise<Uint8Array | null> {
    return await this.#database.sealed(key)
  }

  /** One record that is whole, whatever is wrong around it. @throws SyncError STORE_CORRUPT where it is not */
  async record(namespace: Namespace, seq: Seq): Promise<{ readonly key: string; readonly body: Uint8Array }> {
    const key = hubKeys.record(namespace, seq)
    const entry = await this.#database.get(key)
    if (entry === null) throw corrupt(key, 'is missing')
    return { key, body: decodeRecord(key, entry.body).body }
  }

  /** One checkpoint that is whole, whatever the state names. @throws SyncError STORE_CORRUPT where it is not */
  async checkpointAt(namespace: Namespace, seq: Seq): Promise<StoredCheckpoint> {
    const part = async (key: string): Promise<Uint8Array> => {
      const entry = await this.#database.get(key)
      if (entry === null) throw corrupt(key, 'is missing')
      return entry.body
    }
    const marks = await part(hubKeys.marks(namespace, seq))
    return { seq, marks, snapshot: () => part(hubKeys.snapshot(namespace, seq)) }
  }

  /** What a repair has to know; every value of the namespace is read. @throws SyncError STORE_… where that is not possible */
  async findings(namespace: Namespace): Promise<HubFindings> {
    return await findHubDamage(this.#database, namespace)
  }

  /** What is wrong with checkpoints, also with one that was replaced. @throws SyncError STORE_… where that cannot be read */
  async damagedCheckpoints(namespace: Namespace): Promise<readonly SyncError[]> {
    return await damagedCheckpoints(this.#database, namespace)
  }

  /**
   * Makes the namespace what the plan says, in one batch. It may then be written to by whoever has this store open, and
   * stays closed for all who open it later, until `reopen`.
   */
  mend(plan: HubMending): Promise<void> {
    return this.#writer.run(0, true, async (draft) => {
      await this.#states.getEvenDamaged(plan.namespace)
      await stageMending(draft, this.#states.damage, plan)
    })
  }

  /** Notes that every namespace may have lost something: their logs are to be told. */
  noteLoss(): Promise<void> {
    return this.#writer.run(0, false, async (draft) => {
      for (const key of await lossNotes(this.#database)) draft.put(key, new Uint8Array(0))
    })
  }

  /** Namespaces whose logs were not told yet of what the store lost, sorted; also those that are damaged. */
  async untold(): Promise<readonly Namespace[]> {
    const keys = await this.#database.keys(hubKeys.untolds)
    return keys.map((key) => key.slice(hubKeys.untold('').length))
  }

  /** The namespace's log says itself what it lost. */
  told(namespace: Namespace): Promise<void> {
    return this.#writer.run(0, false, (draft) => {
      draft.delete(hubKeys.untold(namespace))
      return Promise.resolve()
    })
  }

  /** The last step of a repair: its log was told what it lost, and the namespace is open for writing from now on. */
  reopen(namespace: Namespace): Promise<void> {
    return this.#writer.run(0, false, (draft) => {
      this.#states.damage.end(draft, namespace)
      draft.delete(hubKeys.untold(namespace))
      draft.afterwards(() => this.#states.damage.ended(namespace))
      return Promise.resolve()
    })
  }

  async refuseWrites(): Promise<void> {
    await this.#writer.end()
  }

  /** Ends this store and leaves the database open, for another one over it. */
  giveUp(): void {
    this.#database.detach()
    this.#release()
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
}

/** Of a namespace that is removed, in this batch or before: a crash may have left something then. */
function clearRemains(draft: HubDraft, namespace: Namespace): void {
  for (const range of contentRanges(namespace)) draft.obsolete(range)
}
