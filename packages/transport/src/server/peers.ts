/**
 * How much one principal may have open and send, all its connections together; and how many of one address may be judged at
 * once, before it is known who they are (`HAZARDS.md` G7, G8). At a bound the newcomer is refused with RATE_LIMITED.
 */
import { limits, randomUnit, SyncError, type Clock, type SignIn } from '@rejoin/core'
import { defaultRates, Meter, type Rates } from './rates.ts'

export interface PeerLimits extends Rates {
  /** Sockets and requests of one principal at once. */
  readonly connections: number
  /** Sockets and requests of one address that are being judged. */
  readonly signIns: number
}

export const defaultPeerLimits: PeerLimits = {
  ...defaultRates,
  connections: limits.connectionsPerPrincipalMax,
  signIns: limits.signInsPerAddressMax,
}

/** Milliseconds after which a refused caller should try again: spread, so that not all come back at once. */
const RETRY_AFTER_MS = 1_000
/** Principals kept at rest before those are forgotten whose buckets are full again. */
const REST_MAX = 1_000

interface Peer {
  readonly meter: Meter
  connections: number
}

export class Peers {
  readonly #clock: Clock
  readonly #limits: PeerLimits
  /** By id of the principal. Who has left stays until its buckets are full: leaving does not fill them. */
  readonly #peers = new Map<string, Peer>()
  /** By address. */
  readonly #judged = new Map<string, number>()
  #resting = 0

  constructor(clock: Clock, given: Partial<PeerLimits> = {}) {
    this.#clock = clock
    this.#limits = { ...defaultPeerLimits, ...given }
  }

  /** Principals that are remembered. */
  get count(): number {
    return this.#peers.size
  }

  /** A caller is being judged until the returned function is called. @throws SyncError RATE_LIMITED */
  knock(address: string | null): () => void {
    const from = address ?? ''
    const count = this.#judged.get(from) ?? 0
    if (count >= this.#limits.signIns) throw this.#tooMany(`${count} callers of one address are signing in`)
    this.#judged.set(from, count + 1)
    return once(() => {
      const left = (this.#judged.get(from) ?? 0) - 1
      if (left > 0) this.#judged.set(from, left)
      else this.#judged.delete(from)
    })
  }

  /** A connection of a principal, until `leave`. @throws SyncError RATE_LIMITED */
  enter({ id }: SignIn): { readonly meter: Meter; readonly leave: () => void } {
    const peer = this.#peers.get(id) ?? this.#begin(id)
    if (peer.connections >= this.#limits.connections) {
      throw this.#tooMany(`${id} has ${peer.connections} connections open`)
    }
    if (peer.connections++ === 0) this.#resting--
    const leave = once(() => {
      if (--peer.connections === 0) this.#resting++
      if (this.#resting > REST_MAX) this.#forgetRested()
    })
    return { meter: peer.meter, leave }
  }

  #begin(id: string): Peer {
    const peer = { meter: new Meter(this.#limits, this.#clock), connections: 0 }
    this.#peers.set(id, peer)
    this.#resting++
    return peer
  }

  #forgetRested(): void {
    for (const [id, peer] of this.#peers) {
      if (peer.connections > 0 || !peer.meter.isFull) continue
      this.#peers.delete(id)
      this.#resting--
    }
  }

  #tooMany(why: string): SyncError {
    const retryAfterMs = Math.round(RETRY_AFTER_MS * (1 + randomUnit(this.#clock)))
    return new SyncError('RATE_LIMITED', `${why}: try again in ${retryAfterMs} ms`, { retryAfterMs })
  }
}

function once(act: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    act()
  }
}
