/**
 * Healing without a hub that runs and without a wire: from the folder of a replica, where nobody else may be writing to
 * either. The same plan, checks and records as when the replica greets; only no message bounds what it brings back.
 */
import {
  limits,
  planCatchUp,
  SyncError,
  type AnyDomain,
  type Clock,
  type CrdtUpdates,
  type HubStore,
  type LogView,
  type Namespace,
  type Seq,
  type StoredReplica,
} from '@rejoin/core'
import { prepareHeal, recordHeal, refusedHeal, type GivenHistory, type HealParts } from './healing.ts'
import { isRefusal } from './heal-checks.ts'
import { inlineWork, type HeavyWork } from './heavy-work.ts'
import { tagAt } from './log.ts'
import { viewLog } from './log-view.ts'
import { type Marks } from './marks.ts'
import { openLog, type OpenedLog } from './opening.ts'
import { retrying } from './waiting.ts'

export interface OfflineParts {
  readonly store: HubStore
  readonly updates: CrdtUpdates
  readonly clock: Clock
  readonly heavy?: HeavyWork
}

/** What of a stored replica is looked at. */
export type HealingReplica = Pick<StoredReplica, 'identity' | 'cursor' | 'base' | 'outbox' | 'notes'>

export type HealedNamespace =
  /** The log holds all that the replica had acknowledged, `at` a seq: brought back now, or there before. */
  | { readonly kind: 'healed'; readonly at: Seq; readonly why: string }
  /** It has lost nothing that the replica's base holds; what is in its outbox the replica pushes itself. */
  | { readonly kind: 'whole' }

/**
 * @param domain in the version that the hub serves.
 * @param stored the replica, as its store keeps it: its outbox is not looked at.
 * @throws SyncError HISTORY_DIVERGED, DOMAIN_MISMATCH, DOMAIN_TOO_NEW, HLC_AHEAD, NAMESPACE_DELETED, STORE_… or
 * STORE_UNAVAILABLE where others write without a pause. Then nothing was changed.
 */
export async function healNamespace(
  { store, updates, clock, heavy = inlineWork(updates) }: OfflineParts,
  namespace: Namespace,
  domain: AnyDomain,
  stored: HealingReplica,
): Promise<HealedNamespace> {
  const parts: HealParts = { store, updates, heavy, clock }
  for (let tries = 1; tries <= limits.rebuildTriesMax; tries++) {
    const given = await retrying(clock, () => plan(parts, namespace, domain, stored))
    if (given === null) return { kind: 'whole' }
    const seq = await healed(parts, given)
    if (seq !== 'moved') return { kind: 'healed', at: seq, why: given.plan.why }
  }
  throw new SyncError('STORE_UNAVAILABLE', `others write to ${namespace}; stop them, and try again`)
}

/** Null where nothing is missing. */
async function plan(
  { store, updates, heavy }: HealParts,
  namespace: Namespace,
  domain: AnyDomain,
  { identity, cursor, base, outbox, notes }: HealingReplica,
): Promise<GivenHistory | null> {
  const { replica, domainVersion } = identity
  const own = outbox.find(({ id }) => id.replica === replica)
  const opened = await openLog(store, updates, namespace, heavy)
  const standing = {
    cursor,
    ackedCounter: opened.marks?.mayBeForgotten(replica) === true ? 0 : notes.ackedCounter,
    holdsMore: opened.marks?.epoch === cursor?.epoch && holdsMore(updates, base, opened.marks),
  }
  const view = await viewOf(store, namespace, opened, { cursor, replica })
  const found = planCatchUp(standing, view, { delta: true, rebuild: false, heal: true, writes: true })
  if (found.path === 'diverged') throw new SyncError('HISTORY_DIVERGED', `${namespace}: ${found.why}`)
  if (found.path !== 'heal') return null
  const held =
    found.wanted === 'all' ? new Map<number, number>() : (opened.marks?.clocks ?? new Map<number, number>())
  const update = updates.diff(base, updates.stateVector(held))
  const heal = { counter: own?.prev ?? notes.ackedCounter, domainVersion, update }
  return { namespace, plan: found, domain, replica, principal: 'operator', heal }
}

/** By items alone: what was deleted the marks do not tell. */
function holdsMore(updates: CrdtUpdates, base: readonly Uint8Array[], marks: Marks | null): boolean {
  if (marks === null || base.length === 0) return false
  return [...updates.clocks(updates.compact(base))].some(
    ([client, clock]) => clock > (marks.client(client)?.clock ?? 0),
  )
}

async function viewOf(
  store: HubStore,
  namespace: Namespace,
  opened: OpenedLog,
  standing: Parameters<typeof viewLog>[3],
): Promise<LogView | null> {
  const { cursor } = standing
  const head = opened.marks?.head
  if (cursor === null || head === undefined || cursor.epoch !== head.epoch || cursor.seq >= head.seq) {
    const tag = cursor?.seq === head?.seq ? (head?.tag ?? null) : null
    return await viewLog(store, namespace, opened, standing, { kind: 'tag', tag })
  }
  const found = await tagAt(store, namespace, cursor.seq)
  return await viewLog(
    store,
    namespace,
    opened,
    standing,
    found.kind === 'end' ? { kind: 'tag', tag: null } : found,
  )
}

async function healed(parts: HealParts, given: GivenHistory): Promise<Seq | 'moved'> {
  try {
    const prepared = await prepareHeal(parts, given)
    return typeof prepared === 'object' ? await recordHeal(parts, given.namespace, prepared) : prepared
  } catch (error) {
    if (error instanceof SyncError && isRefusal(error)) throw refusedHeal(given.namespace, error)
    throw error
  }
}
