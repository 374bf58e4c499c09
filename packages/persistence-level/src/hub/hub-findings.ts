/**
 * What stands in the database of one namespace, whole or damaged, and what can be made of it: read value by value past
 * every refusal, for `rejoin repair`. The decision is a value; `hub-mending.ts` carries it out. Nothing is written here.
 */
import { SyncError, type Namespace, type Seq } from '@rejoin/core'
import type { SealedDatabase } from '../sealed-database.ts'
import { isCorrupt, unseal } from '../sealed-value.ts'
import { seqOf } from '../seq-text.ts'
import { contentRanges, hubKeys, recordRange } from './hub-keys.ts'
import { decodeState, type NamespaceState, type PresentNamespace } from './namespace-state.ts'
import { decodeRecord } from './record-value.ts'

/** A record that can be read, and the one before it. */
export interface FoundRecord {
  readonly seq: Seq
  readonly prev: Seq
}

export interface HubFindings {
  readonly namespace: Namespace
  /** Null where there is none that can be read. */
  readonly state: NamespaceState | null
  /** In rising order, without the damaged ones. */
  readonly records: readonly FoundRecord[]
  /** Seq of the newest record that is there, whole or not; 0 for none. */
  readonly newest: Seq
  /** Checkpoints of which both parts are whole, in rising order. */
  readonly checkpoints: readonly Seq[]
  /** Keys of the parts of checkpoints that can be read, also of halves. */
  readonly checkpointKeys: readonly string[]
  /** Values that are damaged, and what is wrong with each. */
  readonly damaged: readonly SyncError[]
  /** Whether it is closed for writing since damage was met. */
  readonly isClosed: boolean
}

/** @throws SyncError STORE_CORRUPT where LevelDB cannot read its own files, FORMAT_TOO_NEW, STORE_UNAVAILABLE. */
export async function findHubDamage(database: SealedDatabase, namespace: Namespace): Promise<HubFindings> {
  const damaged: SyncError[] = []
  const records: FoundRecord[] = []
  const parts = new Map<Seq, number>()
  const checkpointKeys: string[] = []
  let newest = 0
  const opened = (key: string, sealed: Uint8Array): Uint8Array | null => {
    try {
      return unseal(key, sealed)
    } catch (error) {
      if (!(error instanceof SyncError) || !isCorrupt(error)) throw error
      damaged.push(error)
      return null
    }
  }
  const stateKey = hubKeys.state(namespace)
  const sealedState = await database.sealed(stateKey)
  const stateBody = sealedState === null ? null : opened(stateKey, sealedState)
  const [recordsOf, ...checkpointsOf] = contentRanges(namespace)
  for await (const [key, sealed] of database.sealedEntries(recordsOf ?? recordRange(namespace, 0))) {
    const body = opened(key, sealed)
    newest = seqOf(key)
    if (body !== null) records.push({ seq: newest, prev: decodeRecord(newest, body).prev })
  }
  for (const range of checkpointsOf) {
    for await (const [key, sealed] of database.sealedEntries(range)) {
      if (opened(key, sealed) === null) continue
      checkpointKeys.push(key)
      parts.set(seqOf(key), (parts.get(seqOf(key)) ?? 0) + 1)
    }
  }
  const checkpoints = [...parts].flatMap(([seq, count]) => (count === 2 ? [seq] : []))
  return {
    namespace,
    state: stateBody === null ? null : decodeState(stateKey, stateBody),
    records,
    newest,
    checkpoints: checkpoints.sort((a, b) => a - b),
    checkpointKeys,
    damaged,
    isClosed: (await database.sealed(hubKeys.damage(namespace))) !== null,
  }
}

export type HubRepairPlan =
  /** Everything is whole, and nothing keeps it closed. */
  | { readonly kind: 'whole' }
  /** Nothing that can be read and that the newest checkpoint does not cover goes. */
  | ({ readonly kind: 'mend' } & Outcome)
  /** `cut`: records that can be read, behind the damage. They go, as does what was damaged after the checkpoint. */
  | ({ readonly kind: 'cut' } & Outcome)
  /**
   * Nothing reaches back to a checkpoint that can be read, or to the beginning: all of it goes, and the log begins anew
   * after `last`.
   */
  | { readonly kind: 'begin'; readonly last: Seq; readonly cut: readonly Seq[] }
  | { readonly kind: 'impossible'; readonly why: string }

interface Outcome {
  readonly state: PresentNamespace
  readonly cut: readonly Seq[]
}

/** What can be made of a namespace: the most that a checkpoint and an unbroken log after it give. */
export function planHubRepair(findings: HubFindings): HubRepairPlan {
  const { state, newest, damaged, isClosed, records } = findings
  if (state?.kind === 'removed') return { kind: 'whole' }
  // Without a seq that it ever had nobody knows where a new beginning would be safe.
  if (newest === 0 && findings.checkpoints.length === 0 && (state?.head ?? 0) === 0)
    return { kind: 'impossible', why: 'there is no record and no checkpoint of it that can be read' }
  const head = Math.max(state?.head ?? 0, newest, findings.checkpoints.at(-1) ?? 0)
  const start = bestStart(findings, head)
  if (start === null) return { kind: 'begin', last: head, cut: records.map(({ seq }) => seq) }
  const { checkpoint, end } = start
  // What lies below a known floor is left over from a trim.
  const floor = Math.max(floorOf(records, end), state?.floor ?? 0)
  const repaired = { kind: 'present', checkpoint, head: end, floor } as const
  if (end < head) {
    const cut = records.flatMap(({ seq }) => (seq > end ? [seq] : []))
    return { kind: 'cut', state: repaired, cut }
  }
  if (damaged.length === 0 && !isClosed && sameState(state, repaired)) return { kind: 'whole' }
  return { kind: 'mend', state: repaired, cut: [] }
}

/** The checkpoint from which the log goes furthest, the newest of several; 0 is the beginning of a whole log. */
function bestStart(
  { state, checkpoints, records }: HubFindings,
  head: Seq,
): { checkpoint: Seq; end: Seq } | null {
  const floor = state?.kind === 'present' ? state.floor : null
  // A log that was trimmed past a checkpoint lacks what came between the two.
  const reach = floor ?? records[0]?.prev ?? 0
  const candidates = checkpoints.filter((seq) => seq >= reach && seq <= head)
  // Without a state nobody knows whether something was dropped; a first record that follows none says that nothing was.
  if (floor === 0 || (floor === null && records[0]?.prev === 0)) candidates.unshift(0)
  let best: { checkpoint: Seq; end: Seq } | null = null
  for (const checkpoint of candidates.reverse()) {
    const end = unbrokenEnd(records, checkpoint)
    // Without a checkpoint and without a record there is nothing.
    if (end > (best?.end ?? 0)) best = { checkpoint, end }
  }
  return best
}

/** Up to where each record after `start` names the one before it. */
function unbrokenEnd(records: readonly FoundRecord[], start: Seq): Seq {
  let end = start
  for (const { seq, prev } of records) {
    if (seq <= start) continue
    if (prev !== end) break
    end = seq
  }
  return end
}

/** What came before the records that lead to `end` without a break; `end` itself where that one is not there. */
function floorOf(records: readonly FoundRecord[], end: Seq): Seq {
  let floor = end
  for (const { seq, prev } of records.toReversed()) if (seq === floor) floor = prev
  return floor
}

function sameState(state: NamespaceState | null, to: PresentNamespace): boolean {
  return (
    state?.kind === 'present' &&
    state.head === to.head &&
    state.floor === to.floor &&
    state.checkpoint === to.checkpoint
  )
}
