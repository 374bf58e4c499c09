/** A replica at work: checks and carries out ops here, and leaves the rest to the parts it is made of. */
import {
  asSyncError,
  listConflicts,
  readTables,
  SyncError,
  upcastOps,
  type AnyDomain,
  type AnyOp,
  type ClientId,
  type Clock,
  type Conflict,
  type Counter,
  type Crdt,
  type CrdtAwareness,
  type Dial,
  type OpOf,
  type ParentRule,
  type Registers,
  type RejectedCommit,
  type ReplicaId,
  type ReplicaStore,
  type TablesReads,
} from '@rejoin/core'
import type { ChangeFeed } from './change-feed.ts'
import { areBuiltIn, restoredOps } from './change-ops.ts'
import { Committing } from './committing.ts'
import { toldElsewhere } from './deferred.ts'
import type { Exchange } from './exchange.ts'
import type { Folding } from './folding.ts'
import { checkListener, listOf } from './input.ts'
import type { LiveLoop } from './live-loop.ts'
import { knownRegistersOf, registersOf, tooNew, type ReplicaMemory } from './memory.ts'
import { outboxCommit, type OutboxCommit } from './outbox.ts'
import type { PendingWrites } from './pending-writes.ts'
import type { Receipt } from './receipt.ts'
import type { Replica, SessionBill } from './replica.ts'
import { resolutionOp, type Resolution } from './resolution.ts'
import type { SentMark } from './sent-mark.ts'
import type { Connection, ReplicaStatus } from './status.ts'
import { StatusView } from './status-view.ts'
import { onOpsOf, subscribeOf, type OnOps, type Subscribe } from './subscribers.ts'
import type { SyncOnce, SyncReport } from './sync-once.ts'
import { unchangedReceipt } from './unchanged-receipt.ts'
import type { UndoWay } from './undo.ts'
import { unsavedCommits, unsavedError } from './unsaved.ts'
import type { ReplicaWitness } from './vanished.ts'
import { withdraw } from './withdrawal.ts'

export interface ReplicaParts<D extends AnyDomain> {
  readonly domain: D
  readonly namespace: string
  readonly outboxCommitsMax: number
  readonly clock: Clock
  readonly dial: Dial | null
  readonly store: ReplicaStore
  readonly crdt: Crdt
  readonly localStateLost: ReplicaWitness | null
  readonly memory: ReplicaMemory
  readonly writes: PendingWrites
  readonly folding: Folding
  readonly feed: ChangeFeed
  readonly connection: Connection
  readonly sent: SentMark
  readonly exchange: Exchange
  readonly once: SyncOnce
  readonly live: LiveLoop | null
  readonly awareness: CrdtAwareness
}

export class LocalReplica<D extends AnyDomain> implements Replica<D> {
  readonly #parts: ReplicaParts<D>
  readonly #closing = new AbortController()
  readonly tables: TablesReads<D['tables']>
  readonly registers: Registers
  readonly #known: Registers
  readonly subscribe: Subscribe<D>
  readonly onOps: OnOps<D>
  readonly #committing: Committing
  readonly #view: StatusView
  #closed: Promise<void> | null = null

  constructor(parts: ReplicaParts<D>) {
    this.#parts = parts
    this.registers = registersOf(parts.memory)
    this.#known = knownRegistersOf(parts.memory, parts.domain)
    this.tables = readTables(parts.domain, this.#known)
    this.subscribe = subscribeOf(parts.domain, parts.feed, this.#known)
    this.onOps = onOpsOf(parts.domain, parts.feed)
    this.#committing = new Committing(parts)
    this.#view = new StatusView(parts, this.#known)
  }

  get id(): ReplicaId {
    return this.#parts.memory.replica
  }

  get namespace(): string {
    return this.#parts.namespace
  }

  get domain(): D {
    return this.#parts.domain
  }

  get clientId(): ClientId {
    return this.#parts.memory.document.clientId
  }

  get bill(): SessionBill {
    const { exchange } = this.#parts
    return { ...exchange.bill, paths: exchange.tally.paths.read() }
  }

  get unplaced(): number {
    return this.#parts.memory.document.pendingCount
  }

  get awareness(): CrdtAwareness {
    return this.#parts.awareness
  }

  apply(input: OpOf<D> | readonly OpOf<D>[]): Receipt {
    return this.#apply(listOf(input))
  }

  conflicts(): readonly Conflict[] {
    return listConflicts(this.domain, this.#known)
  }

  resolve(conflict: Conflict, resolution: Resolution): Receipt {
    this.#checkWritable()
    return this.#apply([
      resolutionOp(this.domain, this.registers, this.#committing.nextHlc(), conflict, resolution),
    ])
  }

  get status(): ReplicaStatus {
    return this.#view.status
  }

  onStatus(listener: (status: ReplicaStatus) => void): () => void {
    checkListener(listener)
    return this.#view.listen(listener)
  }

  get outbox(): readonly OutboxCommit[] {
    const { memory, connection } = this.#parts
    return memory.outbox.entries().map((entry) => outboxCommit(entry, connection.notes.sentCounter))
  }

  get rejected(): readonly RejectedCommit[] {
    return [...this.#parts.memory.rejected.values()].sort((a, b) => a.commit.id.counter - b.commit.id.counter)
  }

  discard(counter: Counter): Promise<void> {
    return toldElsewhere(async () => {
      this.#checkOpen()
      this.#rejectedCommit(counter)
      this.#forget(counter)
      await this.flush()
    })
  }

  resubmit(counter: Counter, ops?: OpOf<D> | readonly OpOf<D>[]): Receipt {
    this.#checkWritable()
    const { commit } = this.#rejectedCommit(counter)
    if (ops !== undefined) return this.#apply(listOf(ops), counter)
    // Those of an older version as the present one says them; it may have nothing for them to do.
    const present = upcastOps(this.domain, commit.ops, commit.domainVersion)
    // What undoing brought back may be an orphan by now, as it may be when it is recommitted.
    const parents = areBuiltIn(present) ? 'optional' : 'required'
    if (present.length > 0) return this.#apply(present, counter, parents)
    this.#forget(counter)
    return unchangedReceipt(this.#parts)
  }

  withdraw(counter: Counter): Promise<void> {
    return toldElsewhere(async () => {
      this.#checkOpen()
      await withdraw(this.#parts, counter, this.#closing.signal)
    })
  }

  undo(): Receipt {
    return this.#restore('undo')
  }

  redo(): Receipt {
    return this.#restore('redo')
  }

  get canUndo(): boolean {
    const { domain, memory } = this.#parts
    return memory.history.has('undo', domain, memory.document)
  }

  get canRedo(): boolean {
    const { domain, memory } = this.#parts
    return memory.history.has('redo', domain, memory.document)
  }

  flush(): Promise<void> {
    return this.#parts.writes.flush()
  }

  async syncOnce(dial?: Dial): Promise<SyncReport> {
    this.#checkOpen()
    const { live, once, memory, writes } = this.#parts
    await writes.flush()
    const goal = memory.counter
    if (live?.running === true) return once.run({ live }, goal, this.#closing.signal)
    const way = dial ?? this.#parts.dial
    if (way === null) throw withoutDial(this.namespace)
    // A session that was told to end may still be saying goodbye.
    await live?.stop()
    return once.run({ dial: way }, goal, this.#closing.signal)
  }

  connect(): void {
    this.#checkOpen()
    const { live } = this.#parts
    if (live === null) throw withoutDial(this.namespace)
    live.start()
  }

  disconnect(): void {
    void this.#parts.live?.stop()
  }

  encode(): Uint8Array {
    return this.#parts.memory.document.encode()
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  #restore(way: UndoWay): Receipt {
    this.#checkWritable()
    const { domain, memory } = this.#parts
    const entries = memory.history.next(way, domain, memory.document)
    if (entries === null) return unchangedReceipt(this.#parts)
    return this.#committing.commit(restoredOps(entries), { kind: way })
  }

  #apply(ops: readonly AnyOp[], instead: Counter | null = null, parents: ParentRule = 'required'): Receipt {
    this.#checkWritable()
    return this.#committing.commit(ops, { kind: 'apply', instead, parents })
  }

  #rejectedCommit(counter: Counter): RejectedCommit {
    const rejected = this.#parts.memory.rejected.get(counter)
    if (rejected !== undefined) return rejected
    throw new SyncError('INPUT_INVALID', `${this.namespace} has no rejected commit ${counter}`)
  }

  #forget(counter: Counter): void {
    const { memory, writes, connection } = this.#parts
    memory.rejected.delete(counter)
    writes.add([{ kind: 'discard', counter }])
    connection.changed()
  }

  #checkOpen(): void {
    if (this.#closed !== null)
      throw new SyncError('REPLICA_CLOSED', `the replica of ${this.namespace} is closed`)
  }

  #checkWritable(): void {
    this.#checkOpen()
    const newer = tooNew(this.#parts.memory, this.domain)
    if (newer !== null) throw newer
  }

  async #close(): Promise<void> {
    const { live, exchange, writes, folding, memory, feed, connection, awareness } = this.#parts
    // While there is a session to say so in.
    awareness.destroy()
    this.#closing.abort()
    await live?.stop()
    await exchange.ended
    const failure = await writes.flush().then(
      () => null,
      (error: unknown) => asSyncError(error, 'STORE_UNAVAILABLE', 'the replica could not be saved'),
    )
    if (failure === null) await folding.settled()
    writes.close()
    const unsaved = failure === null ? [] : unsavedCommits(memory, writes.commits)
    memory.outbox.close(unsaved)
    feed.close()
    connection.on('close')
    if (failure !== null) throw unsavedError(this.namespace, unsaved, failure)
  }
}

function withoutDial(namespace: string): SyncError {
  return new SyncError('INPUT_INVALID', `no hub is known for ${namespace}: open the replica with a dial`)
}
