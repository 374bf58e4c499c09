/**
 * What a plain Yjs client is answered: the document, read from the store for it and held against its state vector by `heavy`,
 * since a hub has none in memory. Read anew where the log is trimmed, or the document made anew, meanwhile.
 */
import { limits, SyncError, type Clock, type CrdtUpdates, type HubStore, type ItemRange } from '@rejoin/core'
import { documentBefore } from './document.ts'
import { type HeavyWork } from './heavy-work.ts'
import { LogGap } from './log.ts'
import { type Marks } from './marks.ts'
import { type Room } from './room.ts'
import { retrying } from './waiting.ts'

export interface PlainDocumentParts {
  readonly store: HubStore
  readonly updates: CrdtUpdates
  readonly heavy: HeavyWork
  readonly clock: Clock
}

/** Resolves when the room knows which items of its document are deleted. @throws SyncError as `readDocument` */
export async function learnDeletions(parts: PlainDocumentParts, room: Room): Promise<void> {
  await room.deletions.learn(async (): Promise<readonly ItemRange[]> => {
    const { bytes, marks } = await readDocument(parts, room)
    // Whoever has every item lacks nothing but word of the deletions.
    const update = await parts.heavy.diff(bytes, parts.updates.stateVector(marks.clocks))
    return parts.updates.inspectState(update).deleted
  })
}

/** The document up to a place in the log, which the room may not have read yet. @throws SyncError STORE_… */
export async function readDocument(
  { store, updates, clock }: Pick<PlainDocumentParts, 'store' | 'updates' | 'clock'>,
  room: Room,
): Promise<{ readonly bytes: readonly Uint8Array[]; readonly marks: Marks }> {
  for (let tries = 1; tries <= limits.storeAttemptsMax; tries++) {
    await room.opened()
    const { head } = room
    try {
      const found = await retrying(clock, () =>
        documentBefore(store, updates, room.namespace, head?.seq ?? null),
      )
      const { parts: bytes, marks } = found
      const isWhole = marks !== null && found.rebuild === null && marks.head.seq >= (head?.seq ?? 0)
      if (isWhole && marks.epoch === head?.epoch) return { bytes, marks }
    } catch (error) {
      if (!(error instanceof LogGap)) throw error
    }
    await room.look()
  }
  throw new SyncError('STORE_UNAVAILABLE', `${room.namespace}: its document is being made anew; try again`)
}
