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
import { encodeSignIn, RENEW_PROTOCOL, SIGN_IN_PROTOCOL, withoutSignIns } from '../sign-in-frame.ts'
import { after } from '../socket.ts'
import { closeTextOf, statusOf, SUBPROTOCOL } from '../websocket-close.ts'
import { socketOf, socketOptions } from '../websocket-node.ts'
import { showing } from './credentials.ts'
import type { Entrance, Guest, Judged } from './entrance.ts'
import type { HubRequest } from './gate.ts'
import { beat, Timer } from './heartbeat.ts'
import type { ServerLog } from './log.ts'
import { meteredChannel } from './metered-channel.ts'
import { pacedSocket } from './paced-socket.ts'
import { BytesBound, receiveToken } from './receive-token.ts'
import { refusalFor } from './refuse.ts'
import { Standing, type RenewablePrincipal } from './standing.ts'
import { Upgrades } from './upgrades.ts'

/** Milliseconds that a socket has to close after it was refused. */
const REFUSED_MS_MAX = 1_000

export interface LiveOptions<Principal> {
  readonly clock: Clock
  readonly entrance: Entrance<Principal>
  readonly renewable: RenewablePrincipal<Principal> | null
  readonly accept: (channel: HubChannel, principal: Principal | 'anonymous') => void
  readonly log: ServerLog
}

interface LiveConnection {
  close(reason: CloseReason): void
  terminate(): void
  readonly closed: Promise<void>
}

/** An upgrade, and which subprotocols it offers. */
interface Upgrade {
  readonly asking: HubRequest
  readonly offered: readonly string[]
}

export class LiveSockets<Principal> {
  readonly #options: LiveOptions<Principal>
  readonly #server = new WebSocketServer({
    ...socketOptions,
    noServer: true,
    clientTracking: false,
    handleProtocols: () => SUBPROTOCOL,
  })
  readonly upgrades: Upgrades
  readonly #connections = new Set<LiveConnection>()
  /** Open, and not signed in yet. */
  readonly #unsigned = new Set<WebSocket>()

  constructor(options: LiveOptions<Principal>) {
    this.#options = options
    this.upgrades = new Upgrades((request, socket, head) => this.#judge(request, socket, head), options.log)
    this.#server.on('error', (error) => options.log({ event: 'fault', error }))
  }

  /** Closes what is there, each channel after what it still sends. */
  async close(reason: CloseReason): Promise<void> {
    for (const webSocket of this.#unsigned) webSocket.close(statusOf(reason), closeTextOf(reason))
    const open = [...this.#connections]
    for (const connection of open) connection.close(reason)
    await Promise.all(open.map((connection) => connection.closed))
  }

  /** Ends what has not ended by itself. */
  terminate(): void {
    this.upgrades.terminate()
    for (const webSocket of this.#unsigned) webSocket.terminate()
    for (const connection of this.#connections) connection.terminate()
  }

  /** @throws SyncError why the upgrade is refused. */
  async #judge(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { entrance } = this.#options
    const upgrade = { asking: entrance.requestOf(request), offered: checkUpgrade(request) }
    const leave = entrance.knock(upgrade.asking)
    if (upgrade.offered.includes(SIGN_IN_PROTOCOL)) {
      try {
        // Before that a page hears no reason.
        entrance.checkOrigin(upgrade.asking)
        const bytes = new BytesBound(socket)
        this.#server.handleUpgrade(request, socket, head, (webSocket) => {
          void this.#signIn(webSocket, upgrade, bytes).finally(leave)
        })
      } catch (error) {
        leave()
        throw error
      }
      // An upgrade that `ws` itself has refused calls nobody back.
      socket.on('close', leave)
      return
    }
    try {
      const guest = await entrance.admit(upgrade.asking)
      if (socket.destroyed) return guest.seat.leave()
      socket.on('close', () => guest.seat.leave())
      this.#server.handleUpgrade(request, socket, head, (webSocket) =>
        this.#connect(webSocket, guest, upgrade),
      )
    } finally {
      leave()
    }
  }

  async #signIn(webSocket: WebSocket, upgrade: Upgrade, bytes: BytesBound): Promise<void> {
    const { clock, entrance, log } = this.#options
    this.#unsigned.add(webSocket)
    try {
      const token = await receiveToken(webSocket, bytes, clock)
      const guest = await entrance.admit(withToken(upgrade, token))
      if (webSocket.readyState !== webSocket.OPEN) return guest.seat.leave()
      webSocket.on('close', () => guest.seat.leave())
      webSocket.removeAllListeners('message')
      webSocket.send(encodeSignIn(''), { binary: true })
      this.#connect(webSocket, guest, upgrade)
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

  /** Whose a token is that comes while a socket lives. @throws SyncError */
  async #judgeAgain(upgrade: Upgrade, token: string): Promise<Judged<Principal>> {
    const { entrance } = this.#options
    const leave = entrance.knock(upgrade.asking)
    try {
      return await entrance.judge(withToken(upgrade, token))
    } finally {
      leave()
    }
  }

  #connect(webSocket: WebSocket, guest: Guest<Principal>, upgrade: Upgrade): void {
    const { clock, entrance, renewable, accept, log } = this.#options
    const { seat, from } = guest
    let closed = () => {}
    const over = new Promise<void>((resolve) => (closed = resolve))
    webSocket.on('close', closed)
    const standing = new Standing(guest, {
      clock,
      renewable,
      ask: upgrade.offered.includes(RENEW_PROTOCOL)
        ? () => webSocket.send(encodeSignIn(''), { binary: true }, () => {})
        : null,
      judge: (token) => this.#judgeAgain(upgrade, token),
      // G11: what waits is not sent any more either.
      end: ({ code, message }) => connection.close({ code, message }),
      refused: (error) => void refusalFor(error, log),
    })
    const idle = new Timer(clock, limits.answerMsMax, () =>
      connection.close({ code: 'TIMED_OUT', message: `no channel was opened in ${limits.answerMsMax} ms` }),
    )
    let backlogBytes = 0
    const socket = pacedSocket(socketOf(webSocket), clock, seat.frames)
    webSocket.on('ping', () => socket.count())
    const connection = hubConnection(
      withoutSignIns(socket, (bytes) => standing.take(bytes)),
      clock,
      (channel) => {
        idle.stop()
        const join = (namespace: string) => entrance.join(namespace)
        const bounds = { join, greetings: seat.greetings, connectionBacklogBytes: () => backlogBytes }
        accept(meteredChannel(channel, seat.meter, bounds), standing.principal)
      },
      {
        onIdle: () => idle.start(),
        onClosed: ({ code, message }) => {
          idle.stop()
          stopBeating()
          standing.stop()
          log({ event: 'disconnected', code, message })
        },
        onFault: (error) => log({ event: 'fault', error }),
        hold: (bytes) => seat.hold(bytes),
        onBacklog: (bytes) => {
          backlogBytes += bytes
          seat.greetings.changed(bytes)
        },
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
    standing.watch()
  }
}

function withToken({ asking }: Upgrade, token: string): HubRequest {
  return { ...asking, headers: showing(asking.headers, token) }
}

/** The subprotocols that are offered. @throws SyncError MESSAGE_UNKNOWN or PROTOCOL_VERSION */
function checkUpgrade(request: IncomingMessage): readonly string[] {
  const [path] = (request.url ?? '').split('?')
  if (path !== `/${LIVE_PATH}`) throw new SyncError('MESSAGE_UNKNOWN', `live sockets are at /${LIVE_PATH}`)
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  if (offered.includes(SUBPROTOCOL)) return offered
  throw new SyncError('PROTOCOL_VERSION', `this hub speaks ${SUBPROTOCOL}: offer it as the subprotocol`)
}
