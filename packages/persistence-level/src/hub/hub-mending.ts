/**
 * Carries out a repair's plan in one batch: the state that the plan says, without what it no longer names. What was damaged
 * is kept aside in the same batch; what is readable and goes has been saved elsewhere before, by whoever asks for this.
 */
import type { Namespace, Seq, SyncError } from '@rejoin/core'
import { corrupt } from '../sealed-value.ts'
import type { HubDraft } from './hub-draft.ts'
import { checkpointRanges, contentRanges, hubKeys, laterCheckpointRanges, recordRange } from './hub-keys.ts'
import type { NamespaceDamage } from './namespace-damage.ts'
import type { PresentNamespace } from './namespace-state.ts'
import { encodeRecord } from './record-value.ts'

/** Damaged values that one repair keeps aside in the database. */
const asideMax = 64

export interface HubMending {
  readonly namespace: Namespace
  /** Null: nothing of it stays, and it is as one that never was. */
  readonly state: PresentNamespace | null
  /** Readable records behind the new head. */
  readonly cut: readonly Seq[]
  readonly damaged: readonly SyncError[]
  /** Its log is to be told so: it counts among the `untold` from the same batch on, until `reopen`. */
  readonly mayHaveLost: boolean
  /** With which a log begins anew, at the head that `state` names. */
  readonly first?: Uint8Array
}

export async function stageMending(
  draft: HubDraft,
  damage: NamespaceDamage,
  { namespace, state, cut, damaged, mayHaveLost, first }: HubMending,
): Promise<void> {
  const stateKey = hubKeys.state(namespace)
  // What was lost without a trace is no value that could be kept.
  damage.close(draft, namespace, corrupt(stateKey, 'was made anew by a repair that did not come to its end'))
  for (const [i, error] of damaged.entries()) {
    if (error.path === null) continue
    if (i < asideMax) await damage.keepAside(draft, namespace, error.path, error)
    // The state is written anew.
    if (error.path !== stateKey) draft.delete(error.path)
  }
  for (const seq of cut) draft.delete(hubKeys.record(namespace, seq))
  if (first !== undefined && state !== null)
    draft.put(hubKeys.record(namespace, state.head), encodeRecord(0, first))
  draft.afterwards(() => damage.ended(namespace))
  if (state === null) {
    await draft.unstage(namespace)
    for (const range of contentRanges(namespace)) draft.obsolete(range)
    return
  }
  await draft.stage(namespace, state)
  if (mayHaveLost) draft.put(hubKeys.untold(namespace), new Uint8Array(0))
  // Below the floor nothing is read any more; above the checkpoint there may be half of one.
  draft.obsolete(recordRange(namespace, 0, state.floor))
  for (const range of checkpointRanges(namespace, state.checkpoint)) draft.obsolete(range)
  for (const range of laterCheckpointRanges(namespace, state.checkpoint)) draft.obsolete(range)
}
