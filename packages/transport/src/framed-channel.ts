/**
 * One channel of a connection: the `Channel` port over frames. It keeps what waits in both directions and counts what has
 * passed; when a frame leaves, its connection decides. How much may wait to be sent is the engine's to bound, by
 * `backlogBytes`; what waits to be received, the connection bounds.
 */
import { assert, type Bill, type Channel, type CloseReason } from '@rejoin/core'
import { encodeFrame } from './frames.ts'
import { Outbox, type Outgoing } from './outbox.ts'

/** What a message costs in memory beyond its bytes, roughly: a million empty ones are not free. */
const MESSAGE_OVERHEAD_BYTES = 64

/** What a channel asks of its connection. */
export interface Carrier<Send, Receive> {
  readonly side: 'replica' | 'hub'
  readonly oneShot: boolean
  encode(message: Send): Uint8Array
  /** What it holds packed; null: nothing. */
  unpack(message: Receive): Promise<Receive> | null
  /** A message cannot be unpacked. */
  fail(error: unknown): void
  /** The channel has frames to send. */
  ready(channel: FramedChannel<Send, Receive>): void
  /** By how much the bytes that wait to be received have changed. */
  inboxChanged(bytes: number): void
  /** By how much the bytes that wait to be sent have changed. */
  backlogChanged(bytes: number): void
  /** Acts once a closing channel has had its time; the returned function cancels. */
  afterBacklogTime(act: () => void): () => void
  /** Tells the peer at once, ahead of everything else, that the channel is over. */
  abandon(channel: FramedChannel<Send, Receive>, reason: CloseReason): void
  /** The channel is over for the peer; what it has received may still be read. */
  forget(channel: FramedChannel<Send, Receive>): void
}

export class FramedChannel<Send, Receive> implements Channel<Send, Receive> {
  readonly closed: Promise<CloseReason>
  /** Resolves once this side sends nothing more. */
  readonly ended: Promise<void>
  /** 0 until the first frame leaves, since the peer sees channels open in the order of their numbers. */
  number: number
  readonly #carrier: Carrier<Send, Receive>
  readonly #outbox = new Outbox()
  readonly #inbox: { readonly message: Receive; readonly bytes: number }[] = []
  #bytesUnderWay = 0
  /** Of the backlog, as its connection knows it. */
  #bytesTold = 0
  #bytesSent = 0
  #bytesReceived = 0
  #ended = false
  #peerEnded = false
  /** Why this side closes, while what it queued still leaves. */
  #closing: CloseReason | null = null
  #over = false
  #receiver: ((message: Receive | null) => void) | null = null
  readonly #drainers: (() => void)[] = []
  #resolveClosed: (reason: CloseReason) => void = () => {}
  #resolveEnded: () => void = () => {}
  #cancelDeadline: () => void = () => {}

  constructor(carrier: Carrier<Send, Receive>, number: number) {
    this.#carrier = carrier
    this.number = number
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve))
  }

  get oneShot(): boolean {
    return this.#carrier.oneShot
  }

  get backlogBytes(): number {
    return this.#outbox.bytes + this.#bytesUnderWay
  }

  get bill(): Bill {
    const sent = this.#bytesSent
    const received = this.#bytesReceived
    return this.#carrier.side === 'replica'
      ? { bytesUp: sent, bytesDown: received }
      : { bytesUp: received, bytesDown: sent }
  }

  send(message: Send): void {
    if (this.#mute) return
    this.#queue({ kind: 'message', payload: this.#carrier.encode(message) })
  }

  async drained(): Promise<void> {
    if (this.#allTaken || this.#over) return
    await new Promise<void>((resolve) => this.#drainers.push(resolve))
  }

  async receive(): Promise<Receive | null> {
    const next = this.#inbox.shift()
    if (next !== undefined) {
      this.#carrier.inboxChanged(-next.bytes)
      return this.#unpacked(next.message)
    }
    if (this.#peerEnded || this.#closing !== null || this.#over) return null
    assert(this.#receiver === null, 'one receive at a time')
    const message = await new Promise<Receive | null>((resolve) => (this.#receiver = resolve))
    return message === null ? null : this.#unpacked(message)
  }

  end(): void {
    if (this.#mute) return
    this.#ended = true
    this.#queue({ kind: 'end' })
    this.#resolveEnded()
  }

  close(reason: CloseReason = { code: null, message: 'closed' }): void {
    if (this.#closing !== null || this.#over) return
    this.#closing = reason
    this.#resolveEnded()
    this.#dropInbox()
    this.#giveNull()
    if (this.number === 0 && this.#outbox.empty) {
      this.finish(reason)
      return
    }
    // A peer that takes nothing does not keep this side from closing.
    this.#cancelDeadline = this.#carrier.afterBacklogTime(() => {
      this.#carrier.abandon(this, reason)
      this.finish(reason)
    })
    this.#queue({ kind: 'close', reason })
  }

  // From here on: what its connection calls.

  get hasFrames(): boolean {
    return !this.#outbox.empty
  }

  get midMessage(): boolean {
    return this.#outbox.midMessage
  }

  get fragmentNext(): boolean {
    return this.#outbox.fragmentNext
  }

  /** Encodes the next frame; there must be one. */
  nextFrame(): Uint8Array {
    const frame = encodeFrame(this.#outbox.next(this.number))
    this.#bytesSent += frame.length
    this.#bytesUnderWay += frame.length
    this.#tellBacklog()
    return frame
  }

  /** The network has taken a frame of `bytes`. */
  taken(bytes: number): void {
    if (this.#over) return
    this.#bytesUnderWay -= bytes
    this.#tellBacklog()
    if (!this.#allTaken) return
    this.#releaseDrainers()
    if (this.#closing !== null) this.finish(this.#closing)
    else this.#finishIfBothEnded()
  }

  /** A frame of `bytes` came in for this channel. */
  count(bytes: number): void {
    this.#bytesReceived += bytes
  }

  /** A message of `bytes` came in. */
  deliver(message: Receive, bytes: number): void {
    if (this.#closing !== null || this.#over) return
    const receiver = this.#receiver
    this.#receiver = null
    if (receiver !== null) {
      receiver(message)
      return
    }
    const weight = bytes + MESSAGE_OVERHEAD_BYTES
    this.#inbox.push({ message, bytes: weight })
    this.#carrier.inboxChanged(weight)
  }

  get peerEnded(): boolean {
    return this.#peerEnded
  }

  /** The peer sends nothing more. */
  endedByPeer(): void {
    this.#peerEnded = true
    this.#giveNull()
    this.#finishIfBothEnded()
  }

  /** Nothing more passes. Messages that came in before stay to be received, unless this side closed. */
  finish(reason: CloseReason): void {
    if (this.#over) return
    this.#over = true
    this.#cancelDeadline()
    this.#outbox.clear()
    this.#bytesUnderWay = 0
    this.#tellBacklog()
    this.#carrier.forget(this)
    this.#releaseDrainers()
    this.#giveNull()
    this.#resolveEnded()
    this.#resolveClosed(reason)
  }

  get #allTaken(): boolean {
    return this.backlogBytes === 0 && !this.hasFrames
  }

  get #mute(): boolean {
    return this.#ended || this.#closing !== null || this.#over
  }

  /** Only when it is taken, so that one message at a time is held so. Null where that shows that the peer is not to be heard. */
  #unpacked(message: Receive): Receive | Promise<Receive | null> {
    const unpacking = this.#carrier.unpack(message)
    if (unpacking === null) return message
    return unpacking.catch((error: unknown) => {
      this.#carrier.fail(error)
      return null
    })
  }

  #queue(outgoing: Outgoing): void {
    this.#outbox.push(outgoing)
    this.#tellBacklog()
    this.#carrier.ready(this)
  }

  #tellBacklog(): void {
    const bytes = this.backlogBytes - this.#bytesTold
    this.#bytesTold = this.backlogBytes
    if (bytes !== 0) this.#carrier.backlogChanged(bytes)
  }

  #finishIfBothEnded(): void {
    if (this.#ended && this.#peerEnded && this.#allTaken)
      this.finish({ code: null, message: 'both sides have ended' })
  }

  #dropInbox(): void {
    for (const { bytes } of this.#inbox.splice(0)) this.#carrier.inboxChanged(-bytes)
  }

  /** Whoever waits for a message hears that none comes. */
  #giveNull(): void {
    const receiver = this.#receiver
    this.#receiver = null
    receiver?.(null)
  }

  #releaseDrainers(): void {
    for (const drainer of this.#drainers.splice(0)) drainer()
  }
}
