/**
 * A replica and a hub in one process: the same frames and codec as on a network, delivered in microtasks, with a hand on
 * the wire for tests: frames held, frames swallowed, the connection cut. No time passes in it.
 */
import {
  SyncError,
  type Clock,
  type CloseReason,
  type Dial,
  type HubChannel,
  type ReplicaChannel,
} from '@rejoin/core'
import { hubConnection, replicaConnection } from './sides.ts'
import type { Socket, SocketHandler } from './socket.ts'

export type Direction = 'up' | 'down'

/** A hand on the wire. */
export interface MemoryWire {
  /** Frames of this direction wait until `release`. */
  hold(direction: Direction): void
  release(direction: Direction): void
  /** From now on frames of this direction are taken and never arrive, as on a half-open link, until the wire is cut. */
  swallow(direction: Direction): void
  /** The connection is lost for both sides, with all that is under way. */
  cut(): void
}

export interface MemoryConnection extends MemoryWire {
  /** Opens a channel; the hub's end appears with its first message. @throws SyncError CHANNEL_CLOSED once it is cut. */
  open(): ReplicaChannel
  readonly isOpen: boolean
}

export function memoryConnection(options: {
  readonly clock: Clock
  readonly accept: (channel: HubChannel) => void
}): MemoryConnection {
  const { clock, accept } = options
  const [near, far] = [new MemorySocket(), new MemorySocket()]
  near.peer = far
  far.peer = near
  hubConnection(far, clock, accept)
  const connection = replicaConnection(near, clock, {}, 'plain')
  const senderOf = (direction: Direction) => (direction === 'up' ? near : far)
  return {
    open: () => connection.open(),
    get isOpen() {
      return connection.isOpen
    },
    hold: (direction) => senderOf(direction).hold(),
    release: (direction) => senderOf(direction).release(),
    swallow: (direction) => senderOf(direction).swallow(),
    cut: () => {
      const reason = { code: null, message: 'the connection was cut' }
      near.lose(reason)
      far.lose(reason)
    },
  }
}

export interface MemoryHub extends MemoryWire {
  readonly dial: Dial
  /** While true, every dial fails with HUB_UNREACHABLE; the standing connection is cut. */
  unreachable(is: boolean): void
}

/** A hub in this process: all dials share one connection until it is cut. The hands act on the standing one. */
export function memoryDial(options: {
  readonly clock: Clock
  readonly accept: (channel: HubChannel) => void
}): MemoryHub {
  let connection = memoryConnection(options)
  let reachable = true
  return {
    dial: async (signal) => {
      if (!reachable || signal.aborted)
        throw new SyncError('HUB_UNREACHABLE', 'no hub answers in this process')
      if (!connection.isOpen) connection = memoryConnection(options)
      return connection.open()
    },
    unreachable: (is) => {
      reachable = !is
      if (is) connection.cut()
    },
    hold: (direction) => connection.hold(direction),
    release: (direction) => connection.release(direction),
    swallow: (direction) => connection.swallow(direction),
    cut: () => connection.cut(),
  }
}

type Parcel =
  | { readonly kind: 'frame'; readonly bytes: Uint8Array; readonly taken: () => void }
  | { readonly kind: 'close'; readonly reason: CloseReason }

/** One end: what it sends waits here until a microtask carries it to its peer. */
class MemorySocket implements Socket {
  readonly pausable = true
  peer: MemorySocket | null = null
  #handler: SocketHandler | null = null
  readonly #parcels: Parcel[] = []
  #held = false
  #swallowing = false
  #paused = false
  #scheduled = false
  #over = false

  handle(handler: SocketHandler): void {
    this.#handler = handler
  }

  send(bytes: Uint8Array, taken: () => void): void {
    this.#post({ kind: 'frame', bytes, taken })
  }

  close(reason: CloseReason): void {
    this.#post({ kind: 'close', reason })
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.peer?.schedule()
  }

  hold(): void {
    this.#held = true
  }

  release(): void {
    this.#held = false
    this.schedule()
  }

  swallow(): void {
    this.#swallowing = true
  }

  lose(reason: CloseReason): void {
    if (this.#over) return
    this.#over = true
    this.#parcels.length = 0
    this.#handler?.closed(reason)
  }

  schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#step()
    })
  }

  #post(parcel: Parcel): void {
    if (this.#over) return
    this.#parcels.push(parcel)
    this.schedule()
  }

  /** One parcel a microtask, so that both directions and their readers take turns. */
  #step(): void {
    if (this.#held || this.peer === null || this.peer.#paused || this.#over) return
    const parcel = this.#parcels.shift()
    if (parcel === undefined) return
    if (parcel.kind === 'close') {
      const { peer } = this
      this.lose(parcel.reason)
      if (!this.#swallowing) peer.lose(parcel.reason)
      return
    }
    parcel.taken()
    if (!this.#swallowing) this.peer.#handler?.frame(parcel.bytes)
    this.schedule()
  }
}
