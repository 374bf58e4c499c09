/**
 * A plain Yjs client's WebSocket as a channel: messages in and out, both bounded. One that sends what nobody can read is closed
 * with a reason; one that sends faster than it is heard is not read any further. `y-websocket` takes a close status of 4400 to
 * 4499 for final, and tells its app; after any other it connects again by itself.
 */
import {
  asSyncError,
  limits,
  mayPlainReturn,
  type Clock,
  type CloseReason,
  type ErrorCode,
  type PlainDown,
  type PlainHubChannel,
  type PlainUp,
} from '@rejoin/core'
import type { WebSocket } from 'ws'
import { closeTextOf, statusOf } from '../websocket-close.ts'
import { socketOf } from '../websocket-node.ts'
import { after, type Socket } from '../socket.ts'
import { pacedSocket } from './paced-socket.ts'
import type { Seat } from './peers.ts'
import { BEHIND_BYTES, SendingTurn } from './sending-turn.ts'
import { decodePlain, encodePlain } from './yjs-messages.ts'

/** Milliseconds that a socket has to close after it was told to. */
const CLOSING_MS_MAX = 1_000
/** Bytes of received messages that wait before the socket is paused. */
const INBOX_BYTES_PAUSE = limits.backlogBytesMax

const finalStatuses: Partial<Record<ErrorCode, number>> = {
  UNAUTHENTICATED: 4401,
  SIGN_IN_EXPIRED: 4401,
  FORBIDDEN: 4403,
  NAMESPACE_DELETED: 4410,
  EPOCH_CHANGED: 4409,
  CLIENT_TAKEN: 4409,
}

/** The close status that tells a `y-websocket` provider whether to come again. */
export function plainStatusOf(reason: CloseReason): number {
  const { code } = reason
  if (code === null) return 1000
  const status = statusOf(reason)
  if (!mayPlainReturn(code)) return finalStatuses[code] ?? 4400
  return status === 1008 ? 1013 : status
}

/** Closes with a reason, and lets go of whoever does not answer that. */
export function closePlain(webSocket: WebSocket, clock: Clock, reason: CloseReason): void {
  webSocket.close(plainStatusOf(reason), closeTextOf(reason))
  const cancel = after(clock, CLOSING_MS_MAX, () => webSocket.terminate())
  webSocket.on('close', cancel)
}

export class YjsChannel implements PlainHubChannel {
  readonly oneShot = false
  readonly closed: Promise<CloseReason>
  readonly #webSocket: WebSocket
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #seat: Seat
  readonly #turn: SendingTurn
  #resolveClosed: (reason: CloseReason) => void = () => {}
  #over = false
  #inbox: { readonly message: PlainUp; readonly bytes: number }[] = []
  #inboxBytes = 0
  #wanted: ((message: PlainUp | null) => void) | null = null
  #backlogBytes = 0
  #drained: (() => void)[] = []
  #bytesUp = 0
  #bytesDown = 0

  constructor(webSocket: WebSocket, clock: Clock, seat: Seat) {
    this.#webSocket = webSocket
    this.#clock = clock
    this.#seat = seat
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    const { greetings, frames } = seat
    this.#turn = new SendingTurn(this.closed, {
      greetings,
      connectionBacklogBytes: () => this.#backlogBytes,
    })
    const socket = pacedSocket(socketOf(webSocket), clock, frames)
    webSocket.on('ping', () => socket.count())
    this.#socket = socket
    this.#socket.handle({ frame: (bytes) => this.#take(bytes), closed: (reason) => this.#end(reason) })
  }

  get backlogBytes(): number {
    return this.#turn.tell() ? Math.max(this.#backlogBytes, BEHIND_BYTES) : this.#backlogBytes
  }

  get bill() {
    return { bytesUp: this.#bytesUp, bytesDown: this.#bytesDown }
  }

  send(message: PlainDown): void {
    if (this.#over) return
    const bytes = encodePlain(message)
    this.#changeBacklog(bytes.length)
    this.#bytesDown += bytes.length
    // Presence, beats and what others write answer nothing: between the question and this, a document is read.
    if (message.type === 'SyncStep2') this.#turn.answered()
    else if (message.type === 'Update') this.#turn.goesOn()
    this.#socket.send(bytes, () => {
      if (this.#over) return
      this.#changeBacklog(-bytes.length)
      if (this.#backlogBytes === 0) this.#wakeDrained()
    })
  }

  /** Says that we are here: a provider that hears nothing for 30 s connects anew. Nobody is in it. */
  beat(): void {
    this.send({ type: 'Awareness', update: Uint8Array.of(0) })
  }

  async drained(): Promise<void> {
    await this.#turn.ready()
    if (this.#over || this.#backlogBytes === 0) return
    await new Promise<void>((resolve) => this.#drained.push(resolve))
  }

  async receive(): Promise<PlainUp | null> {
    // What it was taken for is done: a session hears nothing more amid its answer.
    this.#turn.over()
    const message = await this.#next()
    // It asks for the whole document.
    if (message?.type === 'SyncStep1') await this.#takeTurn()
    return this.#over ? null : message
  }

  end(): void {
    this.close()
  }

  close(reason: CloseReason = { code: null, message: '' }): void {
    if (this.#over) return
    closePlain(this.#webSocket, this.#clock, reason)
    this.#end(reason)
  }

  async #takeTurn(): Promise<void> {
    const cancel = after(this.#clock, limits.greetingMsMax, () => {
      this.close({ code: 'RATE_LIMITED', message: 'too much waits to be read by others of this sign-in' })
    })
    await this.#turn.take()
    cancel()
  }

  #next(): Promise<PlainUp | null> {
    const next = this.#inbox.shift()
    if (next !== undefined) {
      this.#inboxBytes -= next.bytes
      if (this.#inboxBytes <= INBOX_BYTES_PAUSE) this.#socket.resume()
      return Promise.resolve(next.message)
    }
    if (this.#over) return Promise.resolve(null)
    return new Promise((resolve) => (this.#wanted = resolve))
  }

  #take(bytes: Uint8Array): void {
    if (this.#over) return
    this.#bytesUp += bytes.length
    let message: PlainUp
    try {
      message = decodePlain(bytes)
    } catch (error) {
      const { code, message: why } = asSyncError(error, 'MESSAGE_MALFORMED', 'a message does not read')
      return this.close({ code, message: why })
    }
    const commits = message.type === 'Update' || message.type === 'SyncStep2' ? 1 : 0
    const excess = this.#seat.meter.take({ messages: 1, bytes: bytes.length, commits })
    if (excess !== null) {
      // Presence is the first thing to go without.
      if (message.type === 'Awareness') return
      const why = `too many ${excess.of} in a short time: try again in ${excess.retryAfterMs} ms`
      return this.close({ code: 'RATE_LIMITED', message: why })
    }
    if (this.#wanted !== null) {
      const wanted = this.#wanted
      this.#wanted = null
      return wanted(message)
    }
    this.#inbox.push({ message, bytes: bytes.length })
    this.#inboxBytes += bytes.length
    if (this.#inboxBytes > INBOX_BYTES_PAUSE) this.#socket.pause()
  }

  #end(reason: CloseReason): void {
    if (this.#over) return
    this.#over = true
    this.#changeBacklog(-this.#backlogBytes)
    this.#inbox = []
    // Whoever is paused would never hear that its peer closes.
    this.#socket.resume()
    this.#wanted?.(null)
    this.#wanted = null
    this.#wakeDrained()
    this.#resolveClosed(reason)
  }

  #changeBacklog(bytes: number): void {
    this.#backlogBytes += bytes
    this.#seat.greetings.changed(bytes)
  }

  #wakeDrained(): void {
    const drained = this.#drained
    this.#drained = []
    for (const resolve of drained) resolve()
  }
}
