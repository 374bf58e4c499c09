/** A document on its way: taken whole or not at all, and no larger than one message down may be (invariant 14). */
import { limits, SyncError, type Rebuild, type Snapshot, type Tail, type TailCommit } from '@rejoin/core'

export class ResetBuffer {
  #snapshot: Snapshot | null = null
  #rebuild: Rebuild | null = null
  readonly #tails: Tail[] = []
  #bytes = 0

  get snapshot(): Snapshot | null {
    return this.#snapshot
  }

  /** What is to be made here, unless a snapshot has come after all. */
  get rebuild(): Rebuild | null {
    return this.#snapshot === null ? this.#rebuild : null
  }

  get tails(): readonly Tail[] {
    return this.#tails
  }

  get commits(): readonly TailCommit[] {
    return this.#tails.flatMap(({ commits }) => commits)
  }

  /**
   * The bytes after the snapshot.
   * @throws SyncError MESSAGE_UNEXPECTED where a commit came without its own.
   */
  get updates(): readonly Uint8Array[] {
    return this.commits.flatMap(({ replica, counter, update }) => {
      if (update !== null) return update.length > 0 ? [update] : []
      const why = `a reset names ${replica}:${counter} without its bytes; reconnecting`
      throw new SyncError('MESSAGE_UNEXPECTED', why)
    })
  }

  /** @throws SyncError MESSAGE_TOO_LARGE */
  take(message: Snapshot | Tail | Rebuild): void {
    if (message.type === 'Rebuild') this.#rebuild = message
    else if (message.type === 'Snapshot') {
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
