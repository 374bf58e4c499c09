/** Receipts: what an app holds of a commit it made, until it is durable here and at the hub. */
import type { CommitId } from '@rejoin/core'
import { deferred, type Deferred } from './deferred.ts'

interface Promises {
  /**
   * Durable here. Rejects with STORE_UNAVAILABLE, STORE_FULL, STORE_CORRUPT or STORE_CLOSED when the first attempt to
   * save it failed: the commit stays in memory, is tried again, and `flush()` tells when it worked.
   */
  readonly saved: Promise<void>
  /**
   * Durable at the hub. Rejects with the hub's code when it was refused for good (see `replica.rejected`), and with
   * REPLICA_CLOSED when the replica was closed first (the commit stays in the outbox).
   */
  readonly acked: Promise<void>
}

export type Receipt =
  | ({ readonly kind: 'commit'; readonly id: CommitId } & Promises)
  /** The ops changed nothing, so there is no commit: both promises are resolved. */
  | ({ readonly kind: 'unchanged'; readonly id: null } & Promises)

export const unchangedReceipt: Receipt = {
  kind: 'unchanged',
  id: null,
  saved: Promise.resolve(),
  acked: Promise.resolve(),
}

/** The replica's side of a receipt. */
export class OpenReceipt {
  readonly saved: Deferred = deferred()
  readonly acked: Deferred = deferred()

  receiptOf(id: CommitId): Receipt {
    return { kind: 'commit', id, saved: this.saved.promise, acked: this.acked.promise }
  }
}
