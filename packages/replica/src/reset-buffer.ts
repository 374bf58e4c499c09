/** A document on its way: taken whole or not at all, and no larger than one message down may be (invariant 14). */
import { limits, SyncError, type Snapshot, type Tail } from '@rejoin/core'

export class ResetBuffer {
  #snapshot: Snapshot | null = null
  readonly #tails: Tail[] = []
  #bytes = 0

  get snapshot(): Snapshot | null {
    return this.#snapshot
  }

  get tails(): readonly Tail[] {
    return this.#tails
  }

  /** @throws SyncError MESSAGE_TOO_LARGE */
  take(message: Snapshot | Tail): void {
    if (message.type === 'Snapshot') {
      this.#snapshot = message
      this.#bytes += message.snapshot.length
    } else {
      this.#tails.push(message)
      this.#bytes += message.commits.reduce((sum, { update }) => sum + (update?.length ?? 0), 0)
    }
    if (this.#bytes <= limits.messageDownBytesMax) return
    throw new SyncError(
      'MESSAGE_TOO_LARGE',
      `a document of more than ${limits.messageDownBytesMax} bytes is not taken`,
    )
  }
}
