/** When written batches are brought to the disk, and what an answer stands for under each policy. */
import type { Clock, Durability } from '@rejoin/core'

/**
 * `each batch` (the default): before it is answered, so that nothing acknowledged is lost with the power. `everyMs`: at
 * the latest so many milliseconds after the first batch that is not. `never`: when the system likes, and on closing. What
 * a process that dies has written is kept under all three.
 */
export type SyncPolicy =
  | 'each batch'
  | 'never'
  | { readonly everyMs: number; readonly clock: Pick<Clock, 'sleep'> }

export function durabilityOf(policy: SyncPolicy): Durability {
  return policy === 'each batch' ? 'durable' : 'applied'
}
