/**
 * Telling a store that it was restored from a backup: each log gets a record that says so, at a seq beyond every cursor that
 * replicas may have of what the log lost. From then on such a cursor is recognised however far the new log has come, and
 * its replica heals what is missing; without the record only one that is ahead of the log, or of another history, is.
 */
import {
  limits,
  SyncError,
  type Clock,
  type CrdtUpdates,
  type HubStore,
  type LostRange,
  type Namespace,
  type Seq,
} from '@rejoin/core'
import { lostAfter } from './healing.ts'
import { Marks } from './marks.ts'
import { openLog } from './opening.ts'
import { decodeRecord, encodeRecord, type HealRecord } from './record.ts'
import { decodeMarks } from './stored-marks.ts'
import { retrying } from './waiting.ts'

export type MarkedNamespace =
  | { readonly namespace: Namespace; readonly lost: LostRange; readonly error: null }
  /** It is damaged: nothing was written to it. */
  | { readonly namespace: Namespace; readonly lost: null; readonly error: SyncError }

/**
 * Call it once after each restore, before a hub opens the store: harmless where nothing was lost.
 * @param only these namespaces, which were repaired one by one; all of them where it is left out.
 * @throws SyncError STORE_UNAVAILABLE where others write without a pause, or what the store throws.
 */
export async function markRestored(
  store: HubStore,
  updates: CrdtUpdates,
  clock: Clock,
  only?: readonly Namespace[],
): Promise<readonly MarkedNamespace[]> {
  const marked: MarkedNamespace[] = []
  for (const namespace of only ?? (await retrying(clock, () => store.namespaces()))) {
    try {
      marked.push({ namespace, lost: await markNamespace(store, updates, clock, namespace), error: null })
    } catch (error) {
      if (!(error instanceof SyncError) || !isDamage(error)) throw error
      marked.push({ namespace, lost: null, error })
    }
  }
  return marked
}

/** Of which epoch and domain a record is, as it says itself. @throws SyncError STORE_CORRUPT, FORMAT_TOO_NEW */
export function recordPlace(body: Uint8Array, where: string): Pick<HealRecord, 'epoch' | 'domain'> {
  const { epoch, domain } = decodeRecord(body, where).record
  return { epoch, domain }
}

/** The same of a checkpoint's marks, whatever became of its snapshot. @throws SyncError STORE_CORRUPT, FORMAT_TOO_NEW */
export function marksPlace(bytes: Uint8Array, where: string): Pick<HealRecord, 'epoch' | 'domain'> {
  const { epoch, domain } = decodeMarks(bytes, where).marks
  return { epoch, domain }
}

/**
 * The first record of a log of which everything up to `last` is lost: it says so, and stands at `seq`, behind every cursor
 * of what was there. Replicas that have it bring it back.
 */
export function beginLost(
  { epoch, domain }: Pick<HealRecord, 'epoch' | 'domain'>,
  last: Seq,
  clock: Clock,
): { readonly seq: Seq; readonly bytes: Uint8Array } {
  const lost: LostRange = { after: 0, before: lostAfter(last).before }
  const record: HealRecord = { kind: 'heal', epoch, domain, lost, healed: null }
  const { bytes } = encodeRecord(Marks.begin(epoch, domain).head.tag, record, clock.now())
  return { seq: lost.before, bytes }
}

async function markNamespace(
  store: HubStore,
  updates: CrdtUpdates,
  clock: Clock,
  namespace: Namespace,
): Promise<LostRange> {
  for (let tries = 1; tries <= limits.storeAttemptsMax; tries++) {
    const { marks } = await retrying(clock, () => openLog(store, updates, namespace))
    if (marks === null) throw new SyncError('STORE_CORRUPT', `${namespace} has no record that can be read`)
    const { epoch, domain, head } = marks
    const lost = lostAfter(head.seq)
    const record: HealRecord = { kind: 'heal', epoch, domain, lost, healed: null }
    const { bytes } = encodeRecord(head.tag, record, clock.now())
    const result = await retrying(clock, () => store.append(namespace, head.seq, bytes, lost.before - 1))
    if (result.kind === 'appended') return lost
  }
  throw new SyncError('STORE_UNAVAILABLE', `others write to ${namespace}; stop them, and mark it again`)
}

function isDamage({ code }: SyncError): boolean {
  return code === 'STORE_CORRUPT' || code === 'FORMAT_TOO_NEW'
}
