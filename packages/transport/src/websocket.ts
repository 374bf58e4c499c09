/**
 * Dials a hub by WebSocket. All channels to a hub share one socket (a further one where a socket is full); a lost socket
 * ends its channels, the next dial opens a new one, and the last channel to go closes it.
 */
import { limits, SyncError, type Clock, type Dial, type DownMessage, type UpMessage } from '@rejoin/core'
import { openWebSocket, sendsHeaders } from '#websocket'
import type { Connection } from './connection.ts'
import { replicaConnection } from './sides.ts'
import { liveUrl } from './hub-url.ts'
import { encodeSignIn, RENEW_PROTOCOL, SIGN_IN_PROTOCOL, signInOn, withoutSignIns } from './sign-in-frame.ts'
import { after, type Socket } from './socket.ts'
import { askToken, type TokenSource } from './token.ts'

/** Heartbeats without a frame from the hub after which it is taken for gone: half-open links end (fault model 7). */
const SILENT_BEATS_MAX = 2

export interface WebSocketDialerOptions {
  /** The hub's URL: `http:`, `https:`, `ws:` or `wss:`. */
  readonly url: string
  readonly clock: Clock
  /** Sent with the upgrade; a browser cannot, and leaves them out. */
  readonly headers?: Readonly<Record<string, string>>
  /** Asked at each connection: in Node it is sent with the upgrade, from a browser in the first frame; never in the URL. */
  readonly token?: TokenSource | undefined
}

export interface Dialer {
  readonly dial: Dial
  /** Closes what is open after sending what waits (at most `limits.backlogMsMax`); every later dial fails. */
  close(): Promise<void>
}

type ReplicaConnection = Connection<UpMessage, DownMessage>

/** @throws SyncError INPUT_INVALID where `url` is no hub's. */
export function webSocketDialer(options: WebSocketDialerOptions): Dialer {
  const dialer = new WebSocketDialer(options)
  return { dial: (signal) => dialer.dial(signal), close: () => dialer.close() }
}

class WebSocketDialer {
  readonly #url: URL
  readonly #clock: Clock
  readonly #headers: Readonly<Record<string, string>>
  readonly #token: TokenSource | null
  readonly #standing = new Map<ReplicaConnection, Promise<void>>()
  #connecting: { readonly result: Promise<ReplicaConnection>; readonly cancel: AbortController } | null = null
  #waiting = 0
  #closed = false

  constructor(options: WebSocketDialerOptions) {
    this.#url = liveUrl(options.url)
    this.#clock = options.clock
    this.#headers = options.headers ?? {}
    this.#token = options.token ?? null
  }

  async dial(signal: AbortSignal) {
    for (;;) {
      if (this.#closed) throw new SyncError('CHANNEL_CLOSED', 'this dialer was closed')
      if (signal.aborted) throw givenUp()
      const open = [...this.#standing.keys()].find((connection) => connection.isOpen && !connection.isFull)
      if (open !== undefined) return open.open()
      const connection = await this.#connect(signal)
      if (connection.isOpen && !connection.isFull && !signal.aborted) return connection.open()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#giveUp()
    for (const connection of this.#standing.keys())
      connection.closeSoftly({ code: null, message: 'the replica left' })
    await Promise.all(this.#standing.values())
  }

  /** Waits for the one connection under way; when nobody waits for it any more, it is given up. */
  async #connect(signal: AbortSignal): Promise<ReplicaConnection> {
    const connecting = (this.#connecting ??= this.#begin())
    this.#waiting++
    try {
      return await orAborted(connecting.result, signal)
    } finally {
      this.#waiting--
      if (this.#waiting === 0 && signal.aborted) this.#giveUp()
    }
  }

  #begin() {
    const cancel = new AbortController()
    const result = this.#open(cancel).finally(() => {
      if (this.#connecting?.cancel === cancel) this.#connecting = null
    })
    // Where every dial was given up, nobody is left to hear of it.
    result.catch(() => {})
    return { result, cancel }
  }

  #giveUp(): void {
    this.#connecting?.cancel.abort()
    this.#connecting = null
  }

  async #open(cancel: AbortController): Promise<ReplicaConnection> {
    let late = false
    const cancelTimeout = after(this.#clock, limits.answerMsMax, () => {
      late = true
      cancel.abort()
    })
    try {
      const connection = await this.#signIn(cancel.signal)
      if (cancel.signal.aborted) connection.close({ code: null, message: 'dialing was given up' })
      return connection
    } catch (error) {
      if (!late) throw error
      throw new SyncError(
        'HUB_UNREACHABLE',
        `no hub answers at ${this.#url.origin} in ${limits.answerMsMax} ms`,
      )
    } finally {
      cancelTimeout()
    }
  }

  async #signIn(signal: AbortSignal): Promise<ReplicaConnection> {
    const token = this.#token === null ? null : await askToken(this.#token, signal)
    const inHead = token !== null && sendsHeaders
    const headers = inHead ? { ...this.#headers, authorization: `Bearer ${token}` } : this.#headers
    const subprotocols = token === null ? [] : [RENEW_PROTOCOL, ...(inHead ? [] : [SIGN_IN_PROTOCOL])]
    const socket = await openWebSocket(this.#url, { headers, subprotocols, signal })
    const begin = () => this.#begun(token === null ? socket : this.#renewing(socket, token))
    return token === null || inHead ? begin() : await signInOn(socket, token, signal, begin)
  }

  /** The hub asks for a fresh token before one ends. Where there is none yet it asks again, and then the socket ends. */
  #renewing(socket: Socket, token: string): Socket {
    let shown = token
    let isAsking = false
    return withoutSignIns(socket, () => {
      // Of two that it gets for one wish, the hub takes the second for a fault.
      if (isAsking) return
      isAsking = true
      void this.#freshToken(shown).then((fresh) => {
        isAsking = false
        if (fresh === null) return
        shown = fresh
        socket.send(encodeSignIn(fresh), () => {})
      })
    })
  }

  /** Null where none is to be had now. */
  async #freshToken(shown: string): Promise<string | null> {
    if (this.#token === null) return null
    const late = new AbortController()
    const cancelTimeout = after(this.#clock, limits.answerMsMax, () => late.abort())
    try {
      const token = await askToken(this.#token, late.signal)
      return token === shown || this.#closed ? null : token
    } catch {
      return null
    } finally {
      cancelTimeout()
    }
  }

  #begun(socket: Socket): ReplicaConnection {
    let watching = () => {}
    let closed = () => {}
    const over = new Promise<void>((resolve) => (closed = resolve))
    const connection = replicaConnection(socket, this.#clock, {
      onIdle: () => connection.close({ code: null, message: 'the last channel was closed' }),
      onClosed: () => {
        watching()
        this.#standing.delete(connection)
        closed()
      },
    })
    this.#standing.set(connection, over)
    watching = this.#watch(connection)
    return connection
  }

  /** Closes a connection whose hub has fallen silent. */
  #watch(connection: ReplicaConnection): () => void {
    let cancel = () => {}
    let silentBeats = 0
    let framesSeen = connection.framesReceived
    const look = () => {
      const { framesReceived, isPaused } = connection
      silentBeats = framesReceived === framesSeen && !isPaused ? silentBeats + 1 : 0
      framesSeen = framesReceived
      if (silentBeats >= SILENT_BEATS_MAX) {
        connection.close({ code: 'HUB_UNREACHABLE', message: `the hub at ${this.#url.origin} fell silent` })
      } else cancel = after(this.#clock, limits.heartbeatMs, look)
    }
    cancel = after(this.#clock, limits.heartbeatMs, look)
    return () => cancel()
  }
}

function orAborted<Value>(result: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(givenUp())
    signal.addEventListener('abort', abort, { once: true })
    void result.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function givenUp(): SyncError {
  return new SyncError('HUB_UNREACHABLE', 'dialing was given up')
}
