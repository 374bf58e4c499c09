/**
 * The way in, the same for sockets and requests: a caller knocks, is judged, and takes a seat, all of it counted. Nobody comes
 * in any more once it is closed.
 */
import type { IncomingMessage } from 'node:http'
import { SyncError, type CloseReason, type SignIn } from '@rejoin/core'
import type { Gate, HubRequest } from './gate.ts'
import type { Peers, Seat } from './peers.ts'

/** Who somebody was found to be. */
export interface Judged<Principal> {
  readonly principal: Principal | 'anonymous'
  /** Null: it is not known who it is, and what is counted is its address's. */
  readonly signIn: SignIn | null
}

export interface Guest<Principal> extends Judged<Principal> {
  readonly seat: Seat
  readonly from: string | null
}

export interface EntranceOptions<Principal> {
  readonly gate: Gate<Principal>
  readonly peers: Peers
  /** What is known of the sign-in of a principal; null where nothing is. */
  readonly signInOf: (principal: Principal) => SignIn | null
}

export class Entrance<Principal> {
  readonly #options: EntranceOptions<Principal>
  #closing: CloseReason | null = null

  constructor(options: EntranceOptions<Principal>) {
    this.#options = options
  }

  requestOf(request: IncomingMessage): HubRequest {
    return this.#options.gate.requestOf(request)
  }

  /** For upgrades whose refusal a page could not read later. @throws SyncError FORBIDDEN for a foreign origin. */
  checkOrigin(asking: HubRequest): void {
    this.#options.gate.checkOrigin(asking)
  }

  /** A caller is being judged until the returned function is called. @throws SyncError RATE_LIMITED, HUB_CLOSING */
  knock({ remoteAddress }: HubRequest): () => void {
    this.#refuseIfClosed()
    return this.#options.peers.knock(remoteAddress)
  }

  /** @throws SyncError HUB_CLOSING, or what the gate throws. */
  async judge(asking: HubRequest): Promise<Judged<Principal>> {
    const principal = await this.#options.gate.admit(asking)
    // It may have been closed meanwhile.
    this.#refuseIfClosed()
    return { principal, signIn: principal === 'anonymous' ? null : this.#options.signInOf(principal) }
  }

  /** Lets in whoever has knocked, until its seat is left. @throws SyncError as `judge`, and RATE_LIMITED */
  async admit(asking: HubRequest): Promise<Guest<Principal>> {
    const judged = await this.judge(asking)
    const from = asking.remoteAddress
    return { ...judged, seat: this.#options.peers.enter(judged.signIn, from), from }
  }

  /** A channel of a namespace, until the returned function is called. @throws SyncError RATE_LIMITED */
  join(namespace: string): () => void {
    return this.#options.peers.join(namespace)
  }

  close(reason: CloseReason): void {
    this.#closing = reason
  }

  #refuseIfClosed(): void {
    if (this.#closing !== null) throw new SyncError('HUB_CLOSING', this.#closing.message)
  }
}
