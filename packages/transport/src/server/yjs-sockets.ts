/**
 * Plain Yjs clients on `/yjs/NAMESPACE`: one namespace a socket, let in by the same gate as everybody. Who is refused for who
 * they are hears it as y-protocols say it, on the open socket, since a page learns nothing of a refused upgrade.
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
  type PlainHubChannel,
  type PlainRequest,
  type SignIn,
} from '@rejoin/core'
import { WebSocketServer, type WebSocket } from 'ws'
import { showing } from './credentials.ts'
import { requestOf, type Gate, type HubRequest } from './gate.ts'
import { beat } from './heartbeat.ts'
import type { ServerLog } from './log.ts'
import type { Peers } from './peers.ts'
import type { Meter } from './rates.ts'
import { refusalFor, refuseUpgrade } from './refuse.ts'
import { closePlain, YjsChannel } from './yjs-channel.ts'
import { encodePlain } from './yjs-messages.ts'
import { chooseProtocol, offeredToken, plainRequestOf } from './yjs-request.ts'

export interface YjsOptions<Principal> {
  readonly clock: Clock
  readonly gate: Gate<Principal>
  readonly peers: Peers
  /** As of the live sockets. */
  readonly signInOf: (principal: Principal) => SignIn | null
  readonly accept: (
    channel: PlainHubChannel,
    request: PlainRequest,
    principal: Principal | 'anonymous',
  ) => void
  readonly log: ServerLog
}

interface Caller<Principal> {
  readonly principal: Principal | 'anonymous'
  /** Null: it is not known who it is, and nothing is counted. */
  readonly signIn: SignIn | null
  readonly meter: Meter | null
  readonly leave: () => void
}

export class YjsSockets<Principal> {
  readonly #options: YjsOptions<Principal>
  readonly #server = new WebSocketServer({
    maxPayload: limits.messageUpBytesMax,
    perMessageDeflate: false,
    noServer: true,
    clientTracking: false,
    handleProtocols: chooseProtocol,
  })
  readonly #open = new Map<WebSocket, YjsChannel | null>()
  /** Upgrades that are being judged. */
  readonly #judged = new Set<Duplex>()
  #closing: CloseReason | null = null

  constructor(options: YjsOptions<Principal>) {
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

  async close(reason: CloseReason): Promise<void> {
    this.#closing = reason
    const closed = Array.from(this.#open.keys(), (webSocket) => {
      return new Promise<void>((resolve) => webSocket.on('close', () => resolve()))
    })
    for (const [webSocket, channel] of this.#open) {
      if (channel === null) closePlain(webSocket, this.#options.clock, reason)
      else channel.close(reason)
    }
    await Promise.all(closed)
  }

  /** Ends what has not ended by itself. */
  terminate(): void {
    for (const socket of this.#judged) socket.destroy()
    for (const webSocket of this.#open.keys()) webSocket.terminate()
  }

  /** @throws SyncError why the upgrade is refused. */
  async #judge(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    if (this.#closing !== null) throw new SyncError('HUB_CLOSING', this.#closing.message)
    const { gate, peers } = this.#options
    const asking = requestOf(request)
    const asked = plainRequestOf(request)
    gate.checkOrigin(asking)
    const token = offeredToken(request)
    asking.headers.delete('sec-websocket-protocol')
    const leave = peers.knock(asking.remoteAddress)
    try {
      const caller = await this.#admit(
        token === null ? asking : { ...asking, headers: showing(asking.headers, token) },
      )
      if (socket.destroyed) {
        if (!(caller instanceof SyncError)) caller.leave()
        return
      }
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        if (caller instanceof SyncError) this.#turnAway(webSocket, caller)
        else this.#connect(webSocket, asked, caller, asking.remoteAddress)
      })
    } finally {
      leave()
    }
  }

  /** An error of who is asking is told on the socket. @throws SyncError any other */
  async #admit(asking: HubRequest): Promise<Caller<Principal> | SyncError> {
    const { gate, peers, signInOf } = this.#options
    try {
      const principal = await gate.admit(asking)
      // Closing may have begun while it was judged.
      if (this.#closing !== null) throw new SyncError('HUB_CLOSING', this.#closing.message)
      const signIn = principal === 'anonymous' ? null : signInOf(principal)
      const { meter, leave } = signIn === null ? { meter: null, leave: () => {} } : peers.enter(signIn)
      return { principal, signIn, meter, leave }
    } catch (error) {
      if (error instanceof SyncError) return error
      throw error
    }
  }

  #turnAway(webSocket: WebSocket, error: SyncError): void {
    const { clock, log } = this.#options
    const { code, message } = refusalFor(error, log).body
    // What it says from here on is not looked at.
    webSocket.on('error', () => {})
    webSocket.send(encodePlain({ type: 'PermissionDenied', reason: `${code}: ${message}` }))
    this.#open.set(webSocket, null)
    webSocket.on('close', () => this.#open.delete(webSocket))
    closePlain(webSocket, clock, { code, message })
  }

  #connect(
    webSocket: WebSocket,
    asked: PlainRequest,
    { principal, signIn, meter, leave }: Caller<Principal>,
    from: string | null,
  ): void {
    const { clock, accept, log } = this.#options
    const channel = new YjsChannel(webSocket, clock, meter)
    this.#open.set(webSocket, channel)
    const stopBeating = beat(clock, webSocket, {
      beat: () => channel.beat(),
      close: (reason) => channel.close(reason),
    })
    let stopWatching = (): void => {}
    webSocket.on('close', () => {
      this.#open.delete(webSocket)
      stopBeating()
      stopWatching()
      leave()
    })
    void channel.closed.then(({ code, message }) => log({ event: 'disconnected', code, message }))
    log({ event: 'connected', from })
    accept(channel, asked, principal)
    if (signIn === null) return
    setMaxListeners(0, signIn.revoked)
    stopWatching = onSignInEnd(signIn, clock, ({ code, message }) => {
      channel.send({ type: 'PermissionDenied', reason: `${code}: ${message}` })
      channel.close({ code, message })
    })
  }
}
