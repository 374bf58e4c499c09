/**
 * The hub's side of one `POST /v1/sync`: the request's frames go in, the frames of the channels come out as the response's
 * body, as fast as the caller takes them. It ends when every channel is closed, or when nothing moves for an answer's time.
 */
import { asSyncError, limits, SyncError, type Clock, type CloseReason, type HubChannel } from '@rejoin/core'
import { hubConnection } from '../sides.ts'
import { prefixed, type FrameStream } from '../frame-stream.ts'
import { after, type Socket, type SocketHandler } from '../socket.ts'

export interface ExchangeOptions {
  readonly clock: Clock
  readonly accept: (channel: HubChannel) => void
  readonly onFault: (error: unknown) => void
  /** Hears by how much the bytes that wait to be sent have changed. */
  readonly onBacklog: (bytes: number) => void
}

export interface Exchange {
  /** The response's body. @throws SyncError where the request is refused before anything was answered. */
  readonly answer: Promise<ReadableStream<Uint8Array>>
  close(reason: CloseReason): void
  readonly closed: Promise<void>
}

export function exchange(request: FrameStream, options: ExchangeOptions): Exchange {
  const { clock, accept, onFault, onBacklog } = options
  const socket = new AnswerSocket(clock)
  let closed = () => {}
  const over = new Promise<void>((resolve) => (closed = resolve))
  const connection = hubConnection(socket, clock, accept, {
    onIdle: () => connection.close({ code: null, message: 'the exchange is done' }),
    onClosed: closed,
    onFault,
    onBacklog,
    oneShot: true,
  })
  void socket.read(request).then(() => {
    connection.endedByPeer()
    const empty = { code: 'MESSAGE_MALFORMED', message: 'the request holds no message' } as const
    if (connection.channelCount === 0) connection.close(empty)
  })
  return { answer: socket.answer, close: (reason) => connection.closeSoftly(reason), closed: over }
}

class AnswerSocket implements Socket {
  readonly pausable = true
  readonly answer: Promise<ReadableStream<Uint8Array>>
  readonly #clock: Clock
  #handler: SocketHandler | null = null
  readonly #waiting: { readonly frame: Uint8Array; readonly taken: () => void }[] = []
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null
  #begin: (body: ReadableStream<Uint8Array>) => void = () => {}
  #refuse: (error: SyncError) => void = () => {}
  #begun = false
  #wanted: (() => void) | null = null
  #paused = false
  #onResume: () => void = () => {}
  #closing = false
  #over = false
  #cancelTimeout: () => void = () => {}

  constructor(clock: Clock) {
    this.#clock = clock
    this.answer = new Promise((resolve, reject) => {
      this.#begin = resolve
      this.#refuse = reject
    })
    // Whoever asked may have left.
    this.answer.catch(() => {})
    this.#timeStep()
  }

  handle(handler: SocketHandler): void {
    this.#handler = handler
  }

  /** Gives the request's frames to the connection, no faster than they are received. Never rejects. */
  async read(request: FrameStream): Promise<void> {
    try {
      for (let frame = request.next(); frame !== null; frame = request.next()) {
        if (this.#over || this.#closing) return
        this.#handler?.frame(frame)
        if (this.#paused) await new Promise<void>((resolve) => (this.#onResume = resolve))
      }
      request.end()
    } catch (error) {
      const { code, message } = asSyncError(error, 'MESSAGE_MALFORMED', 'the request could not be read')
      this.#refuse(new SyncError(code, message))
      this.#lose({ code, message })
    }
  }

  send(frame: Uint8Array, taken: () => void): void {
    if (this.#closing || this.#over) return
    this.#waiting.push({ frame: prefixed(frame), taken })
    this.#open()
    this.#give()
  }

  close(reason: CloseReason): void {
    if (this.#closing || this.#over) return
    this.#closing = true
    this.#onResume()
    if (!this.#begun && reason.code !== null) return this.#refuse(new SyncError(reason.code, reason.message))
    this.#open()
    this.#give()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#onResume()
  }

  /** The first frame makes it an answer; until then it may be refused. */
  #open(): void {
    if (this.#begun) return
    this.#begun = true
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        pull: () => {
          this.#give()
          if (this.#over || this.#waiting.length > 0) return undefined
          return new Promise<void>((resolve) => (this.#wanted = resolve))
        },
        cancel: () => this.#lose({ code: null, message: 'the caller left' }),
      },
      { highWaterMark: limits.frameBytesMax, size: (chunk) => chunk?.length ?? 0 },
    )
    this.#begin(body)
  }

  /** Gives what waits while it is wanted; ends the body after the last frame. */
  #give(): void {
    const controller = this.#controller
    if (controller === null || this.#over) return
    while ((controller.desiredSize ?? 0) > 0) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      controller.enqueue(next.frame)
      this.#timeStep()
      queueMicrotask(next.taken)
    }
    if (this.#closing && this.#waiting.length === 0) {
      this.#stop()
      controller.close()
    }
    this.#wanted?.()
    this.#wanted = null
  }

  #timeStep(): void {
    this.#cancelTimeout()
    this.#cancelTimeout = after(this.#clock, 2 * limits.answerMsMax, () => {
      const reason = { code: 'TIMED_OUT', message: 'the exchange stood still' } as const
      this.#refuse(new SyncError(reason.code, reason.message))
      this.#lose(reason)
    })
  }

  #lose(reason: CloseReason): void {
    if (this.#over) return
    const controller = this.#controller
    this.#stop()
    this.#handler?.closed(reason)
    if (reason.code !== null) controller?.error(new Error(reason.message))
  }

  #stop(): void {
    this.#over = true
    this.#cancelTimeout()
    this.#waiting.length = 0
    this.#onResume()
    this.#wanted?.()
  }
}
