/** Receipts: what an app holds of a commit it made, until it is kept here and at the hub, and how well. */
import type { CommitId, Durability } from '@rejoin/core'
import { deferred, type Deferred } from './deferred.ts'

interface Promises {
  /**
   * Kept here, as the local store's answer stands for: `durable`, on the disk, or `applied` where it is opened to sync
   * later. Rejects with STORE_UNAVAILABLE, STORE_FULL, STORE_LOCKED, STORE_CORRUPT or STORE_CLOSED when the first attempt to
   * save it failed: the commit stays in memory, is tried again, and `flush()` tells when it worked.
   */
  readonly saved: Promise<Durability>
  /**
   * Kept at the hub, as the hub's word stands for. Rejects with the hub's code when it was refused for good (see
   * `replica.rejected`), and with REPLICA_CLOSED when the replica was closed first (the commit stays in the outbox).
   */
  readonly acked: Promise<Durability>
}

export type Receipt =
  | ({ readonly kind: 'commit'; readonly id: CommitId } & Promises)
  /**
   * The ops changed nothing, so there is no commit: it stands for the state that they repeat. `saved` resolves when everything
   * that was queued by then is recorded, and rejects like `flush()`. `acked` is that of the last commit in the outbox, whatever
   * that ends with; with an empty outbox it resolves at once to the level that the hub last told (`status.acked`), `applied`
   * where none has.
   */
  | ({ readonly kind: 'unchanged'; readonly id: null } & Promises)

/** The replica's side of a receipt. */
export class OpenReceipt {
  readonly saved: Deferred<Durability> = deferred()
  readonly acked: Deferred<Durability> = deferred()

  receiptOf(id: CommitId): Receipt {
    return { kind: 'commit', id, saved: this.saved.promise, acked: this.acked.promise }
  }
}
