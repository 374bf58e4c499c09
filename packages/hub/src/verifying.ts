/**
 * Walking a whole namespace and saying what is wrong with it, instead of stopping at the first fault: the chain and its
 * hashes, each commit id once (invariant 5), and the checkpoint held against the log. What lies behind damage is read too.
 */
import {
  commitName,
  limits,
  SyncError,
  type ClientClocks,
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
import { decodeRecord, type HealRecord, type LoggedCommit } from './record.ts'
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

export interface VerifyReport {
  readonly namespace: Namespace
  readonly records: number
  readonly commits: number
  /** Of the retained records. */
  readonly bytes: number
  readonly head: Seq
  readonly floor: Seq
  readonly checkpointSeq: Seq | null
  /** Hash of the content, or null where the faults leave none to hash. */
  readonly digest: string | null
  readonly faults: readonly Fault[]
}

/** @throws SyncError NAMESPACE_UNKNOWN, or STORE_UNAVAILABLE or STORE_CLOSED of the store. Damage is reported, not thrown. */
export async function verifyNamespace(
  store: HubStore,
  updates: CrdtUpdates,
  namespace: Namespace,
): Promise<VerifyReport> {
  for (let attempt = 1; attempt < limits.storeAttemptsMax; attempt++) {
    const report = await verifyOnce(store, updates, namespace)
    if (report !== 'trimmed') return report
  }
  throw new SyncError(
    'STORE_UNAVAILABLE',
    `${namespace}: its log is trimmed as fast as it is read; try again`,
  )
}

/** `trimmed`: what was to be read is gone, since the hub that runs has folded it meanwhile. */
async function verifyOnce(
  store: HubStore,
  updates: CrdtUpdates,
  namespace: Namespace,
): Promise<VerifyReport | 'trimmed'> {
  const walk = new Walk(namespace)
  const heads = await walk.guard('log', () => store.heads([namespace]))
  const range = heads === null ? { floor: 0, head: 0 } : heads.get(namespace)
  if (range === undefined) throw new SyncError('NAMESPACE_UNKNOWN', `${namespace} does not exist on this hub`)
  if (heads !== null) await walk.checkpoint(store, updates)
  let at: Seq = range.floor
  let probes = 0
  for (let more = heads !== null; more;) {
    const page = await walk.damage(() => store.readTail(namespace, at, pageLimit))
    if (page?.kind === 'gap') return 'trimmed'
    if (page === null) {
      // Right after `at` something is damaged or missing; where it goes on behind that is tried out, seq by seq.
      at += 1
      probes += 1
      more = at < range.head && probes < probesMax
      continue
    }
    for (const record of page.records) at = walk.record(record, at)
    more = page.more && page.records.length > 0
  }
  // It may have grown meanwhile.
  if (at < range.head) walk.fault(at, `the log ends at ${at}, its head is ${range.head}`)
  const digest =
    walk.faults.length > 0 ? null : await walk.guard('log', async () => updates.digest(walk.parts))
  return {
    namespace,
    records: walk.records,
    commits: walk.names.size,
    bytes: walk.bytes,
    head: at > range.head ? at : range.head,
    floor: range.floor,
    checkpointSeq: walk.covered?.seq ?? null,
    digest,
    faults: walk.faults,
  }
}

/** Seqs at which a log that is damaged is tried: a jump after a restore is longer than any damage. */
const probesMax = 10_000

const pageLimit = { records: 1_000, bytes: limits.tailBytesMax }

class Walk {
  readonly faults: Fault[] = []
  readonly names = new Set<string>()
  /** The bytes of the document: the snapshot and what was logged after it. */
  readonly parts: Uint8Array[] = []
  records = 0
  bytes = 0
  covered: { readonly seq: Seq; readonly marks: Marks } | null = null
  readonly #namespace: Namespace
  #tag: Tag | null = null
  /** Last counter of each replica: as the checkpoint says, then as the log goes on. */
  readonly #counters = new Map<ReplicaId, Counter>()
  /** Something before here could not be read, so nobody knows which counters were in it. */
  #isBehindDamage = false
  /** Of the record before. */
  #epoch: Epoch | null = null
  /** Key of the damaged value that was met last. */
  #lastKey: string | null = null

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  async checkpoint(store: HubStore, updates: CrdtUpdates): Promise<void> {
    const covered = await this.guard('checkpoint', async () => {
      const checkpoint = await readCheckpoint(store, this.#namespace)
      if (checkpoint === null) return 'nothing'
      const { marks } = checkpoint.stored
      this.covered = { seq: checkpoint.seq, marks }
      for (const [replica, { counter }] of marks.parts().replicas) this.#counters.set(replica, counter)
      const snapshot = checkSnapshot(await checkpoint.snapshot(), checkpoint.stored, checkpoint.where)
      this.parts.push(snapshot)
      if (!holdsClocks(updates.clocks(snapshot), marks))
        this.fault(checkpoint.seq, 'the checkpoint does not hold the items that its marks name', 'checkpoint')
      const { digest } = checkpoint.stored
      if (digest !== null && digest !== updates.digest([snapshot]))
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
    if (this.names.has(name)) this.fault(seq, `commit ${name} is in the log twice`)
    this.names.add(name)
    const mark = this.#counters.get(id.replica) ?? 0
    if (this.covered !== null && seq <= this.covered.seq) {
      // A rebuild forgets replicas before it trims what is behind it.
      if (id.counter > mark && !this.covered.marks.mayBeForgotten(id.replica))
        this.fault(seq, `the checkpoint does not know commit ${name}`, 'checkpoint')
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
    if (this.covered !== null && seq <= this.covered.seq) {
      if (counter > mark)
        this.fault(seq, `the checkpoint does not know commit ${commitName(healed.id)}`, 'checkpoint')
      return
    }
    const before = this.#epoch ?? this.covered?.marks.epoch ?? record.epoch
    // A whole document of a later epoch takes the place of the one before it.
    if (record.epoch > before) this.parts.length = 0
    this.parts.push(...updatesOf(record))
    this.#counters.set(replica, Math.max(counter, mark))
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
