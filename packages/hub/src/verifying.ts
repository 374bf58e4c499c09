/**
 * Walking a whole namespace and saying what is wrong with it, instead of stopping at the first fault: the chain and its
 * hashes, each commit id once (invariant 5), and the checkpoint held against the log. What lies behind damage is read too.
 */
import { limits, SyncError, type CrdtUpdates, type HubStore, type Namespace, type Seq } from '@rejoin/core'
import { NamespaceWalk, type Fault } from './namespace-walk.ts'

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
  const walk = new NamespaceWalk(updates, namespace)
  const heads = await walk.guard('log', () => store.heads([namespace]))
  const range = heads === null ? { floor: 0, head: 0 } : heads.get(namespace)
  if (range === undefined) throw new SyncError('NAMESPACE_UNKNOWN', `${namespace} does not exist on this hub`)
  if (heads !== null) await walk.checkpoint(store)
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
    commits: walk.commits,
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
