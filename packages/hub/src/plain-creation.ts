/**
 * Begins a namespace's log for a plain Yjs client: a record without commits, so that its document has an epoch before
 * anything of it is taken. Whoever else begins it at the same moment was as good.
 */
import { ZERO_TAG, type Clock, type HubStore } from '@rejoin/core'
import { newEpoch } from './intake.ts'
import { encodeRecord } from './record.ts'
import { type Room } from './room.ts'
import { retrying } from './waiting.ts'

/** @throws SyncError why it could not be recorded. */
export async function createNamespace(
  { store, clock }: { readonly store: HubStore; readonly clock: Clock },
  room: Room,
  domain: string,
): Promise<void> {
  let isOthers = false
  await room.between(async () => {
    if (room.marks !== null) return
    const record = { kind: 'commits', epoch: newEpoch(clock), domain, commits: [] } as const
    const { bytes } = encodeRecord(ZERO_TAG, record, clock.now())
    const result = await retrying(clock, () => store.append(room.namespace, 0, bytes))
    isOthers = result.kind === 'moved'
  })
  // Somebody else began it, or it was removed, which opening tells.
  await (isOthers ? room.reopen() : room.look())
}
