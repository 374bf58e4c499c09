/** Presence on one live channel: said now and every `limits.heartbeatMs`; heard, or left out where it cannot be read. */
import { limits } from '@rejoin/core'
import type { SessionParts } from './session-parts.ts'

export class Presence {
  readonly #parts: SessionParts
  readonly #over: AbortSignal
  #renewing = false

  constructor(parts: SessionParts, over: AbortSignal) {
    this.#parts = parts
    this.#over = over
  }

  /** Says that we are here until the session is over; begun once. */
  async renew(): Promise<void> {
    if (this.#renewing) return
    this.#renewing = true
    while (!this.#over.aborted) {
      this.#parts.awareness.renew()
      await this.#parts.clock.sleep(limits.heartbeatMs, this.#over)
    }
  }

  /** Presence is no content: what cannot be read ends no session. */
  take(update: Uint8Array): void {
    try {
      this.#parts.awareness.apply(update)
    } catch (error) {
      this.#parts.log(`presence was left out: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}
