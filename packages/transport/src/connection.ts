/**
 * Many channels over one socket, fairly: channels take turns frame by frame, and what the network has not taken stays with
 * its channel. Every wait here is bounded (invariant 14): what waits to be received pauses the socket, an unfinished
 * message has a size and a time, and anything malformed closes this connection, with a reason, and no other.
 */
import { limits, SyncError, type Clock, type CloseReason, type ErrorCode } from '@rejoin/core'
import { Reassembly } from './assembly.ts'
import { FramedChannel, type Carrier } from './framed-channel.ts'
import { decodeFrame, encodeFrame, type Frame } from './frames.ts'
import { after, type Socket } from './socket.ts'

/** Bytes given to a socket and not yet taken by the network: enough to keep it busy, little enough to stay fair. */
const UNDER_WAY_BYTES_MAX = 4 * limits.frameBytesMax
/** Bytes of received messages that may wait, all channels together, before the socket is paused. */
const INBOX_BYTES_PAUSE = limits.backlogBytesMax
/** The same where the socket cannot be paused: a browser has them in memory by then, so one whole message down. */
const INBOX_BYTES_MAX = limits.messageDownBytesMax

export interface ConnectionOptions<Send, Receive> {
  readonly socket: Socket
  readonly clock: Clock
  readonly side: 'replica' | 'hub'
  readonly encode: (message: Send) => Uint8Array
  readonly decode: (payload: Uint8Array) => Receive
  /** What a message holds packed, once somebody takes it; null from it, or for it: nothing. */
  readonly unpack: ((message: Receive) => Promise<Receive> | null) | null
  /** Bytes of one message received. */
  readonly messageBytesMax: number
  readonly oneShot: boolean
  /** What a channel's owner hears when the socket is lost without a reason. */
  readonly lost: ErrorCode
  /** Called for each channel that the peer opens; null where it may not. */
  readonly onChannel: ((channel: FramedChannel<Send, Receive>) => void) | null
  /** Called each time that the last channel has gone. */
  readonly onIdle: () => void
  /** Called once, when everything is over. */
  readonly onClosed: (reason: CloseReason) => void
  /** Called with an error that only a bug on this side explains. */
  readonly onFault: (error: unknown) => void
  /** Hears how many bytes of an unfinished message are held more, or less; a SyncError that it throws closes the connection. */
  readonly hold: (bytes: number) => void
  /** Hears by how much the bytes that wait to be sent have changed, all channels together. */
  readonly onBacklog: (bytes: number) => void
}

export class Connection<Send, Receive> implements Carrier<Send, Receive> {
  readonly side: 'replica' | 'hub'
  readonly oneShot: boolean
  readonly encode: (message: Send) => Uint8Array
  readonly #options: ConnectionOptions<Send, Receive>
  readonly #socket: Socket
  /** By number, and those that have none yet. */
  readonly #channels = new Map<number, FramedChannel<Send, Receive>>()
  readonly #unnumbered = new Set<FramedChannel<Send, Receive>>()
  /** Channels with frames to send, in the order of their turns. */
  readonly #turns: FramedChannel<Send, Receive>[] = []
  #lastNumber = 0
  #bytesUnderWay = 0
  #pumping = false
  #inboxBytes = 0
  #paused = false
  readonly #reassembly: Reassembly
  #framesReceived = 0
  #leaving: CloseReason | null = null
  #over = false

  constructor(options: ConnectionOptions<Send, Receive>) {
    this.#options = options
    this.#socket = options.socket
    this.side = options.side
    this.oneShot = options.oneShot
    this.encode = options.encode
    const late = (reason: CloseReason): void => this.close(reason)
    this.#reassembly = new Reassembly(options.clock, options.messageBytesMax, late, options.hold)
    options.socket.handle({
      frame: (bytes) => this.#receive(bytes),
      closed: (reason) => this.#finish(reason.code === null ? { ...reason, code: options.lost } : reason),
    })
  }

  get isOpen(): boolean {
    return !this.#over && this.#leaving === null
  }

  get channelCount(): number {
    return this.#channels.size + this.#unnumbered.size
  }

  get isFull(): boolean {
    return this.channelCount >= limits.roomsPerConnectionMax
  }

  /** Frames received so far: a silent hub is told by it. */
  get framesReceived(): number {
    return this.#framesReceived
  }

  get isPaused(): boolean {
    return this.#paused
  }

  /** @throws SyncError CHANNEL_CLOSED, or RATE_LIMITED at `limits.roomsPerConnectionMax` channels. */
  open(): FramedChannel<Send, Receive> {
    if (!this.isOpen) throw new SyncError('CHANNEL_CLOSED', 'the connection is closed: dial again')
    if (this.isFull) throw tooManyChannels()
    const channel = new FramedChannel<Send, Receive>(this, 0)
    this.#unnumbered.add(channel)
    return channel
  }

  /** Tells the peer that this side is alive. */
  beat(): void {
    if (!this.#over) this.#socket.send(encodeFrame({ kind: 'beat', channel: 0 }), () => {})
  }

  /** Ends every channel with `reason` and closes the socket with it; what no frame holds yet is lost. */
  close(reason: CloseReason): void {
    if (this.#over) return
    this.#finish(reason)
    this.#socket.close(reason)
  }

  /** Closes every channel with `reason`, each after what it still sends, and then the socket. */
  closeSoftly(reason: CloseReason): void {
    if (this.#over) return
    this.#leaving = reason
    for (const channel of [...this.#channels.values(), ...this.#unnumbered]) channel.close(reason)
    if (this.channelCount === 0) this.close(reason)
  }

  /** The peer can send nothing more on any channel. */
  endedByPeer(): void {
    for (const channel of this.#channels.values()) if (!channel.peerEnded) channel.endedByPeer()
  }

  unpack(message: Receive): Promise<Receive> | null {
    return this.#options.unpack?.(message) ?? null
  }

  ready(channel: FramedChannel<Send, Receive>): void {
    if (!this.#turns.includes(channel)) this.#turns.push(channel)
    this.#pump()
  }

  inboxChanged(bytes: number): void {
    this.#inboxBytes += bytes
    if (this.#over) return
    if (!this.#socket.pausable) {
      if (this.#inboxBytes > INBOX_BYTES_MAX) this.close(tooSlow(this.#inboxBytes))
    } else if (!this.#paused && this.#inboxBytes > INBOX_BYTES_PAUSE) {
      this.#paused = true
      this.#socket.pause()
    } else if (this.#paused && this.#inboxBytes <= INBOX_BYTES_PAUSE / 2) {
      this.#paused = false
      this.#socket.resume()
    }
  }

  backlogChanged(bytes: number): void {
    this.#options.onBacklog(bytes)
  }

  afterBacklogTime(act: () => void): () => void {
    return after(this.#options.clock, limits.backlogMsMax, act)
  }

  abandon(channel: FramedChannel<Send, Receive>, reason: CloseReason): void {
    if (this.#over || channel.number === 0) return
    this.#socket.send(encodeFrame({ kind: 'close', channel: channel.number, reason }), () => {})
  }

  forget(channel: FramedChannel<Send, Receive>): void {
    this.#unnumbered.delete(channel)
    this.#channels.delete(channel.number)
    if (this.#turns.includes(channel)) this.#turns.splice(this.#turns.indexOf(channel), 1)
    this.#reassembly.drop(channel.number)
    if (this.channelCount > 0 || this.#over) return
    if (this.#leaving !== null) this.close(this.#leaving)
    else this.#options.onIdle()
  }

  /** What a peer sent cannot be read, or a bug was met. */
  fail(error: unknown): void {
    if (error instanceof SyncError) return this.close({ code: error.code, message: error.message })
    // Not the peer's doing; `HAZARDS.md` G15: what it says stays in this process.
    this.close({
      code: this.side === 'hub' ? 'HUB_INTERNAL' : this.#options.lost,
      message: 'a bug was met',
    })
    this.#options.onFault(error)
  }

  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    while (!this.#over && this.#bytesUnderWay < UNDER_WAY_BYTES_MAX) {
      const channel = this.#nextTurn()
      if (channel === null) break
      this.#sendFrame(channel)
    }
    this.#pumping = false
  }

  /** The next channel that may send: while one is amid a message, no other may begin a fragmented one. */
  #nextTurn(): FramedChannel<Send, Receive> | null {
    const busy = this.#turns.find((channel) => channel.midMessage)
    const at = this.#turns.findIndex(
      (channel) => channel.hasFrames && (channel === busy || busy === undefined || !channel.fragmentNext),
    )
    return at < 0 ? null : (this.#turns.splice(at, 1)[0] ?? null)
  }

  #sendFrame(channel: FramedChannel<Send, Receive>): void {
    if (channel.number === 0) {
      channel.number = ++this.#lastNumber
      this.#unnumbered.delete(channel)
      this.#channels.set(channel.number, channel)
    }
    const frame = channel.nextFrame()
    if (channel.hasFrames) this.#turns.push(channel)
    this.#bytesUnderWay += frame.length
    this.#socket.send(frame, () => {
      this.#bytesUnderWay -= frame.length
      channel.taken(frame.length)
      this.#pump()
    })
  }

  #receive(bytes: Uint8Array): void {
    if (this.#over) return
    this.#framesReceived++
    try {
      this.#route(decodeFrame(bytes), bytes.length)
    } catch (error) {
      this.fail(error)
    }
  }

  #route(frame: Frame, frameBytes: number): void {
    if (frame.kind === 'beat') return
    const channel = this.#channels.get(frame.channel) ?? this.#accept(frame)
    // Frames that were under way when their channel was closed here are no fault of the peer.
    if (channel === null) return
    channel.count(frameBytes)
    if (channel.peerEnded && frame.kind !== 'close') {
      throw new SyncError('MESSAGE_UNEXPECTED', `a ${frame.kind} frame after the end of its channel`)
    }
    switch (frame.kind) {
      case 'whole':
        this.#reassembly.refuseAmid(frame.channel)
        return this.#deliver(channel, frame.payload)
      case 'first':
      case 'further': {
        const payload = this.#reassembly.add(frame)
        return payload === null ? undefined : this.#deliver(channel, payload)
      }
      case 'end':
        this.#reassembly.refuseAmid(frame.channel)
        return channel.endedByPeer()
      case 'close':
        return channel.finish(frame.reason)
    }
  }

  /** The channel that a frame opens, or null for a channel that is no more. */
  #accept(frame: Frame): FramedChannel<Send, Receive> | null {
    if (frame.channel <= this.#lastNumber) return null
    const { onChannel } = this.#options
    if (onChannel === null)
      throw new SyncError('MESSAGE_UNEXPECTED', `channel ${frame.channel} was never opened`)
    if (this.isFull) throw tooManyChannels()
    this.#lastNumber = frame.channel
    const channel = new FramedChannel<Send, Receive>(this, frame.channel)
    this.#channels.set(frame.channel, channel)
    onChannel(channel)
    return channel
  }

  #deliver(channel: FramedChannel<Send, Receive>, payload: Uint8Array): void {
    channel.deliver(this.#options.decode(payload), payload.length)
  }

  #finish(reason: CloseReason): void {
    if (this.#over) return
    this.#over = true
    this.#reassembly.dropAll()
    for (const channel of [...this.#channels.values(), ...this.#unnumbered]) channel.finish(reason)
    this.#turns.length = 0
    this.#options.onClosed(reason)
  }
}

function tooManyChannels(): SyncError {
  return new SyncError('RATE_LIMITED', `a connection has at most ${limits.roomsPerConnectionMax} channels`)
}

function tooSlow(bytes: number): CloseReason {
  return { code: 'PEER_TOO_SLOW', message: `${bytes} bytes were received and not read` }
}
