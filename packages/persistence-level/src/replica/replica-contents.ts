/**
 * What a replica's store holds, in memory: the meta record and, for every other value, its checksum. Steps change it and
 * collect the batch that makes the database follow. The cost of a step follows what it changes (never what exists).
 */
import {
  assert,
  unreachable,
  type Commit,
  type Counter,
  type Hlc,
  type Namespace,
  type ReplicaStep,
} from '@rejoin/core'
import type { Change } from '../sealed-database.ts'
import { checksumOf, seal } from '../sealed-value.ts'
import { encodeCommit, encodeRejected } from './commit-value.ts'
import { replicaKeys, type Shelf } from './replica-keys.ts'
import { encodeMeta, metaFormat, noNotes, type Inventory, type ReplicaMeta } from './replica-meta.ts'

type StepOf<Kind extends ReplicaStep['kind']> = Extract<ReplicaStep, { kind: Kind }>

export class ReplicaContents {
  readonly #namespace: Namespace
  readonly #place: string | null
  #meta: ReplicaMeta | null
  /** Checksums by number. Numbers stand in rising order: each shelf is filled from its end. */
  readonly #shelves: Readonly<Record<Shelf, Map<number, number>>> = {
    update: new Map(),
    outbox: new Map(),
    rejected: new Map(),
  }
  #snapshotChecksum: number | null = null
  #count = 0
  #sum = 0
  #changes = new Map<string, Uint8Array | null>()

  /** @param place the name of where it is now; null where nobody can tell. */
  constructor(namespace: Namespace, place: string | null, meta: ReplicaMeta | null) {
    this.#namespace = namespace
    this.#place = place
    this.#meta = meta
  }

  /** Null where nothing was ever recorded. */
  get meta(): ReplicaMeta | null {
    return this.#meta
  }

  get inventory(): Inventory {
    return { count: this.#count, sum: this.#sum >>> 0 }
  }

  /** Takes note of a value that is in the database already. */
  foundSnapshot(checksum: number): void {
    this.#snapshotChecksum = checksum
    this.#tally(null, checksum)
  }

  found(shelf: Shelf, n: number, checksum: number): void {
    this.#shelves[shelf].set(n, checksum)
    this.#tally(null, checksum)
  }

  apply(step: ReplicaStep): void {
    switch (step.kind) {
      case 'create':
        return this.#create(step)
      case 'reidentify':
        return this.#reidentify(step)
      case 'local':
        return this.#local(step)
      case 'remote':
        return this.#remote(step)
      case 'snapshot':
        this.#replaceBase(step.snapshot, [])
        return this.#change({ cursor: step.cursor, hlc: this.#newer(step.hlc) })
      case 'settle':
        return this.#settle(step)
      case 'reset':
        this.#replaceBase(step.snapshot, step.updates)
        this.#replaceOutbox(step.outbox)
        this.#change({ cursor: step.cursor, hlc: this.#newer(step.hlc) })
        return this.#changeClient(step.clientId)
      case 'recommit':
        this.#replaceOutbox(step.outbox)
        for (const rejected of step.rejected) {
          this.#put('rejected', rejected.commit.id.counter, encodeRejected(rejected))
        }
        return this.#changeClient(step.clientId)
      case 'discard':
        return this.#delete('rejected', step.counter)
      case 'notes':
        return this.#change({ notes: step.notes })
      case 'domainVersion':
        return this.#raiseVersion(step.domainVersion)
      default:
        return unreachable(step)
    }
  }

  /** The batch of everything applied since the last call, the meta record with it. */
  takeChanges(): readonly Change[] {
    this.#change({ batches: this.#known().batches + 1 })
    const changes = [...this.#changes].map(([key, value]) => ({ key, value }))
    this.#changes = new Map()
    const key = replicaKeys.meta(this.#namespace)
    const meta = this.#known()
    changes.push({ key, value: seal(key, encodeMeta(meta, this.inventory), metaFormat(meta)) })
    return changes
  }

  #create({ identity }: StepOf<'create'>): void {
    if (this.#meta !== null) {
      // Repeated after a write whose outcome was unknown.
      assert(this.#meta.identity.replica === identity.replica, 'a replica is created once in its store')
      return
    }
    this.#meta = {
      identity,
      place: this.#place ?? '',
      formerCounter: 0,
      counter: 0,
      hlc: null,
      cursor: null,
      notes: noNotes,
      batches: 0,
      nextUpdate: 1,
    }
  }

  #reidentify({ replica, clientId }: StepOf<'reidentify'>): void {
    const { identity, counter, notes, place } = this.#known()
    // Repeated after a write whose outcome was unknown.
    if (identity.replica === replica) return
    this.#change({
      identity: { ...identity, replica, clientId },
      place: this.#place ?? place,
      formerCounter: counter,
      notes: {
        ...notes,
        ackedCounter: 0,
        sentCounter: Math.max(notes.sentCounter, counter),
        lastError: notes.lastError?.code === 'REPLICA_TAKEN' ? null : notes.lastError,
      },
    })
  }

  #local({ commit }: StepOf<'local'>): void {
    const { counter } = commit.id
    this.#put('outbox', counter, encodeCommit(commit))
    this.#change({ counter: Math.max(this.#known().counter, counter), hlc: this.#newer(commit.hlc) })
  }

  #remote({ updates, settled, cursor, hlc }: StepOf<'remote'>): void {
    for (const update of updates) this.#appendUpdate(update)
    for (const counter of settled) this.#delete('outbox', counter)
    this.#change({ cursor, hlc: this.#newer(hlc) })
  }

  #settle({ upTo }: StepOf<'settle'>): void {
    for (const counter of this.#shelves.outbox.keys()) {
      if (counter > upTo) return
      this.#delete('outbox', counter)
    }
  }

  #replaceBase(snapshot: Uint8Array | null, updates: readonly Uint8Array[]): void {
    for (const n of this.#shelves.update.keys()) this.#delete('update', n)
    const key = replicaKeys.snapshot(this.#namespace)
    const sealed = snapshot === null ? null : seal(key, snapshot)
    const checksum = sealed === null ? null : checksumOf(sealed)
    this.#tally(this.#snapshotChecksum, checksum)
    this.#snapshotChecksum = checksum
    this.#changes.set(key, sealed)
    for (const update of updates) this.#appendUpdate(update)
  }

  #replaceOutbox(outbox: readonly Commit[]): void {
    for (const counter of this.#shelves.outbox.keys()) this.#delete('outbox', counter)
    for (const commit of outbox) this.#put('outbox', commit.id.counter, encodeCommit(commit))
  }

  #appendUpdate(update: Uint8Array): void {
    const n = this.#known().nextUpdate
    this.#put('update', n, update)
    this.#change({ nextUpdate: n + 1 })
  }

  #changeClient(clientId: number): void {
    this.#change({ identity: { ...this.#known().identity, clientId } })
  }

  #raiseVersion(domainVersion: number): void {
    const { identity } = this.#known()
    if (domainVersion > identity.domainVersion) this.#change({ identity: { ...identity, domainVersion } })
  }

  #put(shelf: Shelf, n: Counter, body: Uint8Array): void {
    const key = replicaKeys.numbered(shelf, this.#namespace, n)
    const sealed = seal(key, body)
    this.#tally(this.#shelves[shelf].get(n) ?? null, checksumOf(sealed))
    this.#shelves[shelf].set(n, checksumOf(sealed))
    this.#changes.set(key, sealed)
  }

  #delete(shelf: Shelf, n: Counter): void {
    const checksum = this.#shelves[shelf].get(n)
    if (checksum === undefined) return
    this.#tally(checksum, null)
    this.#shelves[shelf].delete(n)
    this.#changes.set(replicaKeys.numbered(shelf, this.#namespace, n), null)
  }

  #tally(before: number | null, after: number | null): void {
    this.#count += (after === null ? 0 : 1) - (before === null ? 0 : 1)
    this.#sum ^= (before ?? 0) ^ (after ?? 0)
  }

  #newer(hlc: Hlc | null): Hlc | null {
    const known = this.#known().hlc
    return known === null || (hlc !== null && hlc > known) ? hlc : known
  }

  #change(changed: Partial<ReplicaMeta>): void {
    this.#meta = { ...this.#known(), ...changed }
  }

  #known(): ReplicaMeta {
    assert(this.#meta !== null, 'the first step of a replica creates it')
    return this.#meta
  }
}
