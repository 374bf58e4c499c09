/** What a plan needs to know of a log: read for one replica, from marks that are as new as the store. */
import {
  type HubStore,
  type LogView,
  type LostRange,
  type Namespace,
  type ReplicaId,
  type Seq,
  type Standing,
} from '@rejoin/core'
import { LogGap, rebuildAt, walkLog, type TagAt } from './log.ts'
import { type OpenedLog } from './opening.ts'

/** Where a replica says it stands, and which one it is. */
export type ReplicaStanding = Standing & { readonly replica: ReplicaId }

/** Null while the namespace does not exist. @throws SyncError STORE_CORRUPT or what the store throws. */
export async function viewLog(
  store: HubStore,
  namespace: Namespace,
  { marks, floor, checkpoint }: Pick<OpenedLog, 'marks' | 'floor' | 'checkpoint'>,
  { cursor, replica }: Pick<ReplicaStanding, 'cursor' | 'replica'>,
  tagAtCursor: Exclude<TagAt, { kind: 'end' }>,
): Promise<LogView | null> {
  if (marks === null) return null
  // Marks of a room move on while the log is read.
  const { epoch, head, began, lost } = marks
  const mark = marks.counterOf(replica)
  const isOld = cursor !== null && cursor.epoch < epoch
  const isLater = cursor !== null && cursor.epoch > epoch
  return {
    epoch,
    head,
    began,
    // Somebody may have trimmed since it was opened: the store's own answer says which floor it was read above.
    floor: tagAtCursor.kind === 'gap' ? Math.max(floor, tagAtCursor.floor) : floor,
    checkpointSeq: checkpoint?.seq ?? null,
    tagAtCursor: tagAtCursor.kind === 'gap' ? null : tagAtCursor.tag,
    mark,
    lost,
    // Of interest to replicas of an older epoch alone, and of a later one: so nobody else costs a read.
    rebuild: isOld ? await rebuildAt(store, namespace, epoch, began) : null,
    isBare: isLater && (await isBare(store, namespace, lost, head.seq)),
  }
}

/** Whether nothing was logged since the last loss but what an operator said of it. */
async function isBare(
  store: HubStore,
  namespace: Namespace,
  lost: readonly LostRange[],
  head: Seq,
): Promise<boolean> {
  const last = lost.at(-1)
  if (last === undefined) return false
  try {
    for await (const { record, seq } of walkLog(store, namespace, { seq: last.after, tag: null })) {
      if (record.kind !== 'heal' || record.healed !== null) return false
      if (seq >= head) return true
    }
  } catch (error) {
    // What was trimmed was more than the one record that tells it.
    if (!(error instanceof LogGap)) throw error
  }
  return false
}
