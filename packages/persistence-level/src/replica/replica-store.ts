/**
 * `ReplicaStore` of one namespace on any `abstract-level` database. All steps of a call make one synced batch; calls take
 * turns, so that a load sees whole batches only. What is read is checked value by value and as a whole: a base or an
 * outbox that lost something is STORE_CORRUPT, never a shorter one (invariants 4, 6 and 13).
 */
import {
  SyncError,
  type Commit,
  type Durability,
  type Namespace,
  type RejectedCommit,
  type ReplicaStep,
  type ReplicaStore,
  type StoredReplica,
} from '@rejoin/core'
import { claim } from '../claims.ts'
import { BareGate, type DatabaseGate } from '../gate/database-gate.ts'
import type { LevelDatabase } from '../level-database.ts'
import { SealedDatabase } from '../sealed-database.ts'
import { corrupt, tooShort } from '../sealed-value.ts'
import { seqOf } from '../seq-text.ts'
import { decodeCommit, decodeRejected } from './commit-value.ts'
import { ReplicaContents } from './replica-contents.ts'
import { replicaKeys, shelfRange, shelves } from './replica-keys.ts'
import { decodeMeta, type Inventory, type ReplicaMeta } from './replica-meta.ts'
import { enoughFor } from './step-durability.ts'

/**
 * Opens the store of `namespace` in `database`, which may hold many namespaces; closing the store leaves the database
 * open. A namespace may be open once at a time.
 * @throws SyncError STORE_LOCKED when it is open already, STORE_UNAVAILABLE.
 */
export async function openReplicaStore(
  database: LevelDatabase,
  namespace: Namespace,
): Promise<LevelReplicaStore> {
  const store = new LevelReplicaStore(new BareGate(database, 'durable'), namespace, 'the replica store')
  try {
    await store.opened()
  } catch (error) {
    await store.close()
    throw error
  }
  return store
}

/** Calls that may wait for their turn; an engine keeps a queue of its own and has one or two under way. */
const waitingMax = 1_000

/** A folder knows where its stores are, and hears of them. */
export interface ReplicaStoreFolder {
  /** By which it is known whether an identity was made here; null where nobody can tell. */
  readonly place: string | null
  /** A batch was written. */
  readonly written?: () => void
  readonly closed?: () => void
}

export class LevelReplicaStore implements ReplicaStore {
  readonly durability: Durability
  readonly lost: Promise<SyncError> | undefined
  readonly #database: SealedDatabase
  readonly #namespace: Namespace
  readonly #release: () => void
  readonly #folder: ReplicaStoreFolder
  /** Null before the first read, and after a write whose outcome is unknown. */
  #contents: ReplicaContents | null = null
  /** A write failed, and until the database is reopened a load may show what is no longer so afterwards. */
  #isUnknown = false
  /** How many batches were answered here, or found at the first read. */
  #batches = 0
  #turn: Promise<unknown> = Promise.resolve()
  #waiting = 0
  #closing: Promise<void> | null = null

  /**
   * Use `openReplicaStore`, or a folder's `replica`.
   * @throws SyncError STORE_LOCKED
   */
  constructor(
    gate: DatabaseGate,
    namespace: Namespace,
    name: string,
    folder: ReplicaStoreFolder = { place: null },
  ) {
    const wholeName = `namespace ${namespace} of ${name}`
    this.#release = claim(gate.database, `replica ${namespace}`, wholeName)
    this.#database = new SealedDatabase(gate, wholeName)
    this.durability = gate.durability
    this.lost = gate.lost
    this.#namespace = namespace
    this.#folder = folder
  }

  async opened(): Promise<void> {
    await this.#database.open()
  }

  async load(): Promise<StoredReplica | null> {
    return await this.#inTurn(async () => {
      const { contents, stored } = await this.#read()
      if (!this.#isUnknown) this.#contents = contents
      return stored
    })
  }

  async record(steps: readonly ReplicaStep[]): Promise<void> {
    if (steps.length === 0) return this.#checkOpen()
    await this.#inTurn(async () => {
      // What a failed write left is known only then.
      await this.#database.ready()
      this.#isUnknown = false
      const contents = this.#contents ?? (await this.#read()).contents
      // Until the batch is written, what is in memory is not what is on the disk (`HAZARDS.md` F3).
      this.#contents = null
      const enough = enoughFor(steps, contents.meta)
      for (const step of steps) contents.apply(step)
      const changes = contents.takeChanges()
      this.#isUnknown = true
      await this.#database.write(changes, enough)
      this.#isUnknown = false
      this.#folder.written?.()
      this.#contents = contents
      this.#batches = contents.meta?.batches ?? 0
    })
  }

  /** Answers what was already asked for. Idempotent; leaves the database open. */
  close(): Promise<void> {
    this.#closing ??= this.#turn.then(() => {
      this.#database.detach()
      this.#release()
      this.#folder.closed?.()
    })
    return this.#closing
  }

  async #inTurn<T>(call: () => Promise<T>): Promise<T> {
    this.#checkOpen()
    if (this.#waiting >= waitingMax) {
      throw new SyncError(
        'STORE_UNAVAILABLE',
        `${this.#database.name} is overloaded: await earlier calls first`,
      )
    }
    this.#waiting += 1
    const result = this.#turn.then(call).finally(() => (this.#waiting -= 1))
    this.#turn = result.catch(() => {})
    return await result
  }

  #checkOpen(): void {
    if (this.#closing === null) return this.#database.checkOpen()
    throw new SyncError('STORE_CLOSED', `${this.#database.name} is closed: open it again`)
  }

  async #read(): Promise<{ contents: ReplicaContents; stored: StoredReplica | null }> {
    const metaKey = replicaKeys.meta(this.#namespace)
    const entry = await this.#database.get(metaKey)
    const found = entry === null ? null : decodeMeta(metaKey, entry.body)
    const batches = found?.meta.batches ?? 0
    if (batches < this.#batches) throw tooShort(metaKey, this.#database.name, batches, this.#batches)
    const { place } = this.#folder
    const contents = new ReplicaContents(this.#namespace, place, found?.meta ?? null)

    const snapshot = await this.#database.get(replicaKeys.snapshot(this.#namespace))
    if (snapshot !== null) contents.foundSnapshot(snapshot.checksum)
    const updates: Uint8Array[] = []
    const outbox: Commit[] = []
    const rejected: RejectedCommit[] = []
    for (const shelf of shelves) {
      for await (const { key, body, checksum } of this.#database.entries(
        shelfRange(shelf, this.#namespace),
      )) {
        contents.found(shelf, seqOf(key), checksum)
        if (shelf === 'update') updates.push(body)
        else if (shelf === 'outbox') outbox.push(decodeCommit(key, body))
        else rejected.push(decodeRejected(key, body))
      }
    }
    this.#checkInventory(metaKey, found?.inventory ?? { count: 0, sum: 0 }, contents.inventory)
    if (found === null) return { contents, stored: null }
    const isCopy = place !== null && place !== found.meta.place
    const snapshotBody = snapshot?.body ?? null
    return { contents, stored: storedReplica(found.meta, isCopy, snapshotBody, updates, outbox, rejected) }
  }

  #checkInventory(metaKey: string, expected: Inventory, found: Inventory): void {
    if (expected.count === found.count && expected.sum === found.sum) return
    throw corrupt(
      metaKey,
      expected.count === found.count
        ? `does not match the ${found.count} values of namespace ${this.#namespace}: some are older or newer`
        : `counts ${expected.count} values of namespace ${this.#namespace}, there are ${found.count}`,
    )
  }
}

function storedReplica(
  meta: ReplicaMeta,
  isCopy: boolean,
  snapshot: Uint8Array | null,
  updates: readonly Uint8Array[],
  outbox: readonly Commit[],
  rejected: readonly RejectedCommit[],
): StoredReplica {
  const { identity, formerCounter, counter, hlc, cursor, notes } = meta
  return {
    identity,
    isCopy,
    formerCounter,
    counter,
    hlc,
    cursor,
    base: snapshot === null ? updates : [snapshot, ...updates],
    snapshotBytes: snapshot?.length ?? 0,
    updateBytes: updates.reduce((bytes, update) => bytes + update.length, 0),
    outbox,
    rejected,
    notes,
  }
}
