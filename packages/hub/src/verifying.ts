/**
 * Walking a whole namespace and saying what is wrong with it, instead of stopping at the first fault: the chain and its
 * hashes, each commit id once (invariant 5), and the checkpoint held against the log.
 */
import {
  commitName,
  limits,
  SyncError,
  type Counter,
  type CrdtUpdates,
  type HubStore,
  type Namespace,
  type ReplicaId,
  type Seq,
  type StoredRecord,
  type Tag,
} from '@rejoin/core'
import { checkClocks } from './checkpointing.ts'
import { readCheckpoint } from './document.ts'
import { type Marks } from './marks.ts'
import { decodeRecord, type LoggedCommit } from './record.ts'
import { checkSnapshot } from './stored-marks.ts'

export interface Fault {
  /** The record, or for the checkpoint its seq; null for the namespace as a whole. */
  readonly seq: Seq | null
  readonly message: string
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
  const range = (await store.heads([namespace])).get(namespace)
  if (range === undefined) throw new SyncError('NAMESPACE_UNKNOWN', `${namespace} does not exist on this hub`)
  const walk = new Walk(namespace)
  await walk.checkpoint(store, updates)
  let at: Seq = range.floor
  for (let more = true; more;) {
    const page = await walk.guard(null, () => store.readTail(namespace, at, pageLimit))
    if (page?.kind === 'gap') return 'trimmed'
    if (page === null) break
    for (const record of page.records) at = walk.record(record, at)
    more = page.more && page.records.length > 0
  }
  // It may have grown meanwhile.
  if (at < range.head) walk.fault(at, `the log ends at ${at}, its head is ${range.head}`)
  const digest =
    walk.faults.length > 0 ? null : await walk.guard(null, async () => updates.digest(walk.parts))
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

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  async checkpoint(store: HubStore, updates: CrdtUpdates): Promise<void> {
    await this.guard(null, async () => {
      const checkpoint = await readCheckpoint(store, this.#namespace)
      if (checkpoint === null) return
      const { marks } = checkpoint.stored
      this.covered = { seq: checkpoint.seq, marks }
      for (const [replica, { counter }] of marks.parts().replicas) this.#counters.set(replica, counter)
      const snapshot = checkSnapshot(await checkpoint.snapshot(), checkpoint.stored, checkpoint.where)
      this.parts.push(snapshot)
      checkClocks(updates.clocks(snapshot), marks, this.#namespace)
    })
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
        this.fault(seq, 'the checkpoint is of another history')
      if (record.kind === 'commits') for (const commit of record.commits) this.#commit(commit, seq)
    } catch (error) {
      this.#tag = null
      this.fault(seq, messageOf(error))
    }
    return seq
  }

  fault(seq: Seq | null, message: string): void {
    this.faults.push({ seq, message })
  }

  /** Turns damage into a fault; a store that cannot be asked is an error. */
  async guard<T>(seq: Seq | null, work: () => Promise<T>): Promise<T | null> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof SyncError && (error.code === 'STORE_UNAVAILABLE' || error.code === 'STORE_CLOSED'))
        throw error
      this.fault(seq, messageOf(error))
      return null
    }
  }

  #commit({ id, prev, update }: LoggedCommit, seq: Seq): void {
    const name = commitName(id)
    if (this.names.has(name)) this.fault(seq, `commit ${name} is in the log twice`)
    this.names.add(name)
    const mark = this.#counters.get(id.replica) ?? 0
    if (this.covered !== null && seq <= this.covered.seq) {
      if (id.counter > mark) this.fault(seq, `the checkpoint does not know commit ${name}`)
      return
    }
    if (prev !== mark) this.fault(seq, `commit ${name} follows ${prev}, but ${mark} came before it`)
    this.#counters.set(id.replica, id.counter)
    if (update.length > 0) this.parts.push(update)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
