/**
 * Live sockets of a hub: upgrades on `/v1/live`, one connection each. A peer that answers no ping, opens no channel or
 * sends what nobody can read is closed with a reason; the others do not notice.
 */
import { setMaxListeners } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  limits,
  onSignInEnd,
  SyncError,
  type Clock,
  type CloseReason,
  type HubChannel,
  type SignIn,
} from '@rejoin/core'
import { WebSocketServer, type WebSocket } from 'ws'
import { hubConnection } from '../sides.ts'
import { LIVE_PATH } from '../hub-url.ts'
import { encodeSignIn, SIGN_IN_PROTOCOL } from '../sign-in-frame.ts'
import { after } from '../socket.ts'
import { closeTextOf, statusOf, SUBPROTOCOL } from '../websocket-close.ts'
import { socketOf, socketOptions } from '../websocket-node.ts'
import { showing } from './credentials.ts'
import { requestOf, type Gate, type HubRequest } from './gate.ts'
import { beat, Timer } from './heartbeat.ts'
import type { ServerLog } from './log.ts'
import { meteredChannel } from './metered-channel.ts'
import type { Peers } from './peers.ts'
import type { Meter } from './rates.ts'
import { BytesBound, receiveToken } from './receive-token.ts'
import { refusalFor, refuseUpgrade } from './refuse.ts'

/** Milliseconds that a socket has to close after it was refused. */
const REFUSED_MS_MAX = 1_000

export interface LiveOptions<Principal> {
  readonly clock: Clock
  readonly gate: Gate<Principal>
  readonly peers: Peers
  /** What is known of the sign-in of a principal; null where nothing is. */
  readonly signInOf: (principal: Principal) => SignIn | null
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
  /** Open, and not signed in yet. */
  readonly #unsigned = new Set<WebSocket>()
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
      await this.#judge(request, socket, head)
    } catch (error) {
      refuseUpgrade(socket, error, this.#options.log)
    } finally {
      this.#judged.delete(socket)
    }
  }

  /** Refuses what comes and closes what is there, each channel after what it still sends. */
  async close(reason: CloseReason): Promise<void> {
    this.#closing = reason
    for (const webSocket of this.#unsigned) webSocket.close(statusOf(reason), closeTextOf(reason))
    const open = [...this.#connections]
    for (const connection of open) connection.close(reason)
    await Promise.all(open.map((connection) => connection.closed))
  }

  /** Ends what has not ended by itself. */
  terminate(): void {
    for (const socket of this.#judged) socket.destroy()
    for (const webSocket of this.#unsigned) webSocket.terminate()
    for (const connection of this.#connections) connection.terminate()
  }

  /** @throws SyncError why the upgrade is refused. */
  async #judge(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    this.#refuseIfClosing()
    const { gate, peers } = this.#options
    const offered = checkUpgrade(request)
    const asking = requestOf(request)
    const leave = peers.knock(asking.remoteAddress)
    try {
      if (!offered.includes(SIGN_IN_PROTOCOL)) {
        const caller = await this.#admit(asking)
        if (socket.destroyed) return caller.leave()
        return this.#server.handleUpgrade(request, socket, head, (webSocket) =>
          this.#connect(webSocket, caller),
        )
      }
      // Before that a page hears no reason.
      gate.checkOrigin(asking)
      const bytes = new BytesBound(socket)
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        void this.#signIn(webSocket, asking, bytes).finally(leave)
      })
    } finally {
      if (!offered.includes(SIGN_IN_PROTOCOL)) leave()
    }
  }

  async #signIn(webSocket: WebSocket, asking: HubRequest, bytes: BytesBound): Promise<void> {
    const { clock, log } = this.#options
    this.#unsigned.add(webSocket)
    try {
      const token = await receiveToken(webSocket, bytes, clock)
      const caller = await this.#admit({ ...asking, headers: showing(asking.headers, token) })
      if (webSocket.readyState !== webSocket.OPEN) return caller.leave()
      webSocket.removeAllListeners('message')
      webSocket.send(encodeSignIn(''), { binary: true })
      this.#connect(webSocket, caller)
    } catch (error) {
      const { code, message } = refusalFor(error, log).body
      webSocket.close(statusOf({ code, message }), closeTextOf({ code, message }))
      // Whoever does not take its leave is not listened to for long.
      const cancel = after(clock, REFUSED_MS_MAX, () => webSocket.terminate())
      webSocket.on('close', cancel)
    } finally {
      this.#unsigned.delete(webSocket)
    }
  }

  async #admit(asking: HubRequest): Promise<Caller<Principal>> {
    const { gate, peers, signInOf } = this.#options
    const principal = await gate.admit(asking)
    // Closing may have begun while it was judged.
    this.#refuseIfClosing()
    const signIn = principal === 'anonymous' ? null : signInOf(principal)
    const { meter, leave } = signIn === null ? unlimited : peers.enter(signIn)
    return { principal, signIn, meter, leave, from: asking.remoteAddress }
  }

  #refuseIfClosing(): void {
    if (this.#closing !== null) throw new SyncError('HUB_CLOSING', this.#closing.message)
  }

  #connect(webSocket: WebSocket, { principal, signIn, meter, leave, from }: Caller<Principal>): void {
    const { clock, accept, log } = this.#options
    let closed = () => {}
    const over = new Promise<void>((resolve) => (closed = resolve))
    webSocket.on('close', closed)
    webSocket.on('close', leave)
    let stopWatching = () => {}
    const idle = new Timer(clock, limits.answerMsMax, () =>
      connection.close({ code: 'TIMED_OUT', message: `no channel was opened in ${limits.answerMsMax} ms` }),
    )
    const connection = hubConnection(
      socketOf(webSocket),
      clock,
      (channel) => {
        idle.stop()
        accept(meter === null ? channel : meteredChannel(channel, meter), principal)
      },
      {
        onIdle: () => idle.start(),
        onClosed: ({ code, message }) => {
          idle.stop()
          stopBeating()
          stopWatching()
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
    if (signIn === null) return
    // One key may have many sockets, and Node would take their listeners for a leak.
    setMaxListeners(0, signIn.revoked)
    // G11: what waits is not sent any more either.
    stopWatching = onSignInEnd(signIn, clock, ({ code, message }) => connection.close({ code, message }))
  }
}

interface Caller<Principal> {
  readonly principal: Principal | 'anonymous'
  /** Null: it is not known who it is, and nothing is counted. */
  readonly signIn: SignIn | null
  readonly meter: Meter | null
  readonly leave: () => void
  readonly from: string | null
}

const unlimited = { meter: null, leave: () => {} } as const

/** The subprotocols that are offered. @throws SyncError MESSAGE_UNKNOWN or PROTOCOL_VERSION */
function checkUpgrade(request: IncomingMessage): readonly string[] {
  const [path] = (request.url ?? '').split('?')
  if (path !== `/${LIVE_PATH}`) throw new SyncError('MESSAGE_UNKNOWN', `live sockets are at /${LIVE_PATH}`)
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  if (offered.includes(SUBPROTOCOL)) return offered
  throw new SyncError('PROTOCOL_VERSION', `this hub speaks ${SUBPROTOCOL}: offer it as the subprotocol`)
}
