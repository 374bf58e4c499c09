/**
 * Plain Yjs clients on `/yjs/NAMESPACE`: one namespace a socket, let in by the same gate as everybody. Who is refused for who
 * they are hears it as y-protocols say it, on the open socket, since a page learns nothing of a refused upgrade.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  limits,
  SyncError,
  type Clock,
  type CloseReason,
  type PlainHubChannel,
  type PlainRequest,
} from '@rejoin/core'
import { WebSocketServer, type WebSocket } from 'ws'
import { socketOptions } from '../websocket-node.ts'
import { showing } from './credentials.ts'
import type { Entrance, Guest } from './entrance.ts'
import type { HubRequest } from './gate.ts'
import { beat } from './heartbeat.ts'
import type { ServerLog } from './log.ts'
import { refusalFor } from './refuse.ts'
import { Standing } from './standing.ts'
import { Upgrades } from './upgrades.ts'
import { closePlain, YjsChannel } from './yjs-channel.ts'
import { encodePlain } from './yjs-messages.ts'
import { chooseProtocol, offeredToken, plainRequestOf } from './yjs-request.ts'

export interface YjsOptions<Principal> {
  readonly clock: Clock
  readonly entrance: Entrance<Principal>
  readonly accept: (
    channel: PlainHubChannel,
    request: PlainRequest,
    principal: Principal | 'anonymous',
  ) => void
  readonly log: ServerLog
}

export class YjsSockets<Principal> {
  readonly #options: YjsOptions<Principal>
  readonly #server = new WebSocketServer({
    ...socketOptions,
    // Of one message each.
    maxPayload: limits.messageUpBytesMax,
    noServer: true,
    clientTracking: false,
    handleProtocols: chooseProtocol,
  })
  readonly upgrades: Upgrades
  readonly #open = new Map<WebSocket, YjsChannel | null>()

  constructor(options: YjsOptions<Principal>) {
    this.#options = options
    this.upgrades = new Upgrades((request, socket, head) => this.#judge(request, socket, head), options.log)
    this.#server.on('error', (error) => options.log({ event: 'fault', error }))
  }

  async close(reason: CloseReason): Promise<void> {
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
    this.upgrades.terminate()
    for (const webSocket of this.#open.keys()) webSocket.terminate()
  }

  /** @throws SyncError why the upgrade is refused. */
  async #judge(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { entrance } = this.#options
    const asking = entrance.requestOf(request)
    const asked = plainRequestOf(request)
    const leave = entrance.knock(asking)
    try {
      entrance.checkOrigin(asking)
      const token = offeredToken(request)
      asking.headers.delete('sec-websocket-protocol')
      const guest = await this.#admit(
        token === null ? asking : { ...asking, headers: showing(asking.headers, token) },
        asked.namespace,
      )
      if (guest instanceof SyncError) {
        if (socket.destroyed) return
        return this.#server.handleUpgrade(request, socket, head, (webSocket) =>
          this.#turnAway(webSocket, guest),
        )
      }
      if (socket.destroyed) return guest.leave()
      socket.on('close', guest.leave)
      this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#connect(webSocket, asked, guest))
    } finally {
      leave()
    }
  }

  /** An error of who is asking is told on the socket. @throws SyncError any other */
  async #admit(asking: HubRequest, namespace: string): Promise<PlainGuest<Principal> | SyncError> {
    const { entrance } = this.#options
    try {
      const guest = await entrance.admit(asking)
      try {
        const leaveNamespace = entrance.join(namespace)
        const leave = (): void => {
          leaveNamespace()
          guest.seat.leave()
        }
        return { ...guest, leave }
      } catch (error) {
        guest.seat.leave()
        throw error
      }
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

  #connect(webSocket: WebSocket, asked: PlainRequest, guest: PlainGuest<Principal>): void {
    const { clock, accept, log } = this.#options
    const channel = new YjsChannel(webSocket, clock, guest.seat)
    this.#open.set(webSocket, channel)
    const stopBeating = beat(clock, webSocket, {
      beat: () => channel.beat(),
      close: (reason) => channel.close(reason),
    })
    const standing = new Standing(guest, {
      clock,
      // y-protocols know no way to bring a token.
      renewable: null,
      ask: null,
      judge: () => Promise.reject(new SyncError('MESSAGE_UNEXPECTED', 'no token is wanted now')),
      refused: () => {},
      end: ({ code, message }) => {
        channel.send({ type: 'PermissionDenied', reason: `${code}: ${message}` })
        channel.close({ code, message })
      },
    })
    webSocket.on('close', () => {
      this.#open.delete(webSocket)
      stopBeating()
      standing.stop()
    })
    void channel.closed.then(({ code, message }) => log({ event: 'disconnected', code, message }))
    log({ event: 'connected', from: guest.from })
    accept(channel, asked, standing.principal)
    standing.watch()
  }
}

interface PlainGuest<Principal> extends Guest<Principal> {
  /** Its seat, and its place in the namespace. */
  readonly leave: () => void
}
