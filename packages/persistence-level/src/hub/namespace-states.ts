/**
 * States of the namespaces in use, read once and then kept in memory. The first touch of a namespace checks its head
 * against its newest record: a head that was lost is STORE_CORRUPT and never a shorter log (invariant 13); a log that lost
 * its end keeps its head, is closed for writing, and STORE_CORRUPT for whoever reads so far. Only the store's writer changes
 * states, one group at a time.
 */
import { SyncError, type Namespace, type Seq } from '@rejoin/core'
import type { SealedDatabase } from '../sealed-database.ts'
import { corrupt, isCorrupt } from '../sealed-value.ts'
import { seqOf } from '../seq-text.ts'
import { checkpointRanges, hubKeys, recordRange } from './hub-keys.ts'
import { NamespaceDamage } from './namespace-damage.ts'
import { decodeState, type KnownState, type NamespaceState } from './namespace-state.ts'

/** States kept in memory, about 200 bytes each; older ones are read again when they are asked for. */
const statesMax = 20_000

export class NamespaceStates {
  readonly damage: NamespaceDamage
  readonly #database: SealedDatabase
  readonly #known = new Map<Namespace, KnownState>()
  readonly #loading = new Map<Namespace, Promise<KnownState | null>>()
  #generation = 0

  constructor(database: SealedDatabase) {
    this.#database = database
    this.damage = new NamespaceDamage(database)
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
      loading = this.damage
        .watch(namespace, () => this.#load(namespace))
        .finally(() => this.#loading.delete(namespace))
      this.#loading.set(namespace, loading)
    }
    return await loading
  }

  /** What `get` gives, as far as it need not be read. */
  known(namespace: Namespace): KnownState | undefined {
    return this.#known.get(namespace)
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

  /** After the database was reopened: reads that ran until then, finished or not, may have seen what is no longer so. */
  forgetAll(): void {
    this.#generation += 1
    this.#known.clear()
    this.#loading.clear()
  }

  /** Keeps memory bounded. Not while a group is being written: its states are newer than the database. */
  shrink(): void {
    if (this.#known.size <= statesMax) return
    const surplus = [...this.#known.keys()].slice(0, this.#known.size - statesMax / 2)
    for (const namespace of surplus) this.#known.delete(namespace)
  }

  async #load(namespace: Namespace): Promise<KnownState | null> {
    const generation = this.#generation
    await this.damage.load(namespace)
    let known = await this.#stored(namespace)
    for (;;) {
      const fault = await this.#faultOf(namespace, known?.state ?? null)
      if (fault === null) break
      // Every batch changes the state with the log: only where the state stood still meanwhile is it a fault.
      const again = await this.#stored(namespace)
      if (again?.checksum === known?.checksum) {
        if (fault.isHeadLost) throw fault.error
        // What is before it can still be read.
        this.damage.meet(namespace, fault.error)
        break
      }
      known = again
    }
    if (generation !== this.#generation) return known
    // The writer may have moved on meanwhile, and what it knows is newer.
    if (known !== null && !this.#known.has(namespace)) this.#known.set(namespace, known)
    return this.#known.get(namespace) ?? known
  }

  async #stored(namespace: Namespace): Promise<KnownState | null> {
    const entry = await this.#database.get(hubKeys.state(namespace))
    return entry === null ? null : { state: decodeState(entry.key, entry.body), checksum: entry.checksum }
  }

  async #hasCheckpoint(namespace: Namespace): Promise<boolean> {
    for (const range of checkpointRanges(namespace, Number.MAX_SAFE_INTEGER))
      if ((await this.#database.firstKey(range)) !== null) return true
    return false
  }

  /** What is wrong between a state and the end of its log. */
  async #faultOf(namespace: Namespace, state: NamespaceState | null): Promise<LogFault | null> {
    // What a removal left behind is deleted before the namespace is created anew.
    if (state?.kind === 'removed') return null
    const head = state?.head ?? 0
    const newest = await this.newestRecord(namespace)
    if (state === null && newest === 0) {
      if (this.damage.of(namespace) === null && !(await this.#hasCheckpoint(namespace))) return null
      const why = `is missing, and something else of namespace ${namespace} is there`
      return { isHeadLost: true, error: corrupt(hubKeys.state(namespace), why) }
    }
    // A repair left the checkpoint alone, since the newest record was damaged: nothing else makes a floor of the head.
    if (newest === 0 && head > 0 && state?.floor === head && state.checkpoint === head) return null
    if (newest !== head) {
      const why = `names ${head} as the head of namespace ${namespace}, but its newest record is ${newest}`
      return { isHeadLost: newest > head, error: corrupt(hubKeys.state(namespace), why) }
    }
    if (head === 0) return null
    try {
      await this.#database.get(hubKeys.record(namespace, head))
      return null
    } catch (error) {
      if (!(error instanceof SyncError && isCorrupt(error))) throw error
      return { isHeadLost: false, error }
    }
  }
}

interface LogFault {
  readonly error: SyncError
  /** The state is older than the log: nobody knows what else it lost. */
  readonly isHeadLost: boolean
}

function nullWhereCorrupt(error: unknown): null {
  if (isCorrupt(error)) return null
  throw error
}
