/**
 * The catch-up of one channel, from `Welcome` to `CaughtUp`, and the live tail after it. A reset is gathered and taken
 * whole when it ends (invariant 9); anything else goes in as it comes.
 */
import { limits, SyncError, type CaughtUp, type Snapshot, type Tail, type Welcome } from '@rejoin/core'
import { broughtNothing, type Brought } from './inbound.ts'
import { ResetBuffer } from './reset-buffer.ts'
import type { SessionParts } from './session-parts.ts'

export class CatchUp {
  readonly #parts: SessionParts
  #isOver = false
  #reset: ResetBuffer | null = null
  /** The snapshot that this catch-up brought. */
  #snapshot: Uint8Array | null = null

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  /** Everything the hub had is here. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** What is under way is a reset. */
  get isReset(): boolean {
    return this.#reset !== null
  }

  begin({ path }: Welcome): void {
    this.#isOver = false
    this.#snapshot = null
    this.#reset = path === 'reset' ? new ResetBuffer() : null
  }

  /** @throws SyncError STORE_UNAVAILABLE, MESSAGE_TOO_LARGE, or what `Inbound.snapshot` throws. */
  snapshot(message: Snapshot): void {
    this.#checkRoom()
    if (this.#reset !== null) return this.#reset.take(message)
    this.#parts.inbound.snapshot(message)
    this.#snapshot = message.snapshot
  }

  /** @throws SyncError STORE_UNAVAILABLE, MESSAGE_TOO_LARGE, or what `Inbound.tail` throws. */
  tail(tail: Tail): Brought {
    this.#checkRoom()
    if (this.#reset === null) return this.#parts.inbound.tail(tail)
    this.#reset.take(tail)
    return broughtNothing
  }

  /** Settles; after a reset it recommits too. */
  end(message: CaughtUp): Brought {
    const { inbound } = this.#parts
    const [reset, snapshot] = [this.#reset, this.#snapshot]
    this.#reset = null
    this.#snapshot = null
    const brought =
      reset === null
        ? inbound.caughtUp(message, snapshot)
        : inbound.reset(reset.snapshot, reset.tails, message)
    this.#isOver = true
    return brought
  }

  /** While the store fails, what arrives waits in memory: up to the size of one message. */
  #checkRoom(): void {
    if (this.#parts.writes.bytes <= limits.messageDownBytesMax) return
    const why = 'too much waits for the store; the hub is asked again when it has recovered'
    throw new SyncError('STORE_UNAVAILABLE', why)
  }
}
