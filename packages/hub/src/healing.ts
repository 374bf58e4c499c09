/**
 * Healing a log that was restored from an older backup: what a replica brings back is checked, merged with the document and
 * held against the marks before anything is written; then one record tells of it, at a seq beyond every cursor of what was
 * lost, so that nobody's cursor moves back and none is ever taken for one of this log. A crash after that costs nothing.
 */
import {
  limits,
  SyncError,
  type AnyDomain,
  type CommitId,
  type CrdtUpdates,
  type Clock,
  type Counter,
  type Cursor,
  type HealPlan,
  type Heal,
  type HubStore,
  type InspectedState,
  type LostRange,
  type Namespace,
  type ReplicaId,
  type Seq,
} from '@rejoin/core'
import { documentBefore, foldEntry } from './document.ts'
import { checkHeal } from './heal-checks.ts'
import { verifiedSnapshot, type HeavyWork, type VerifiedSnapshot } from './heavy-work.ts'
import { LogGap } from './log.ts'
import { Marks } from './marks.ts'
import { openLog } from './opening.ts'
import { encodeRecord, type HealRecord } from './record.ts'
import { newReplicaRefusal, replicaLimitsOf, type ReplicaLimits } from './replica-bound.ts'
import { encodeMarks } from './stored-marks.ts'
import { retrying } from './waiting.ts'

export interface HealParts {
  readonly store: HubStore
  readonly updates: CrdtUpdates
  readonly heavy: HeavyWork
  readonly clock: Clock
  /** As for pushes; where left out, the bounds of `limits`. */
  readonly replicaLimits?: ReplicaLimits
}

/** What a replica brings back, and what was asked of it. */
export interface GivenHistory {
  readonly namespace: Namespace
  readonly plan: HealPlan
  readonly domain: AnyDomain
  readonly replica: ReplicaId
  /** Name of whoever is signed in. */
  readonly principal: string
  readonly heal: Omit<Heal, 'type'>
}

/** Checked and tried, but not in the log. */
export interface PreparedHeal {
  /** Where the log was then; null while the namespace did not exist. */
  readonly marks: Marks | null
  readonly record: HealRecord
  /** The document with it; null where it brings nothing that the document lacks. */
  readonly document: VerifiedSnapshot | null
}

/**
 * @returns the seq where the log holds all of it, which it may have done before; 'moved' where it was made for another
 * document than is here by now.
 * @throws SyncError what `checkHeal` throws, HUB_INTERNAL where it does not merge as it says, or what the store throws. Then nothing was changed.
 */
export async function prepareHeal(
  parts: HealParts,
  given: GivenHistory,
): Promise<PreparedHeal | Seq | 'moved'> {
  const { store, updates, clock } = parts
  const { namespace, plan, domain, heal } = given
  const { marks } = await retrying(clock, () => openLog(store, updates, namespace))
  if (!isAsPlanned(plan, marks)) return 'moved'
  const base = plan.wanted === 'all' ? null : marks
  const { wanted } = plan
  const { domainVersion, update } = heal
  const candidate = { namespace, domain, wanted, domainVersion, update }
  const state = checkHeal(candidate, base, updates, clock.now())
  if (state === 'moved') return 'moved'
  const document = await tried(parts, given, state, base)
  if (document === 'moved') return 'moved'
  const lost = lostBefore(plan.cursor, marks)
  const counter = markedCounter(parts, given, marks)
  const brings = document !== null || counter > (marks?.counterOf(given.replica) ?? 0)
  if (!brings && lost === null && marks !== null) return marks.head.seq
  const id: CommitId = { replica: given.replica, counter }
  const { principal } = given
  const record: HealRecord = {
    kind: 'heal',
    epoch: plan.cursor.epoch,
    domain: domain.name,
    lost,
    // Named also where it brings nothing: a record without it is an operator's, who knew where the loss began.
    healed: { id, domainVersion, principal, update: document === null ? new Uint8Array(0) : update },
  }
  return { marks, record, document }
}

/** Appends the record and installs its checkpoint; 'moved': somebody has appended since it was prepared. */
export async function recordHeal(
  { store, updates, clock }: HealParts,
  namespace: Namespace,
  { marks, record, document }: PreparedHeal,
): Promise<Seq | 'moved'> {
  const head = marks?.head ?? Marks.begin(record.epoch, record.domain).head
  const at = clock.now()
  const { bytes, tag } = encodeRecord(head.tag, record, at)
  const beyond = record.lost === null ? 0 : record.lost.before - 1
  const result = await retrying(clock, () => store.append(namespace, head.seq, bytes, beyond))
  if (result.kind === 'moved') return 'moved'
  const { seq } = result
  if (document === null) return seq
  const { snapshot, digest, hash } = document
  const entry = { seq, prev: head, tag, record, at, bytes: bytes.length }
  const healed = foldEntry(marks?.clone() ?? null, entry, updates)
  await retrying(clock, () =>
    store.installCheckpoint(namespace, { seq, marks: encodeMarks(healed, snapshot, digest, hash), snapshot }),
  )
  return seq
}

/**
 * Up to which of its commits the replica is marked: where there is no room for another mark, none. What it brings back is
 * taken all the same; what it had acknowledged and not settled it makes again, and finds it in its base (decision 0009).
 */
function markedCounter(
  { replicaLimits = replicaLimitsOf() }: HealParts,
  { namespace, replica, principal, heal }: GivenHistory,
  marks: Marks | null,
): Counter {
  const newcomer = { namespace, replica, principal: { id: principal, name: principal } }
  return newReplicaRefusal(newcomer, marks, replicaLimits) === null ? heal.counter : 0
}

/** What a log that was restored may have lost behind its head. */
export function lostAfter(head: Seq, cursor: Seq = 0): LostRange {
  return { after: head, before: Math.max(head, cursor) + limits.lostSeqsMax }
}

/** Null where no record will ever stand where cursors of that loss may point. */
function lostBefore({ seq }: Cursor, marks: Marks | null): LostRange | null {
  if (seq < (marks?.lost.at(-1)?.before ?? 0)) return null
  return lostAfter(marks?.head.seq ?? 0, seq)
}

/** Whether the log is still what the plan was made for. */
function isAsPlanned({ wanted, cursor, head }: HealPlan, marks: Marks | null): boolean {
  if (wanted === 'all') return (marks?.head.seq ?? 0) === head
  return marks?.epoch === cursor.epoch
}

/**
 * The document with what is brought back, held against the marks; null where it lacks nothing of it.
 * @param base what it is added to; null: nothing.
 */
async function tried(
  { store, updates, heavy, clock }: HealParts,
  { namespace, plan, domain, replica, heal }: GivenHistory,
  state: InspectedState,
  base: Marks | null,
): Promise<PreparedHeal['document'] | 'moved'> {
  const isNothing = state.sections.length === 0 && state.deleted.length === 0
  if (base !== null && isNothing) return null
  const parts = base === null ? [] : await partsOf({ store, updates, clock }, namespace, base.head.seq)
  if (parts === 'moved') return 'moved'
  const whole = isNothing ? parts : [...parts, heal.update]
  // Deletions are all told again, known ones too; where none of them is new the document stays the same to the byte.
  if (base !== null && state.sections.length === 0) {
    const [before, after] = [await heavy.compact(parts), await heavy.compact(whole)]
    if (isSame(before, after)) return null
  }
  const known = base?.clone() ?? Marks.begin(plan.cursor.epoch, domain.name)
  const { counter, domainVersion, update } = heal
  const healed = { id: { replica, counter }, domainVersion, principal: '', update }
  known.heal({ kind: 'heal', epoch: known.epoch, domain: known.domain, lost: null, healed }, updates)
  return await verifiedSnapshot(heavy, whole, known, namespace)
}

async function partsOf(
  { store, updates, clock }: Pick<HealParts, 'store' | 'updates' | 'clock'>,
  namespace: Namespace,
  head: Seq,
): Promise<readonly Uint8Array[] | 'moved'> {
  try {
    const found = await retrying(clock, () => documentBefore(store, updates, namespace, head))
    return found.marks?.head.seq === head ? found.parts : 'moved'
  } catch (error) {
    if (error instanceof LogGap) return 'moved'
    throw error
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

export function refusedHeal(namespace: Namespace, error: SyncError): SyncError {
  const why = `${namespace}: what the replica brings back of what was lost cannot be taken: ${error.code}: ${error.message}`
  return new SyncError('HISTORY_DIVERGED', `${why}; nothing was changed here or there`, { cause: error })
}
