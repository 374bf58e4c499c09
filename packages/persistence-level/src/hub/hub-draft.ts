/**
 * The batch that one group of jobs makes: later jobs see what earlier ones staged. Nothing is anyone's truth until
 * `write` has resolved; after a failed write everything that was staged must be read again.
 */
import { assert, type Namespace } from '@rejoin/core'
import type { KeyRange } from '../level-database.ts'
import type { Change, SealedDatabase } from '../sealed-database.ts'
import { checksumOf, seal, sealParts } from '../sealed-value.ts'
import { hubKeys } from './hub-keys.ts'
import { encodeState, type NamespaceState } from './namespace-state.ts'
import type { NamespaceStates } from './namespace-states.ts'
import { storeRecordChange, type StoreRecord } from './store-record.ts'

interface Staged {
  /** Null: it goes. */
  readonly state: NamespaceState | null
  /** What the stored state that this one replaces adds to the store's sum. */
  readonly checksumBefore: number
}

const noBytes = new Uint8Array(0)

export class HubDraft {
  readonly #database: SealedDatabase
  readonly #states: NamespaceStates
  readonly #staged = new Map<Namespace, Staged>()
  readonly #changes: Change[] = []
  readonly #obsolete: KeyRange[] = []
  readonly #afterwards: (() => void)[] = []

  constructor(database: SealedDatabase, states: NamespaceStates) {
    this.#database = database
    this.#states = states
  }

  /** @throws SyncError STORE_CORRUPT where something in the namespace is damaged, and nothing may be written. */
  async state(namespace: Namespace): Promise<NamespaceState | null> {
    const state = this.#staged.get(namespace)?.state ?? (await this.#states.get(namespace))?.state ?? null
    this.#states.damage.checkWritable(namespace)
    return state
  }

  /** The same where it need not be read; undefined where it must. @throws SyncError as `state` */
  knownState(namespace: Namespace): NamespaceState | undefined {
    this.#database.checkOpen()
    const staged = this.#staged.get(namespace)
    const state = staged === undefined ? this.#states.known(namespace)?.state : (staged.state ?? undefined)
    if (state !== undefined) this.#states.damage.checkWritable(namespace)
    return state
  }

  /** `before`: what stands before the body in the value. */
  put(key: string, body: Uint8Array, before: Uint8Array = noBytes): void {
    this.#changes.push({ key, value: sealParts(key, before, body) })
  }

  delete(key: string): void {
    this.#changes.push({ key, value: null })
  }

  async stage(namespace: Namespace, state: NamespaceState): Promise<void> {
    const checksumBefore =
      this.#staged.get(namespace)?.checksumBefore ?? (await this.#states.storedChecksum(namespace))
    this.#staged.set(namespace, { state, checksumBefore })
  }

  /** The same for a namespace whose state is known. */
  stageKnown(namespace: Namespace, state: NamespaceState): void {
    const checksumBefore =
      this.#staged.get(namespace)?.checksumBefore ?? this.#states.known(namespace)?.checksum
    assert(checksumBefore !== undefined, 'a known state has a checksum')
    this.#staged.set(namespace, { state, checksumBefore })
  }

  /** The namespace is as one that never was. */
  async unstage(namespace: Namespace): Promise<void> {
    this.#staged.set(namespace, { state: null, checksumBefore: await this.#states.storedChecksum(namespace) })
  }

  /** Deleted after the batch: nothing refers to it then, so what a crash leaves behind is never read. */
  obsolete(range: KeyRange): void {
    this.#obsolete.push(range)
  }

  /** Called once the batch is written. */
  afterwards(call: () => void): void {
    this.#afterwards.push(call)
  }

  /** Writes all in one synced batch and returns the store's record after it. */
  async write(record: StoreRecord): Promise<StoreRecord> {
    if (this.#staged.size === 0 && this.#changes.length === 0) return record
    let sum = record.sum
    const known = [...this.#staged].map(([namespace, { state, checksumBefore }]) => {
      const key = hubKeys.state(namespace)
      const value = state === null ? null : seal(key, encodeState(state))
      const checksum = value === null ? 0 : checksumOf(value)
      sum ^= checksumBefore ^ checksum
      this.#changes.push({ key, value })
      return { namespace, state, checksum }
    })
    const recordAfter = { ...record, batches: record.batches + 1, sum: sum >>> 0 }
    this.#changes.push(storeRecordChange(recordAfter))
    await this.#database.write(this.#changes)
    for (const { namespace, state, checksum } of known)
      if (state === null) this.#states.forget(namespace)
      else this.#states.set(namespace, { state, checksum })
    for (const call of this.#afterwards) call()
    return recordAfter
  }

  forget(): void {
    for (const namespace of this.#staged.keys()) this.#states.forget(namespace)
  }

  /** What to delete once the batch is written. */
  get obsoletes(): readonly KeyRange[] {
    return this.#obsolete
  }
}
