/**
 * Opening a namespace: its marks, as the checkpoint keeps them with the log after it folded in. A rebuild whose checkpoint
 * was never installed, because somebody crashed between the two, is completed here.
 */
import { SyncError, type CrdtUpdates, type HubStore, type Namespace, type Seq } from '@rejoin/core'
import { completeRebuild } from './complete-rebuild.ts'
import { foldEntry, readCheckpoint } from './document.ts'
import { inlineWork, type HeavyWork } from './heavy-work.ts'
import { LogGap, walkLog } from './log.ts'
import { type Marks } from './marks.ts'
import { corrupt } from './record.ts'
import { type RetainedLog } from './trimming.ts'

export interface OpenedLog {
  /** Null while the namespace does not exist. */
  readonly marks: Marks | null
  readonly floor: Seq
  /** The newest checkpoint, its sizes and the number of its client ids, or null. */
  readonly checkpoint: {
    readonly seq: Seq
    readonly snapshotBytes: number
    readonly marksBytes: number
    readonly clients: number
  } | null
  /** Bytes logged after the checkpoint. */
  readonly bytesAfter: number
  /** What is there up to the checkpoint, where it was measured. */
  readonly retained: RetainedLog | null
}

/** @throws SyncError NAMESPACE_DELETED for a removed namespace, STORE_CORRUPT, or what the store throws. */
export async function openLog(
  store: HubStore,
  updates: CrdtUpdates,
  namespace: Namespace,
  heavy: HeavyWork = inlineWork(updates),
): Promise<OpenedLog> {
  // Others may install checkpoints and trim behind them while we read; each time we start again further on.
  for (;;) {
    try {
      const opened = await foldLog(store, updates, namespace, heavy)
      if (opened !== 'again') return opened
    } catch (error) {
      if (!(error instanceof LogGap)) throw error
      const checkpoint = await store.checkpoint(namespace)
      if (checkpoint === null || checkpoint.seq < error.floor) {
        throw corrupt(`${namespace}: the log up to ${error.floor}`, 'was dropped without a checkpoint', error)
      }
    }
  }
}

async function foldLog(
  store: HubStore,
  updates: CrdtUpdates,
  namespace: Namespace,
  heavy: HeavyWork,
): Promise<OpenedLog | 'again'> {
  const state = await store.state(namespace)
  if (state === 'removed') {
    throw new SyncError(
      'NAMESPACE_DELETED',
      `${namespace} was deleted at this hub; what you have stays with you`,
    )
  }
  const checkpoint = await readCheckpoint(store, namespace)
  let marks = checkpoint?.stored.marks ?? null
  // The marks move on.
  const clients = marks?.clientCount ?? 0
  let bytesAfter = 0
  for await (const entry of walkLog(store, namespace, marks?.head ?? { seq: 0, tag: null })) {
    if (entry.record.kind === 'rebuild') {
      await completeRebuild(store, updates, namespace, heavy)
      return 'again'
    }
    marks = foldEntry(marks, entry, updates)
    bytesAfter += entry.bytes
  }
  const range = (await store.heads([namespace])).get(namespace)
  return {
    marks,
    floor: range?.floor ?? 0,
    checkpoint: checkpoint && {
      seq: checkpoint.seq,
      snapshotBytes: checkpoint.stored.snapshotBytes,
      marksBytes: checkpoint.marksBytes,
      clients,
    },
    bytesAfter,
    retained: null,
  }
}
