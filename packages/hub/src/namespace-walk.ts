/**
 * One way through a namespace, from its checkpoint over every record: what is wrong is kept as faults, and the document's
 * bytes are collected beside it.
 */
import {
  commitName,
  SyncError,
  type ClientClocks,
  type CommitId,
  type Counter,
  type CrdtUpdates,
  type Epoch,
  type ErrorCode,
  type HubStore,
  type Namespace,
  type ReplicaId,
  type Seq,
  type StoredRecord,
  type Tag,
} from '@rejoin/core'
import { readCheckpoint, updatesOf } from './document.ts'
import { type Marks } from './marks.ts'
import { decodeRecord, type HealRecord, type LoggedCommit, type RebuildRecord } from './record.ts'
import { checkSnapshot } from './stored-marks.ts'

export interface Fault {
  /** The record, or for the checkpoint its seq; null for the namespace as a whole. */
  readonly seq: Seq | null
  readonly message: string
  /** In what it lies, as far as that can be told. */
  readonly part: 'checkpoint' | 'log'
  /** As it would be thrown: STORE_CORRUPT, or FORMAT_TOO_NEW of what a newer Rejoin wrote. */
  readonly code: ErrorCode
}

export class NamespaceWalk {
  readonly faults: Fault[] = []
  /** The bytes of the document: the snapshot and what was logged after it. */
  readonly parts: Uint8Array[] = []
  records = 0
  commits = 0
  bytes = 0
  covered: { readonly seq: Seq; readonly marks: Marks } | null = null
  readonly #updates: CrdtUpdates
  readonly #namespace: Namespace
  #tag: Tag | null = null
  /** Counters that are in the log, of each replica since it was forgotten last. */
  readonly #logged = new Map<ReplicaId, Set<Counter>>()
  /** Last counter of each replica: as the checkpoint says, then as the log goes on. */
  readonly #counters = new Map<ReplicaId, Counter>()
  /** Something before here could not be read, so nobody knows which counters were in it. */
  #isBehindDamage = false
  /** Of the record before. */
  #epoch: Epoch | null = null
  /** Key of the damaged value that was met last. */
  #lastKey: string | null = null

  constructor(updates: CrdtUpdates, namespace: Namespace) {
    this.#updates = updates
    this.#namespace = namespace
  }

  async checkpoint(store: HubStore): Promise<void> {
    const covered = await this.guard('checkpoint', async () => {
      const checkpoint = await readCheckpoint(store, this.#namespace)
      if (checkpoint === null) return 'nothing'
      const { marks } = checkpoint.stored
      this.covered = { seq: checkpoint.seq, marks }
      for (const [replica, { counter }] of marks.parts().replicas) this.#counters.set(replica, counter)
      const snapshot = checkSnapshot(await checkpoint.snapshot(), checkpoint.stored, checkpoint.where)
      this.parts.push(snapshot)
      if (!holdsClocks(this.#updates.clocks(snapshot), marks))
        this.fault(checkpoint.seq, 'the checkpoint does not hold the items that its marks name', 'checkpoint')
      const { digest } = checkpoint.stored
      if (digest !== null && digest !== this.#updates.digest([snapshot]))
        this.fault(checkpoint.seq, 'the content of the checkpoint is not the one of its digest', 'checkpoint')
      return 'read'
    })
    // Without its marks nobody knows which commits came before the log.
    if (covered === null && this.covered === null) this.#isBehindDamage = true
  }

  /** One read of the log. The same damaged value, met from several places, is one fault. */
  async damage<T>(read: () => Promise<T>): Promise<T | null> {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof SyncError) || !isDamage(error)) throw error
      if (error.path === null || error.path !== this.#lastKey)
        this.fault(null, error.message, 'log', error.code)
      this.#lastKey = error.path
      this.#isBehindDamage = true
      this.#tag = null
      return null
    }
  }

  /** Returns where the next record continues. */
  record(stored: StoredRecord, after: Seq): Seq {
    const { seq, prev, body } = stored
    this.records++
    this.bytes += body.length
    if (prev !== after) this.fault(seq, `it names ${prev} as the one before it, which is ${after}`)
    try {
      const { record, prevTag, tag } = decodeRecord(body, `${this.#namespace}: log record ${seq}`)
      if (this.#tag !== null && prevTag !== this.#tag)
        this.fault(seq, 'it continues another history than the one before it')
      this.#tag = tag
      if (seq === this.covered?.seq && tag !== this.covered.marks.head.tag)
        this.fault(seq, 'the checkpoint is of another history', 'checkpoint')
      if (prev === this.covered?.seq && prevTag !== this.covered.marks.head.tag)
        this.fault(seq, 'it continues another history than the checkpoint before it')
      if (record.kind === 'commits') for (const commit of record.commits) this.#commit(commit, seq)
      if (record.kind === 'heal') this.#heal(record, seq, prev)
      if (record.kind === 'rebuild') this.#rebuild(record, seq)
      this.#epoch = record.epoch
    } catch (error) {
      this.#tag = null
      this.#isBehindDamage = true
      this.fault(seq, messageOf(error), 'log', codeOf(error))
    }
    return seq
  }

  fault(
    seq: Seq | null,
    message: string,
    part: Fault['part'] = 'log',
    code: ErrorCode = 'STORE_CORRUPT',
  ): void {
    this.faults.push({ seq, message, part, code })
  }

  /** Turns damage into a fault; a store that cannot be asked is an error. */
  async guard<T>(part: Fault['part'], work: () => Promise<T>): Promise<T | null> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof SyncError && !isDamage(error)) throw error
      this.fault(null, messageOf(error), part, codeOf(error))
      return null
    }
  }

  #commit({ id, prev, update }: LoggedCommit, seq: Seq): void {
    const name = commitName(id)
    const logged = this.#logged.get(id.replica) ?? new Set()
    this.#logged.set(id.replica, logged)
    if (logged.has(id.counter)) this.fault(seq, `commit ${name} is in the log twice`)
    else this.commits++
    logged.add(id.counter)
    const mark = this.#counters.get(id.replica) ?? 0
    if (this.#isCovered(seq)) {
      this.#covers(id, seq)
      return
    }
    if (prev !== mark && !this.#isBehindDamage)
      this.fault(seq, `commit ${name} follows ${prev}, but ${mark} came before it`)
    this.#counters.set(id.replica, id.counter)
    if (update.length > 0) this.parts.push(update)
  }

  #heal(record: HealRecord, seq: Seq, prev: Seq): void {
    const { lost, healed } = record
    if (lost !== null && (lost.after !== prev || lost.before > seq))
      this.fault(
        seq,
        `it says that what lay between ${lost.after} and ${lost.before} is lost, and stands there`,
      )
    if (healed === null) return
    const { replica, counter } = healed.id
    const mark = this.#counters.get(replica) ?? 0
    if (this.#isCovered(seq)) {
      this.#covers(healed.id, seq)
      return
    }
    const before = this.#epoch ?? this.covered?.marks.epoch ?? record.epoch
    // A whole document of a later epoch takes the place of the one before it.
    if (record.epoch > before) this.parts.length = 0
    this.parts.push(...updatesOf(record))
    this.#counters.set(replica, Math.max(counter, mark))
  }

  /**
   * From here on the document is another one. Replicas that are forgotten go on from none of their commits, and may log some
   * of them again.
   */
  #rebuild({ digest, forgot }: RebuildRecord, seq: Seq): void {
    for (const replica of forgot?.replicas ?? []) this.#logged.delete(replica)
    if (this.#isCovered(seq)) return
    for (const replica of forgot?.replicas ?? []) this.#counters.delete(replica)
    // Of what is damaged no document is made.
    if (this.faults.length > 0) return
    const made = this.#updates.rebuild(this.parts)
    if (made.digest !== digest) this.fault(seq, 'the rebuild tells of other content than the log holds')
    this.parts.length = 0
    this.parts.push(made.snapshot)
  }

  #isCovered(seq: Seq): boolean {
    return this.covered !== null && seq <= this.covered.seq
  }

  /** What the checkpoint covers it knows; but a rebuild forgets replicas before it trims what is behind it. */
  #covers(id: CommitId, seq: Seq): void {
    if (this.covered === null || id.counter <= this.covered.marks.counterOf(id.replica)) return
    const { began, forgotBefore } = this.covered.marks.parts()
    if (forgotBefore === 0 || seq > began)
      this.fault(seq, `the checkpoint does not know commit ${commitName(id)}`, 'checkpoint')
  }
}

/** Whether a snapshot holds exactly the items that the marks name. */
function holdsClocks(clocks: ClientClocks, marks: Marks): boolean {
  const { clients } = marks.parts()
  return clocks.size === clients.size && [...clients].every(([id, { clock }]) => clocks.get(id) === clock)
}

/** Everything else is a store that cannot be asked now. */
function isDamage({ code }: SyncError): boolean {
  return code !== 'STORE_UNAVAILABLE' && code !== 'STORE_CLOSED'
}

/** What is no error of ours is one of bytes that were read as something else. */
function codeOf(error: unknown): ErrorCode {
  return error instanceof SyncError ? error.code : 'STORE_CORRUPT'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
