/** One end of a connection in the world: what it sends waits here until the network carries it over. */
import type { CloseReason } from '@rejoin/core'
import type { Socket, SocketHandler } from '@rejoin/transport'

type Parcel =
  | { readonly kind: 'frame'; readonly bytes: Uint8Array; readonly taken: () => void; readonly sent: number }
  | { readonly kind: 'close'; readonly reason: CloseReason; readonly sent: number }

export class LinkEnd implements Socket {
  readonly pausable = true
  readonly #nextSent: () => number
  readonly #parcels: Parcel[] = []
  #handler: SocketHandler | null = null
  #paused = false
  #over = false

  /** `nextSent` numbers everything that is sent in the world. */
  constructor(nextSent: () => number) {
    this.#nextSent = nextSent
  }

  get isOver(): boolean {
    return this.#over
  }

  get isPaused(): boolean {
    return this.#paused
  }

  /** Number of the oldest parcel under way, or null. */
  get oldest(): number | null {
    return this.#parcels[0]?.sent ?? null
  }

  handle(handler: SocketHandler): void {
    this.#handler = handler
  }

  send(bytes: Uint8Array, taken: () => void): void {
    if (!this.#over) this.#parcels.push({ kind: 'frame', bytes, taken, sent: this.#nextSent() })
  }

  close(reason: CloseReason): void {
    if (!this.#over) this.#parcels.push({ kind: 'close', reason, sent: this.#nextSent() })
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
  }

  /** Carries the oldest parcel over to `peer`; one that is over hears nothing. */
  carryTo(peer: LinkEnd): void {
    const parcel = this.#parcels.shift()
    if (parcel === undefined) return
    if (parcel.kind === 'close') {
      this.lose(parcel.reason)
      peer.lose(parcel.reason)
      return
    }
    parcel.taken()
    if (!peer.#over) peer.#handler?.frame(parcel.bytes)
  }

  /** What is under way is lost. */
  drop(): void {
    this.#parcels.length = 0
  }

  /** The process at this end is gone, and with it what it had to send. */
  kill(): void {
    this.#over = true
    this.#parcels.length = 0
  }

  /** This end is told that the connection is gone; what it sent may still be under way. */
  lose(reason: CloseReason): void {
    if (this.#over) return
    this.#over = true
    this.#handler?.closed(reason)
  }
}
