/**
 * A namespace as a repair's plan would leave it, read from the store as it stands: so that a plan is tried before anything is
 * touched, and one that would not end in a sound namespace is never carried out.
 */
import {
  SyncError,
  type HubStore,
  type LogRange,
  type Namespace,
  type Seq,
  type StoredRecord,
  type TailLimit,
  type TailResult,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { verifyNamespace, type VerifyReport } from '@rejoin/hub'
import type { ExaminedHubFolder, HubFindings, HubRepairPlan } from '@rejoin/persistence-level/node'

type Store = ExaminedHubFolder['store']
export type Planned = Extract<HubRepairPlan, { state: object }>['state']

/** What `verify` would say after the repair. @throws SyncError STORE_UNAVAILABLE, STORE_CLOSED */
export async function rehearse(store: Store, findings: HubFindings, planned: Planned): Promise<VerifyReport> {
  return await verifyNamespace(plannedLog(store, findings, planned), yjsCrdt.updates, findings.namespace)
}

function plannedLog(store: Store, { records }: HubFindings, { floor, head, checkpoint }: Planned): HubStore {
  const kept = records.filter(({ seq }) => seq > floor && seq <= head)
  const { incarnation, durability } = store
  return {
    incarnation,
    durability,
    heads: (names) =>
      Promise.resolve(new Map(names.map((name): [Namespace, LogRange] => [name, { floor, head }]))),
    state: () => Promise.resolve('present'),
    namespaces: () => store.namespaces(),
    checkpoint: async (namespace) =>
      checkpoint === 0 ? null : await store.checkpointAt(namespace, checkpoint),
    readTail: async (namespace, after, limit) => {
      if (after < floor) return { kind: 'gap', floor, head }
      return await page(store, namespace, kept, after, limit)
    },
    append: refuse,
    installCheckpoint: refuse,
    trim: refuse,
    remove: refuse,
    close: refuse,
  }
}

async function page(
  store: Store,
  namespace: Namespace,
  kept: readonly { readonly seq: Seq; readonly prev: Seq }[],
  after: Seq,
  limit: TailLimit,
): Promise<TailResult> {
  const records: StoredRecord[] = []
  let bytes = 0
  const coming = kept.filter(({ seq }) => seq > after)
  for (const { seq, prev } of coming.slice(0, limit.records)) {
    const { body } = await store.record(namespace, seq)
    bytes += body.length
    if (records.length > 0 && bytes > limit.bytes) break
    records.push({ seq, prev, body })
  }
  return { kind: 'records', records, more: records.length < coming.length }
}

function refuse(): Promise<never> {
  return Promise.reject(new SyncError('STORE_UNAVAILABLE', 'a plan is only looked at: nothing is written'))
}
