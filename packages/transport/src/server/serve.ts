/**
 * Serves a hub on one port: live sockets on `/v1/live`, one-shot exchanges on `POST /v1/sync`, plain Yjs clients on `/yjs`,
 * `/healthz` and `/readyz`.
 * A hub without authentication listens on loopback only. Closing is orderly and ends within `CLOSE_MS_MAX`.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { limits, type CloseReason, type HubChannel } from '@rejoin/core'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { BODY_BYTES_MAX, FRAMES_TYPE, type FrameStream } from '../frame-stream.ts'
import { SYNC_PATH } from '../hub-url.ts'
import { after } from '../socket.ts'
import { checkAnnounced, readBody } from './body.ts'
import { Entrance, type Guest } from './entrance.ts'
import { exchange, type Exchange, type ExchangeOptions } from './exchange.ts'
import { Gate, type HubRequest } from './gate.ts'
import { Intake, type Place } from './intake.ts'
import { checkHost, whyNotListening } from './listening.ts'
import { LiveSockets } from './live.ts'
import type { ServerLog } from './log.ts'
import { meteredChannel } from './metered-channel.ts'
import { Peers } from './peers.ts'
import { refusal, refusalFor } from './refuse.ts'
import { routeRequest } from './routes.ts'
import type { HubServer, ServeHubOptions } from './serve-options.ts'
import { isYjsPath } from './yjs-request.ts'
import { YjsSockets } from './yjs-sockets.ts'

/** Milliseconds between two looks of Node at the times of heads and requests. */
const TIMES_LOOK_MS = 1_000
/** Milliseconds that peers have to take what still waits for them when the server closes. */
const CLOSE_MS_MAX = 5_000

/** @throws SyncError PORT_IN_USE, FORBIDDEN (beyond loopback without authentication, or no right to the port), INPUT_INVALID */
export function serveHub<Principal = 'anonymous'>(options: ServeHubOptions<Principal>): Promise<HubServer> {
  return serveHubWith(new Intake(), options)
}

/** `serveHub` with its HTTP requests counted by `intake`. */
export async function serveHubWith<Principal = 'anonymous'>(
  intake: Intake,
  options: ServeHubOptions<Principal>,
): Promise<HubServer> {
  const { clock, authenticate, origins, behindTlsProxy = false } = options
  checkHost(options)
  const gate = new Gate<Principal>({ clock, authenticate, origins, isBehindProxy: behindTlsProxy })
  const service = new HubService(options, gate, intake)
  await service.listen()
  return { url: service.url, close: () => service.close() }
}

type HubApp<Principal> = Hono<{
  Bindings: HttpBindings
  Variables: { principal: Principal | 'anonymous' }
}>

class HubService<Principal> {
  readonly #options: ServeHubOptions<Principal>
  readonly #gate: Gate<Principal>
  readonly #peers: Peers
  readonly #entrance: Entrance<Principal>
  readonly #intake: Intake
  readonly #log: ServerLog
  readonly #server: Server
  readonly #live: LiveSockets<Principal>
  readonly #yjs: YjsSockets<Principal> | null
  readonly #exchanges = new Set<Exchange>()
  /** Answers that are not yet given whole. */
  readonly #answers = new Set<Promise<void>>()
  /** Aborted for whoever answers without end. */
  readonly #closing = new AbortController()
  #closed: Promise<void> | null = null

  constructor(options: ServeHubOptions<Principal>, gate: Gate<Principal>, intake: Intake) {
    const { clock, accept, tls, signInOf = () => null } = options
    this.#options = options
    this.#gate = gate
    this.#peers = new Peers(clock, options.peerLimits)
    this.#entrance = new Entrance({ gate, peers: this.#peers, signInOf })
    this.#intake = intake
    this.#log = options.log ?? (() => {})
    const shared = { clock, entrance: this.#entrance, log: this.#log }
    const { acceptPlain, renewable = null } = options
    this.#live = new LiveSockets({ ...shared, accept, renewable })
    this.#yjs = acceptPlain === undefined ? null : new YjsSockets({ ...shared, accept: acceptPlain })
    // Without HTTP/2 options the adapter makes an HTTP/1 server.
    this.#server = createAdaptorServer({
      fetch: this.#app().fetch,
      overrideGlobalObjects: false,
      ...(tls === undefined ? {} : { createServer: createTlsServer }),
      serverOptions: {
        ...(tls === undefined ? {} : { ...tls, handshakeTimeout: limits.requestHeadMsMax }),
        headersTimeout: limits.requestHeadMsMax,
        requestTimeout: limits.requestMsMax,
        connectionsCheckingInterval: TIMES_LOOK_MS,
      },
    }) as Server
    this.#server.maxConnections = limits.socketsMax
    // A proxy has all of its callers' connections.
    if (options.behindTlsProxy !== true) this.#server.on('connection', (socket: Socket) => this.#plug(socket))
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const over = new Promise<void>((resolve) => onceAnswered(request, response, resolve))
      this.#answers.add(over)
      void over.then(() => this.#answers.delete(over))
    })
    this.#server.on('upgrade', (request, socket, head) => {
      const sockets = this.#yjs !== null && isYjsPath(request.url) ? this.#yjs : this.#live
      sockets.upgrades.take(request, socket, head)
    })
  }

  get url(): string {
    // A server that listens on a port has an address of this form.
    const { address, family, port } = this.#server.address() as AddressInfo
    const scheme = this.#options.tls === undefined ? 'http' : 'https'
    return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  listen(): Promise<void> {
    const { host, port } = this.#options
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) => reject(whyNotListening(error, host, port)))
      this.#server.listen({ host, port }, () => {
        this.#server.removeAllListeners('error')
        this.#server.on('error', (error) => this.#log({ event: 'fault', error }))
        resolve()
      })
    })
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    const reason: CloseReason = { code: 'HUB_CLOSING', message: 'the hub is closing: connect again later' }
    const stopped = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    let tooLate = () => {}
    const deadline = new Promise<void>((resolve) => (tooLate = resolve))
    const cancel = after(this.#options.clock, CLOSE_MS_MAX, tooLate)
    this.#entrance.close(reason)
    await Promise.race([this.#beforeClose(), deadline])
    this.#closing.abort()
    for (const open of this.#exchanges) open.close(reason)
    const sockets = [this.#live.close(reason), this.#yjs?.close(reason)]
    await Promise.race([Promise.all([...sockets, ...this.#answers]), deadline])
    cancel()
    this.#live.terminate()
    this.#yjs?.terminate()
    // What is left is idle, or half a request that will never be one.
    this.#server.closeAllConnections()
    await stopped
  }

  async #beforeClose(): Promise<void> {
    try {
      await this.#options.beforeClose?.()
    } catch (error) {
      this.#log({ event: 'fault', error })
    }
  }

  #app(): HubApp<Principal> {
    const app: HubApp<Principal> = new Hono()
    app.onError((error, c) => {
      const { status, body, headers } = refusalFor(error, this.#log)
      return c.json(body, status, { ...headers })
    })
    app.notFound((c) =>
      c.json({ code: 'MESSAGE_UNKNOWN', message: 'a hub answers at /v1/sync and /v1/live' }, 404),
    )
    app.get('/healthz', (c) => c.json({ status: 'ok' }))
    app.get('/readyz', (c) => {
      if (this.#closed === null && (this.#options.ready?.() ?? true)) return c.json({ status: 'ready' })
      const { status, body } = refusal('HUB_CLOSING', 'the hub takes no new connections now')
      return c.json(body, status)
    })
    app.use(`/${SYNC_PATH}`, async (c, next) => {
      const allow = cors({
        origin: (origin) => (this.#gate.allowsOrigin(origin, c.req.header('host') ?? null) ? origin : null),
        allowMethods: ['POST'],
        allowHeaders: ['content-type', 'authorization', 'x-api-key'],
        maxAge: 600,
      })
      return allow(c, next)
    })
    app.post(`/${SYNC_PATH}`, async (c) => {
      const { principal, seat } = await this.#admit(this.#entrance.requestOf(c.env.incoming))
      onceAnswered(c.env.incoming, c.env.outgoing, () => seat.leave())
      const announced = Number(c.req.header('content-length') ?? 0)
      checkAnnounced(announced, BODY_BYTES_MAX)
      const place = this.#intake.enter(announced)
      onceAnswered(c.env.incoming, c.env.outgoing, () => place.leave())
      const request = await readBody(c.env.incoming, place)
      const bounds = {
        join: (namespace: string) => this.#entrance.join(namespace),
        greetings: seat.greetings,
        // It is answered once, and never behind.
        connectionBacklogBytes: () => 0,
      }
      const accept = (channel: HubChannel) =>
        this.#options.accept(meteredChannel(channel, seat.meter, bounds), principal)
      const onBacklog = (bytes: number): void => seat.greetings.changed(bytes)
      const body = await this.#answer(request, place, { accept, onBacklog })
      return c.body(body, 200, { 'content-type': FRAMES_TYPE, 'cache-control': 'no-store' })
    })
    for (const path of this.#options.routes?.paths ?? []) this.#mount(app, path)
    return app
  }

  #mount(app: HubApp<Principal>, path: string): void {
    app.use(path, async (c, next) => {
      const allow = cors({
        origin: (origin) => (this.#gate.allowsOrigin(origin, c.req.header('host') ?? null) ? origin : null),
        allowMethods: ['GET', 'POST'],
        allowHeaders: ['content-type', 'authorization', 'x-api-key', 'last-event-id'],
        maxAge: 600,
      })
      return allow(c, next)
    })
    app.all(path, async (c) => {
      const { incoming, outgoing } = c.env
      const request = routeRequest({
        asking: this.#entrance.requestOf(incoming),
        url: new URL(c.req.url),
        body: incoming,
        intake: this.#intake,
        admit: (asking) => this.#admit(asking),
        whenAnswered: (act) => onceAnswered(incoming, outgoing, act),
        closing: this.#closing.signal,
      })
      return (await this.#options.routes?.handle(request)) ?? c.notFound()
    })
  }

  /** Who sent a request; it counts as one of their connections until its seat is left. */
  async #admit(asking: HubRequest): Promise<Guest<Principal>> {
    const judged = this.#entrance.knock(asking)
    try {
      return await this.#entrance.admit(asking)
    } finally {
      judged()
    }
  }

  /** What does nothing has no refusal to wait for (`HAZARDS.md` G7). */
  #plug(socket: Socket): void {
    const unplug = this.#peers.plug(socket.remoteAddress ?? null)
    if (unplug === null) socket.destroy()
    else socket.on('close', unplug)
  }

  /** What the request pushes counts as held until every channel of it is closed. */
  #answer(
    request: FrameStream,
    place: Place,
    hooks: Pick<ExchangeOptions, 'accept' | 'onBacklog'>,
  ): Promise<ReadableStream<Uint8Array>> {
    const open = exchange(request, {
      clock: this.#options.clock,
      ...hooks,
      onFault: (error) => this.#log({ event: 'fault', error }),
    })
    this.#exchanges.add(open)
    place.onEvicted = ({ code, message }) => open.close({ code, message })
    void open.closed.then(() => {
      place.release()
      this.#exchanges.delete(open)
    })
    return open.answer
  }
}

/** Acts once, when the answer has been given or its caller has gone. A queued answer of a lost socket does not close. */
function onceAnswered(request: IncomingMessage, response: ServerResponse, act: () => void): void {
  const { socket } = request
  const done = () => {
    response.off('close', done)
    socket.off('close', done)
    act()
  }
  response.on('close', done)
  socket.on('close', done)
}
