/**
 * One-shot exchanges, as over HTTP: everything up is one request, everything down its answer. A request may get lost, arrive
 * twice, or late, when nobody waits for its answer any more; and so may an answer.
 */
import { limits, type Clock, type CloseReason, type HubChannel, type ReplicaChannel } from '@rejoin/core'
import { hubConnection, replicaConnection, type Socket, type SocketHandler } from '@rejoin/transport'

type Parcel =
  | { readonly kind: 'request'; readonly frames: readonly Uint8Array[]; readonly sent: number }
  | {
      readonly kind: 'answer'
      readonly frames: readonly Uint8Array[]
      readonly reason: CloseReason
      readonly sent: number
    }

export interface OneShotParts {
  readonly replica: number
  readonly hub: number
  /** Of the two processes. */
  readonly clock: Clock
  readonly hubClock: () => Clock
  /** Takes the request in at the hub of the moment; null: none answers there. */
  readonly accept: () => ((channel: HubChannel) => void) | null
  readonly nextSent: () => number
}

export class OneShotWire {
  readonly replica: number
  readonly hub: number
  readonly #parts: OneShotParts
  readonly #near: NearSocket
  readonly #up: Parcel[] = []
  readonly #down: Parcel[] = []
  readonly #far = new Set<FarSocket>()

  constructor(parts: OneShotParts) {
    this.#parts = parts
    this.replica = parts.replica
    this.hub = parts.hub
    this.#near = new NearSocket(parts.clock)
  }

  /** The one channel of it. */
  open(): ReplicaChannel {
    const connection = replicaConnection(this.#near, this.#parts.clock, { oneShot: true }, 'plain')
    const channel = connection.open()
    void channel.ended.then(async () => {
      await channel.drained()
      const frames = this.#near.post()
      if (frames !== null) this.#up.push({ kind: 'request', frames, sent: this.#parts.nextSent() })
    })
    return channel
  }

  /** Nobody waits for it, and nothing of it is under way. */
  get isDead(): boolean {
    return this.#near.isOver && this.#up.length === 0 && this.#down.length === 0 && this.#far.size === 0
  }

  oldest(direction: 'up' | 'down'): number | null {
    return (direction === 'up' ? this.#up : this.#down)[0]?.sent ?? null
  }

  carry(direction: 'up' | 'down'): void {
    const parcel = (direction === 'up' ? this.#up : this.#down).shift()
    if (parcel?.kind === 'request') this.#arrive(parcel.frames)
    else if (parcel !== undefined) void this.#near.answer(parcel.frames, parcel.reason)
  }

  /** The oldest parcel of that direction gets lost, or will arrive twice; false where there is none. */
  strike(direction: 'up' | 'down', how: 'lost' | 'twice'): boolean {
    const parcels = direction === 'up' ? this.#up : this.#down
    const [parcel] = parcels
    if (parcel === undefined) return false
    if (how === 'lost') parcels.shift()
    else parcels.push({ ...parcel, sent: this.#parts.nextSent() })
    return true
  }

  /** The process at that end is killed; the other one hears nothing but what time tells. */
  kill(end: 'near' | 'far'): void {
    if (end === 'near') this.#near.kill()
    else {
      for (const socket of this.#far) socket.kill()
      this.#far.clear()
    }
  }

  /** Whoever still waits is told that nothing comes. */
  cut(): void {
    this.#up.length = 0
    this.#down.length = 0
    for (const socket of this.#far) socket.lose(broken)
    this.#far.clear()
    this.#near.lose(broken)
  }

  #arrive(frames: readonly Uint8Array[]): void {
    const accept = this.#parts.accept()
    if (accept === null) {
      this.#near.lose(broken)
      return
    }
    const clock = this.#parts.hubClock()
    const socket = new FarSocket((answered, reason) => {
      if (!this.#far.delete(socket)) return
      this.#down.push({ kind: 'answer', frames: answered, reason, sent: this.#parts.nextSent() })
    })
    this.#far.add(socket)
    const connection = hubConnection(socket, clock, accept, {
      onIdle: () => connection.close({ code: null, message: 'the exchange is done' }),
      oneShot: true,
    })
    void socket.read(frames).then(() => connection.endedByPeer())
    void clock.sleep(2 * limits.answerMsMax).then(() => socket.lose(stoodStill))
  }
}

const broken: CloseReason = { code: null, message: 'the connection broke' }
const stoodStill: CloseReason = { code: 'TIMED_OUT', message: 'the exchange stood still' }

abstract class PausableSocket implements Socket {
  readonly pausable = true
  protected handler: SocketHandler | null = null
  protected over = false
  #paused = false
  #resumed: () => void = () => {}

  get isOver(): boolean {
    return this.over
  }

  handle(handler: SocketHandler): void {
    this.handler = handler
  }

  abstract send(frame: Uint8Array, taken: () => void): void
  abstract close(reason: CloseReason): void

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#resumed()
  }

  kill(): void {
    this.over = true
  }

  lose(reason: CloseReason): void {
    if (this.over) return
    this.over = true
    this.handler?.closed(reason)
    this.#resumed()
  }

  protected async giveAll(frames: readonly Uint8Array[]): Promise<void> {
    for (const frame of frames) {
      if (this.over) return
      this.handler?.frame(frame)
      while (this.#paused && !this.over) await new Promise<void>((resolve) => (this.#resumed = resolve))
    }
  }
}

class NearSocket extends PausableSocket {
  readonly #clock: Clock
  readonly #frames: Uint8Array[] = []
  #posted = false

  constructor(clock: Clock) {
    super()
    this.#clock = clock
  }

  send(frame: Uint8Array, taken: () => void): void {
    queueMicrotask(taken)
    if (!this.#posted) this.#frames.push(frame)
  }

  close(reason: CloseReason): void {
    this.lose(reason)
  }

  /** The request's frames; null where it was given up before. */
  post(): readonly Uint8Array[] | null {
    if (this.over || this.#posted) return null
    this.#posted = true
    const message = `no hub answers in ${limits.answerMsMax} ms`
    void this.#clock.sleep(limits.answerMsMax).then(() => this.lose({ code: 'HUB_UNREACHABLE', message }))
    return this.#frames
  }

  async answer(frames: readonly Uint8Array[], reason: CloseReason): Promise<void> {
    await this.giveAll(frames)
    this.lose({ code: reason.code, message: `the answer ended: ${reason.message}` })
  }
}

class FarSocket extends PausableSocket {
  readonly #frames: Uint8Array[] = []
  readonly #answered: (frames: readonly Uint8Array[], reason: CloseReason) => void

  constructor(answered: (frames: readonly Uint8Array[], reason: CloseReason) => void) {
    super()
    this.#answered = answered
  }

  send(frame: Uint8Array, taken: () => void): void {
    if (this.over) return
    this.#frames.push(frame)
    queueMicrotask(taken)
  }

  close(reason: CloseReason): void {
    if (this.over) return
    this.over = true
    this.#answered(this.#frames, reason)
  }

  override lose(reason: CloseReason): void {
    if (this.over) return
    super.lose(reason)
    this.#answered(this.#frames, reason)
  }

  read(frames: readonly Uint8Array[]): Promise<void> {
    return this.giveAll(frames)
  }
}
