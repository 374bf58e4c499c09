/**
 * What stands in the database of one namespace, whole or damaged, and what can be made of it: read value by value past
 * every refusal, for `rejoin repair`. The decision is a value; `hub-mending.ts` carries it out. Nothing is written here.
 */
import { SyncError, type Namespace, type Seq } from '@rejoin/core'
import type { SealedDatabase } from '../sealed-database.ts'
import { isCorrupt, unseal } from '../sealed-value.ts'
import { seqOf } from '../seq-text.ts'
import { checkpointRanges, contentRanges, hubKeys, recordRange } from './hub-keys.ts'
import { decodeState, type NamespaceState, type PresentNamespace } from './namespace-state.ts'
import { decodeRecord } from './record-value.ts'

/** A record that can be read, and the one before it. */
export interface FoundRecord {
  readonly seq: Seq
  readonly prev: Seq
}

export interface CheckpointPart {
  readonly key: string
  readonly seq: Seq
  readonly part: 'marks' | 'snapshot'
}

export interface HubFindings {
  readonly namespace: Namespace
  /** Null where there is none that can be read. */
  readonly state: NamespaceState | null
  /** In rising order, without the damaged ones. */
  readonly records: readonly FoundRecord[]
  /** The highest seq of a record or a checkpoint of which anything is there, whole or not; 0 for none. */
  readonly newest: Seq
  /** Checkpoints of which both parts are whole, in rising order. */
  readonly checkpoints: readonly Seq[]
  /** The parts of checkpoints that can be read, also of halves. */
  readonly checkpointParts: readonly CheckpointPart[]
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
  const checkpointParts: CheckpointPart[] = []
  let newest = 0
  /** Null where it is damaged. */
  const opened = <T>(key: string, sealed: Uint8Array, read: (body: Uint8Array) => T): T | null => {
    try {
      return read(unseal(key, sealed))
    } catch (error) {
      if (!(error instanceof SyncError) || !isCorrupt(error)) throw error
      damaged.push(error)
      return null
    }
  }
  const stateKey = hubKeys.state(namespace)
  const sealedState = await database.sealed(stateKey)
  const state =
    sealedState === null ? null : opened(stateKey, sealedState, (body) => decodeState(stateKey, body))
  const [recordsOf, ...checkpointsOf] = contentRanges(namespace)
  for await (const [key, sealed] of database.sealedEntries(recordsOf ?? recordRange(namespace, 0))) {
    const record = opened(key, sealed, (body) => decodeRecord(key, body))
    newest = Math.max(newest, seqIn(key))
    if (record !== null) records.push({ seq: record.seq, prev: record.prev })
  }
  for (const range of checkpointsOf) {
    for await (const [key, sealed] of database.sealedEntries(range)) {
      newest = Math.max(newest, seqIn(key))
      if (opened(key, sealed, (body) => body) === null) continue
      const seq = seqOf(key)
      const part = key === hubKeys.marks(namespace, seq) ? 'marks' : 'snapshot'
      checkpointParts.push({ key, seq, part })
      parts.set(seq, (parts.get(seq) ?? 0) + 1)
    }
  }
  const checkpoints = [...parts].flatMap(([seq, count]) => (count === 2 ? [seq] : []))
  return {
    namespace,
    state,
    records,
    newest,
    checkpoints: checkpoints.sort((a, b) => a - b),
    checkpointParts,
    damaged,
    isClosed: (await database.sealed(hubKeys.damage(namespace))) !== null,
  }
}

/** Of all checkpoints that are there, also of one that was replaced and that nobody reads any more. */
export async function damagedCheckpoints(
  database: SealedDatabase,
  namespace: Namespace,
): Promise<readonly SyncError[]> {
  const damaged: SyncError[] = []
  for (const range of checkpointRanges(namespace, Number.MAX_SAFE_INTEGER)) {
    for await (const [key, sealed] of database.sealedEntries(range)) {
      try {
        unseal(key, sealed)
      } catch (error) {
        if (!(error instanceof SyncError) || !isCorrupt(error)) throw error
        damaged.push(error)
      }
    }
  }
  return damaged
}

/** The key of a damaged value may be damaged as well. */
function seqIn(key: string): Seq {
  const seq = seqOf(key)
  return Number.isSafeInteger(seq) ? seq : 0
}

/** What matches its checksum and yet makes no sense where it stands: found out by whoever reads what is in it. */
export interface Misfits {
  readonly records: ReadonlySet<Seq>
  readonly checkpoints: ReadonlySet<Seq>
}

export const noMisfits: Misfits = { records: new Set(), checkpoints: new Set() }

export type HubRepairPlan =
  /** Everything is whole, and nothing keeps it closed. */
  | { readonly kind: 'whole' }
  /** Nothing that can be read and that the newest checkpoint does not cover goes. */
  | ({ readonly kind: 'mend' } & Outcome)
  /** `cut`: records that can be read, behind the damage. They go, as does what was damaged after the checkpoint. */
  | ({ readonly kind: 'cut' } & Outcome)
  /**
   * Nothing reaches back to a checkpoint that can be read, or to the beginning: all of it goes, and the log begins anew
   * after `last`, the highest seq of which anything is known.
   */
  | { readonly kind: 'begin'; readonly last: Seq; readonly cut: readonly Seq[] }

interface Outcome {
  readonly state: PresentNamespace
  readonly cut: readonly Seq[]
}

/** What can be made of a namespace: the most that a checkpoint and an unbroken log after it give. */
export function planHubRepair(findings: HubFindings, misfits: Misfits = noMisfits): HubRepairPlan {
  const { state, newest, damaged, isClosed, records } = findings
  if (state?.kind === 'removed') return { kind: 'whole' }
  const head = Math.max(state?.head ?? 0, newest)
  const fitting = {
    state,
    records: records.filter(({ seq }) => !misfits.records.has(seq)),
    checkpoints: findings.checkpoints.filter((seq) => !misfits.checkpoints.has(seq)),
  }
  const start = bestStart(fitting, head)
  if (start === null) return beginning(findings, head)
  const { checkpoint, end } = start
  // What lies below a known floor is left over from a trim.
  const floor = Math.max(floorOf(fitting.records, end), state?.floor ?? 0)
  const repaired = { kind: 'present', checkpoint, head: end, floor } as const
  if (end < head) {
    const cut = records.flatMap(({ seq }) => (seq > end ? [seq] : []))
    return { kind: 'cut', state: repaired, cut }
  }
  if (damaged.length === 0 && !isClosed && sameState(state, repaired)) return { kind: 'whole' }
  return { kind: 'mend', state: repaired, cut: [] }
}

/** Also where nothing at all is there: it has been, since something says so. */
function beginning({ records }: HubFindings, last: Seq): HubRepairPlan {
  return { kind: 'begin', last, cut: records.map(({ seq }) => seq) }
}

/** The checkpoint from which the log goes furthest, the newest of several; 0 is the beginning of a whole log. */
function bestStart(
  { state, checkpoints, records }: Pick<HubFindings, 'state' | 'checkpoints' | 'records'>,
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
