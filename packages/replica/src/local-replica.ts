/** A replica at work: checks and carries out ops here, and leaves the rest to the parts it is made of. */
import {
  canonicalOps,
  HlcClock,
  limits,
  listConflicts,
  planWrites,
  readTables,
  SyncError,
  type AnyDomain,
  type AnyOp,
  type ClientId,
  type Clock,
  type Commit,
  type Conflict,
  type Counter,
  type CrdtAwareness,
  type Dial,
  type OpOf,
  type Registers,
  type RejectedCommit,
  type ReplicaId,
  type TablesReads,
} from '@rejoin/core'
import type { ChangeFeed } from './change-feed.ts'
import type { Change } from './changes.ts'
import { checkCommitSize } from './commit-size.ts'
import type { Exchange } from './exchange.ts'
import type { LiveLoop } from './live-loop.ts'
import { registersOf, type ReplicaMemory } from './memory.ts'
import type { PendingWrites } from './pending-writes.ts'
import { OpenReceipt, unchangedReceipt, type Receipt } from './receipt.ts'
import { replacedBy } from './replaced.ts'
import type { Replica } from './replica.ts'
import { resolutionOp, type Resolution } from './resolution.ts'
import type { Connection, ReplicaStatus } from './status.ts'
import type { SyncOnce, SyncReport } from './sync-once.ts'

export interface ReplicaParts<D extends AnyDomain> {
  readonly domain: D
  readonly namespace: string
  readonly clock: Clock
  readonly dial: Dial | null
  readonly memory: ReplicaMemory
  readonly writes: PendingWrites
  readonly feed: ChangeFeed
  readonly connection: Connection
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
  #closed: Promise<void> | null = null

  constructor(parts: ReplicaParts<D>) {
    this.#parts = parts
    this.registers = registersOf(parts.memory)
    this.tables = readTables(parts.domain, this.registers)
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

  get unplaced(): number {
    return this.#parts.memory.document.pendingCount
  }

  get awareness(): CrdtAwareness {
    return this.#parts.awareness
  }

  apply(input: OpOf<D> | readonly OpOf<D>[]): Receipt {
    return this.#apply(Array.isArray(input) ? (input as readonly AnyOp[]) : [input as AnyOp])
  }

  conflicts(): readonly Conflict[] {
    return listConflicts(this.domain, this.registers)
  }

  resolve(conflict: Conflict, resolution: Resolution): Receipt {
    return this.#apply([resolutionOp(this.domain, this.registers, this.#nextHlc(), conflict, resolution)])
  }

  subscribe(listener: (changes: readonly Change<D>[]) => void): () => void {
    // The feed compares the very tables that the type is inferred from.
    return this.#parts.feed.subscribe((changes) => listener(changes as unknown as readonly Change<D>[]))
  }

  get status(): ReplicaStatus {
    const { memory, writes, connection } = this.#parts
    const { domain, registers } = this
    return {
      state: connection.state,
      pending: memory.outbox.size,
      cursor: memory.cursor,
      persistence: writes.persistence,
      rejected: memory.rejected.size,
      // Counted only for those who ask: it walks every table that has a parent.
      get conflicts() {
        return listConflicts(domain, registers).length
      },
      ...connection.notes,
    }
  }

  onStatus(listener: (status: ReplicaStatus) => void): () => void {
    return this.#parts.connection.listen(() => listener(this.status))
  }

  get outbox(): readonly Commit[] {
    return this.#parts.memory.outbox.entries().map(({ commit }) => commit)
  }

  get rejected(): readonly RejectedCommit[] {
    return [...this.#parts.memory.rejected.values()].sort((a, b) => a.commit.id.counter - b.commit.id.counter)
  }

  async discard(counter: Counter): Promise<void> {
    this.#checkOpen()
    this.#rejectedCommit(counter)
    this.#forget(counter)
    await this.flush()
  }

  resubmit(counter: Counter, ops?: OpOf<D> | readonly OpOf<D>[]): Receipt {
    const { commit } = this.#rejectedCommit(counter)
    const receipt = ops === undefined ? this.#apply(commit.ops) : this.apply(ops)
    this.#forget(counter)
    return receipt
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

  #apply(input: readonly AnyOp[]): Receipt {
    this.#checkOpen()
    const { domain, memory, writes, feed, connection } = this.#parts
    if (memory.outbox.size >= limits.outboxCommitsMax) {
      const why = `${memory.outbox.size} commits of ${this.namespace} wait for the hub: reconnect before applying more`
      throw new SyncError('OUTBOX_FULL', why)
    }
    const ops = canonicalOps(domain, input)
    const hlc = this.#nextHlc()
    const writesPlanned = planWrites(domain, ops, memory.document, hlc, 'required')
    if (writesPlanned.length === 0) return unchangedReceipt
    checkCommitSize(ops, writesPlanned, memory.document)
    const replaced = replacedBy(memory.document, writesPlanned, hlc)
    const update = memory.document.write(writesPlanned, hlc)
    if (update === null) return unchangedReceipt

    memory.hlc.absorb(hlc)
    const prev = memory.lastStanding
    memory.counter++
    const id = { replica: memory.replica, counter: memory.counter }
    const commit: Commit = { id, prev, hlc, domainVersion: domain.version, ops, update }
    const receipt = new OpenReceipt()
    memory.outbox.add(commit, receipt, replaced)
    writes.add(
      [{ kind: 'local', commit }],
      () => memory.outbox.markSaved([commit]),
      (error) => receipt.saved.reject(error),
    )
    feed.release()
    connection.changed()
    return receipt.receiptOf(id)
  }

  /** The stamp of a commit that may come to nothing: the clock moves only when it does not. */
  #nextHlc() {
    const { memory, clock } = this.#parts
    return new HlcClock(memory.replica, memory.hlc.last).tick(clock.now())
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

  async #close(): Promise<void> {
    const { live, exchange, writes, memory, feed, connection, awareness } = this.#parts
    // While there is a session to say so in.
    awareness.destroy()
    this.#closing.abort()
    await live?.stop()
    await exchange.ended
    const unsaved = await writes.flush().then(
      () => null,
      (error: unknown) => error,
    )
    writes.close()
    const lost = memory.outbox.entries().filter(({ stage }) => stage === 'unsaved').length
    memory.outbox.close()
    feed.close()
    connection.on('close')
    if (unsaved === null) return
    const { code, message } = unsaved as SyncError
    throw new SyncError(code, `${lost} commits of ${this.namespace} are not saved: ${message}`, {
      cause: unsaved,
    })
  }
}

function withoutDial(namespace: string): SyncError {
  return new SyncError('INPUT_INVALID', `no hub is known for ${namespace}: open the replica with a dial`)
}
