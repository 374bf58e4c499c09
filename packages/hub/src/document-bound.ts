/**
 * How large a document may become at this hub, by what is known of it without decoding it: the bytes of its newest snapshot
 * and marks, of the records logged since, and of what waits for its append. At the bound what adds something is refused, to be sent again
 * later, and the log is folded, which often makes room. What only removes is let in, or nobody could make any; readers, tails
 * and checkpoints go on.
 */
import { limits, SyncError, type Namespace } from '@rejoin/core'
import { type Admission } from './admission.ts'
import { type KnownLog } from './known-log.ts'

type Admitted = Pick<Extract<Admission, { kind: 'admitted' }>, 'inserted'> & {
  readonly commit: { readonly update: Uint8Array }
}

/** With room for what a hub takes in beyond the bound, so that a snapshot of it still fits a message. */
const BYTES_CEILING = limits.messageDownBytesMax - limits.messageUpBytesMax

export class DocumentBound {
  readonly #namespace: Namespace
  readonly #log: KnownLog
  readonly #bytesMax: number
  readonly #onFull: () => void

  /** @param onFull is told whenever something is refused. */
  constructor(namespace: Namespace, log: KnownLog, bytesMax: number, onFull: () => void) {
    this.#namespace = namespace
    this.#log = log
    this.#bytesMax = bytesMax
    this.#onFull = onFull
  }

  /**
   * Why a commit that passed every other check is refused, or null.
   * @param waitingBytes of updates that were admitted before it and are not logged yet.
   */
  refusalOf({ commit, inserted }: Admitted, waitingBytes: number): SyncError | null {
    const bytes = commit.update.length
    const held = this.#log.checkpointBytes + this.#log.bytesAfterCheckpoint + waitingBytes
    if (held + bytes <= this.#bytesMax || inserted.length === 0) return null
    this.#onFull()
    const what = `${this.#namespace} holds ${held} of at most ${this.#bytesMax} bytes, and the commit adds ${bytes}`
    const how =
      'remove what is not needed any more, or have the hub rebuild it or raise its limit (documentBytes)'
    return new SyncError(
      'DOCUMENT_TOO_LARGE',
      `${what}; it is kept and sent again, as soon as there is room: ${how}`,
    )
  }
}

/** @throws SyncError INPUT_INVALID */
export function documentBytesMaxOf(bytes: number = limits.documentBytesMax): number {
  if (Number.isInteger(bytes) && bytes >= 1 && bytes <= BYTES_CEILING) return bytes
  throw new SyncError(
    'INPUT_INVALID',
    `a document has from 1 to ${BYTES_CEILING} bytes at most, so that a snapshot of it fits a message, not ${bytes}`,
  )
}
