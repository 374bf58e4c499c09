/**
 * States of the namespaces in use, read once and then kept in memory. The first touch of a namespace checks its head
 * against its newest record: a log that lost its end, or a head that was lost, is STORE_CORRUPT and never a shorter log
 * (invariant 13). Only the store's writer changes states, one group at a time.
 */
import type { Namespace, Seq } from '@rejoin/core'
import type { SealedDatabase } from '../sealed-database.ts'
import { corrupt, isCorrupt } from '../sealed-value.ts'
import { seqOf } from '../seq-text.ts'
import { hubKeys, recordRange } from './hub-keys.ts'
import { decodeState, type KnownState, type NamespaceState } from './namespace-state.ts'

/** States kept in memory, about 200 bytes each; older ones are read again when they are asked for. */
const statesMax = 20_000

export class NamespaceStates {
  readonly #database: SealedDatabase
  readonly #known = new Map<Namespace, KnownState>()
  readonly #loading = new Map<Namespace, Promise<KnownState | null>>()

  constructor(database: SealedDatabase) {
    this.#database = database
  }

  /**
   * The state as the newest finished batch left it, or null for a namespace that never was.
   * @throws SyncError STORE_CORRUPT, naming the namespace and the key.
   */
  async get(namespace: Namespace): Promise<KnownState | null> {
    this.#database.checkOpen()
    const known = this.#known.get(namespace)
    if (known !== undefined) return known
    let loading = this.#loading.get(namespace)
    if (loading === undefined) {
      loading = this.#load(namespace).finally(() => this.#loading.delete(namespace))
      this.#loading.set(namespace, loading)
    }
    return await loading
  }

  /** For a removal, which is the cure of a damaged namespace: the state as far as it can be known. */
  async getEvenDamaged(namespace: Namespace): Promise<NamespaceState | 'damaged' | null> {
    try {
      return (await this.get(namespace))?.state ?? null
    } catch (error) {
      if (!isCorrupt(error)) throw error
    }
    // The log is damaged, the state may be whole.
    return (await this.#stored(namespace).catch(nullWhereCorrupt))?.state ?? 'damaged'
  }

  /** What the stored state adds to the store's sum: nothing where there is none, or none that can be read. */
  async storedChecksum(namespace: Namespace): Promise<number> {
    const known = this.#known.get(namespace) ?? (await this.#stored(namespace).catch(nullWhereCorrupt))
    return known?.checksum ?? 0
  }

  /** Seq of the newest record that is there, whatever the state says; 0 for none. */
  async newestRecord(namespace: Namespace): Promise<Seq> {
    const key = await this.#database.lastKey(recordRange(namespace, 0))
    return key === null ? 0 : seqOf(key)
  }

  set(namespace: Namespace, known: KnownState): void {
    this.#known.set(namespace, known)
  }

  /** After a write whose outcome is unknown: what is there must be read again. */
  forget(namespace: Namespace): void {
    this.#known.delete(namespace)
  }

  /** Keeps memory bounded. Not while a group is being written: its states are newer than the database. */
  shrink(): void {
    if (this.#known.size <= statesMax) return
    const surplus = [...this.#known.keys()].slice(0, this.#known.size - statesMax / 2)
    for (const namespace of surplus) this.#known.delete(namespace)
  }

  async #load(namespace: Namespace): Promise<KnownState | null> {
    const known = await this.#stored(namespace)
    await this.#checkLog(namespace, known?.state ?? null)
    if (known !== null) this.#known.set(namespace, known)
    return known
  }

  async #stored(namespace: Namespace): Promise<KnownState | null> {
    const entry = await this.#database.get(hubKeys.state(namespace))
    return entry === null ? null : { state: decodeState(entry.key, entry.body), checksum: entry.checksum }
  }

  async #checkLog(namespace: Namespace, state: NamespaceState | null): Promise<void> {
    // What a removal left behind is deleted before the namespace is created anew.
    if (state?.kind === 'removed') return
    const head = state?.head ?? 0
    const newest = await this.newestRecord(namespace)
    if (newest !== head) {
      throw corrupt(
        hubKeys.state(namespace),
        `names ${head} as the head of namespace ${namespace}, but its newest record is ${newest}`,
      )
    }
    if (head !== 0) await this.#database.get(hubKeys.record(namespace, head))
  }
}

function nullWhereCorrupt(error: unknown): null {
  if (isCorrupt(error)) return null
  throw error
}
