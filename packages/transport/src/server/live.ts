/**
 * Live sockets of a hub: upgrades on `/v1/live`, one connection each. A peer that answers no ping, opens no channel or
 * sends what nobody can read is closed with a reason; the others do not notice.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { limits, SyncError, type Clock, type CloseReason, type HubChannel } from '@rejoin/core'
import { WebSocketServer, type WebSocket } from 'ws'
import { hubConnection } from '../sides.ts'
import { LIVE_PATH } from '../hub-url.ts'
import { after } from '../socket.ts'
import { SUBPROTOCOL } from '../websocket-close.ts'
import { socketOf, socketOptions } from '../websocket-node.ts'
import { requestOf, type Gate } from './gate.ts'
import type { ServerLog } from './log.ts'
import { refusalFor } from './refuse.ts'

const UNANSWERED_PINGS_MAX = 2

export interface LiveOptions<Principal> {
  readonly clock: Clock
  readonly gate: Gate<Principal>
  readonly accept: (channel: HubChannel, principal: Principal | 'anonymous') => void
  readonly log: ServerLog
}

interface LiveConnection {
  close(reason: CloseReason): void
  terminate(): void
  readonly closed: Promise<void>
}

export class LiveSockets<Principal> {
  readonly #options: LiveOptions<Principal>
  readonly #server = new WebSocketServer({
    ...socketOptions,
    noServer: true,
    clientTracking: false,
    handleProtocols: () => SUBPROTOCOL,
  })
  readonly #connections = new Set<LiveConnection>()
  /** Upgrades that are being judged. */
  readonly #judged = new Set<Duplex>()
  #closing: CloseReason | null = null

  constructor(options: LiveOptions<Principal>) {
    this.#options = options
    this.#server.on('error', (error) => options.log({ event: 'fault', error }))
  }

  /** The listener of an HTTP server's `upgrade`. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // A peer that goes away while it is judged is no failure of the process.
    socket.on('error', () => {})
    this.#judged.add(socket)
    try {
      const principal = await this.#admit(request)
      if (socket.destroyed) return
      this.#server.handleUpgrade(request, socket, head, (webSocket) =>
        this.#connect(webSocket, principal, request.socket.remoteAddress ?? null),
      )
    } catch (error) {
      const { status, body } = refusalFor(error, this.#options.log)
      const text = JSON.stringify(body)
      socket.end(
        `HTTP/1.1 ${status} Refused\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      )
    } finally {
      this.#judged.delete(socket)
    }
  }

  /** Refuses what comes and closes what is there, each channel after what it still sends. */
  async close(reason: CloseReason): Promise<void> {
    this.#closing = reason
    const open = [...this.#connections]
    for (const connection of open) connection.close(reason)
    await Promise.all(open.map((connection) => connection.closed))
  }

  /** Ends what has not ended by itself. */
  terminate(): void {
    for (const socket of this.#judged) socket.destroy()
    for (const connection of this.#connections) connection.terminate()
  }

  async #admit(request: IncomingMessage): Promise<Principal | 'anonymous'> {
    this.#refuseIfClosing()
    const [path] = (request.url ?? '').split('?')
    if (path !== `/${LIVE_PATH}`) throw new SyncError('MESSAGE_UNKNOWN', `live sockets are at /${LIVE_PATH}`)
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
    if (!offered.includes(SUBPROTOCOL)) {
      throw new SyncError('PROTOCOL_VERSION', `this hub speaks ${SUBPROTOCOL}: offer it as the subprotocol`)
    }
    const principal = await this.#options.gate.admit(requestOf(request))
    // Closing may have begun while it was judged.
    this.#refuseIfClosing()
    return principal
  }

  #refuseIfClosing(): void {
    if (this.#closing !== null) throw new SyncError('HUB_CLOSING', this.#closing.message)
  }

  #connect(webSocket: WebSocket, principal: Principal | 'anonymous', from: string | null): void {
    const { clock, accept, log } = this.#options
    let closed = () => {}
    const over = new Promise<void>((resolve) => (closed = resolve))
    webSocket.on('close', closed)
    const idle = new Timer(clock, limits.answerMsMax, () =>
      connection.close({ code: 'TIMED_OUT', message: `no channel was opened in ${limits.answerMsMax} ms` }),
    )
    const connection = hubConnection(
      socketOf(webSocket),
      clock,
      (channel) => {
        idle.stop()
        accept(channel, principal)
      },
      {
        onIdle: () => idle.start(),
        onClosed: ({ code, message }) => {
          idle.stop()
          stopBeating()
          log({ event: 'disconnected', code, message })
        },
        onFault: (error) => log({ event: 'fault', error }),
      },
    )
    idle.start()
    const stopBeating = beat(clock, webSocket, connection)
    const live = {
      close: (reason: CloseReason) => connection.closeSoftly(reason),
      terminate: () => webSocket.terminate(),
      closed: over,
    }
    this.#connections.add(live)
    void over.then(() => this.#connections.delete(live))
    log({ event: 'connected', from })
  }
}

/** Pings at each heartbeat; a peer that leaves two unanswered is gone (fault model 7). */
function beat(
  clock: Clock,
  webSocket: WebSocket,
  connection: { beat(): void; close(reason: CloseReason): void },
): () => void {
  let unanswered = 0
  webSocket.on('pong', () => (unanswered = 0))
  const timer = new Timer(clock, limits.heartbeatMs, () => {
    if (unanswered >= UNANSWERED_PINGS_MAX) {
      connection.close({ code: 'TIMED_OUT', message: `${unanswered} pings were not answered` })
      webSocket.terminate()
      return
    }
    unanswered++
    webSocket.ping()
    connection.beat()
    timer.start()
  })
  timer.start()
  return () => timer.stop()
}

/** Does one thing after a time, unless stopped. */
class Timer {
  readonly #clock: Clock
  readonly #ms: number
  readonly #act: () => void
  #cancel = () => {}

  constructor(clock: Clock, ms: number, act: () => void) {
    this.#clock = clock
    this.#ms = ms
    this.#act = act
  }

  start(): void {
    this.#cancel()
    this.#cancel = after(this.#clock, this.#ms, this.#act)
  }

  stop(): void {
    this.#cancel()
  }
}
