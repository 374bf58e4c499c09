/**
 * What a thin client of one namespace is answered: nothing new, the ops it lacks, or that it has to start cold. Ops are
 * those of the log after its version, and what makes them lead to what the document reads; where the log does not
 * reach back, or holds what no op of a kind says, the client starts cold.
 */
import { SyncError, upcastOps, type AnyOp, type HubStore, type Seq } from '@rejoin/core'
import { LogGap, NO_OPS, readRecords, type LogEntry, type Principal } from '@rejoin/hub'
import { GatewayDelta, gatewayLimits, intents, type SyncRequest, type VersionedOp } from '@rejoin/intents'
import { viewNamespace } from './namespaces.ts'
import type { GatewayReplicas, IntentsReplica } from './replicas.ts'

export type NamespaceAnswer =
  | { readonly up_to_date: true; readonly version: Seq }
  /** There is nothing here; why, is a member more than clients expect. */
  | { readonly up_to_date: true; readonly version: 0; readonly state: 'unknown' | 'removed' }
  | { readonly version: Seq; readonly ops: readonly VersionedOp[] }
  /** `reason`: the client's version is not one of this log's, which was restored from a backup, or is another one. */
  | { readonly cold_start_required: true; readonly version: Seq; readonly reason?: 'ahead' | 'other_history' }

/** What all answers of one response may hold together. */
export interface DeltaBudget {
  ops: number
  chars: number
}

export function fullBudget(): DeltaBudget {
  return { ops: gatewayLimits.opsMax, chars: gatewayLimits.opsCharsMax }
}

export interface DeltaParts {
  readonly store: HubStore
  readonly replicas: GatewayReplicas
  /** Under which documents are read: the caller's own right to read was checked. */
  readonly reader: Principal
}

/** @throws SyncError what reading the log or its document throws. */
export async function answerNamespace(
  { store, replicas, reader }: DeltaParts,
  principal: Principal,
  name: string,
  version: number,
  request: Pick<SyncRequest, 'supports_delta' | 'oplog_min_version'>,
  budget: DeltaBudget,
): Promise<NamespaceAnswer> {
  const view = await viewNamespace(store, principal, name)
  if (view.kind !== 'present') return { up_to_date: true, version: 0, state: view.kind }
  const { namespace, floor, head } = view
  if (version === head) return { up_to_date: true, version }
  if (version > head) return { cold_start_required: true, version: head, reason: 'ahead' }
  const tooOld = request.oplog_min_version > 0 && version < request.oplog_min_version
  if (!request.supports_delta || tooOld || version < floor) return coldStart(head)
  try {
    return await replicas.use(namespace, reader, (replica) => deltaTo(replica, store, version, budget))
  } catch (error) {
    if (error instanceof LogGap) return coldStart(head)
    if (error instanceof SyncError && error.code === 'NAMESPACE_DELETED') {
      return { up_to_date: true, version: 0, state: 'removed' }
    }
    throw error
  }
}

async function deltaTo(
  replica: IntentsReplica,
  store: HubStore,
  version: Seq,
  budget: DeltaBudget,
): Promise<NamespaceAnswer> {
  const head = replica.status.cursor?.seq ?? 0
  const reading = await readRecords(store, replica.namespace, version)
  if (reading.kind !== 'records' || head <= version) return coldStart(head)
  if (!reading.isPlace) return { cold_start_required: true, version: head, reason: 'other_history' }
  const delta = new GatewayDelta()
  for await (const page of reading.pages) {
    for (const entry of page) {
      if (entry.seq > head) continue
      if (!addEntry(delta, entry) || isOver(delta, budget)) return coldStart(head)
    }
    // What came after the replica was brought up to date comes with the next request.
    if ((page.at(-1)?.seq ?? head) >= head) break
  }
  const ops = delta.settled(replica.tables, head)
  if (ops === null || isOver(delta, budget)) return coldStart(head)
  budget.ops -= delta.size.ops
  budget.chars -= delta.size.chars
  return { version: head, ops }
}

/** False where it holds what no op of a kind says: a rebuild, what was healed, a choice in a conflict, an undo. */
function addEntry(delta: GatewayDelta, { seq, record }: LogEntry): boolean {
  if (record.kind !== 'commits') return false
  return record.commits.every(({ opsJson, domainVersion }) => {
    // A plain Yjs client's: what it changed, no op says.
    if (opsJson === NO_OPS) return false
    const ops = upToDate(JSON.parse(opsJson) as readonly AnyOp[], domainVersion)
    return ops !== null && delta.add(seq, ops)
  })
}

function upToDate(ops: readonly AnyOp[], domainVersion: number): readonly AnyOp[] | null {
  try {
    return upcastOps(intents, ops, domainVersion)
  } catch (error) {
    if (error instanceof SyncError) return null
    throw error
  }
}

function isOver({ size }: GatewayDelta, budget: DeltaBudget): boolean {
  return size.ops > budget.ops || size.chars > budget.chars
}

function coldStart(version: Seq): NamespaceAnswer {
  return { cold_start_required: true, version }
}
