/** When a data folder brings what is written to the disk, as an app chooses it; with the machine's clock as the store asks for it. */
import { SyncError } from '@rejoin/core'
import type { SyncPolicy } from '@rejoin/persistence-level/node'
import { systemClock } from './system-clock.ts'

/**
 * `each batch`: before it is answered, so that what is saved or acknowledged outlives a power cut. `everyMs`: at the latest so
 * many milliseconds later, 1 to 60,000. `never`: when the system likes, and on closing. Under the latter two answers stand
 * for `applied`: they outlive this process, and a power cut may take what was not synced.
 */
export type SyncChoice = 'each batch' | 'never' | { readonly everyMs: number }

/** A minute: who can lose more leaves it to the system. */
export const everyMsMax = 60_000

/** @throws SyncError INPUT_INVALID */
export function syncPolicyOf(choice: SyncChoice = 'each batch'): SyncPolicy {
  if (choice === 'each batch' || choice === 'never') return choice
  // An app without types may have said anything.
  const everyMs: unknown = (choice as Partial<{ everyMs: unknown }> | null)?.everyMs
  if (typeof everyMs === 'number' && Number.isSafeInteger(everyMs) && everyMs >= 1 && everyMs <= everyMsMax)
    return { everyMs, clock: systemClock }
  throw new SyncError(
    'INPUT_INVALID',
    `sync is 'each batch', 'never' or { everyMs } with a whole number of milliseconds from 1 to ${everyMsMax}`,
  )
}
