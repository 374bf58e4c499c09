/**
 * Serves a hub on one port: live sockets on `/v1/live`, one-shot exchanges on `POST /v1/sync`, `/healthz` and `/readyz`.
 * A hub without authentication listens on loopback only. Closing is orderly and ends within `CLOSE_MS_MAX`.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { asSyncError, SyncError, type Clock, type CloseReason, type HubChannel } from '@rejoin/core'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { FRAMES_TYPE, type FrameStream } from '../frame-stream.ts'
import { SYNC_PATH } from '../hub-url.ts'
import { after } from '../socket.ts'
import { readBody } from './body.ts'
import { exchange, type Exchange } from './exchange.ts'
import { Gate, isLoopback, requestOf, type Authenticate } from './gate.ts'
import { Intake, type Place } from './intake.ts'
import { LiveSockets } from './live.ts'
import type { ServerLog } from './log.ts'
import { refusal, refusalFor } from './refuse.ts'

/** Milliseconds for the head of a request and for the whole of it (`HAZARDS.md` G9). */
const HEAD_MS_MAX = 10_000
const REQUEST_MS_MAX = 30_000
/** Sockets at once (`HAZARDS.md` G7); Node drops what comes beyond. */
const SOCKETS_MAX = 10_000
/** Milliseconds that peers have to take what still waits for them when the server closes. */
const CLOSE_MS_MAX = 5_000

export interface ServeHubOptions<Principal> {
  /** Gets each channel with its first message: `hub.accept`. Must not throw. */
  readonly accept: (channel: HubChannel, principal: Principal | 'anonymous') => void
  /** An address of this machine; without `authenticate` a loopback one. */
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly clock: Clock
  readonly authenticate?: Authenticate<Principal>
  /** Origins of pages that may connect beside those of loopback. */
  readonly origins?: readonly string[]
  /** What `GET /readyz` says; true where absent. */
  readonly ready?: () => boolean
  /** Awaited first when closing (at most `CLOSE_MS_MAX`): here a hub says `Closing` and finishes what it has begun. */
  readonly beforeClose?: () => Promise<void>
  readonly log?: ServerLog
}

export interface HubServer {
  /** Where it listens, e.g. `http://127.0.0.1:4400`: the same for HTTP and WebSocket. */
  readonly url: string
  /** Resolves when nothing is left running. Idempotent. */
  close(): Promise<void>
}

/** @throws SyncError PORT_IN_USE, FORBIDDEN (beyond loopback without authentication, or no right to the port), INPUT_INVALID */
export function serveHub<Principal = 'anonymous'>(options: ServeHubOptions<Principal>): Promise<HubServer> {
  return serveHubWith(new Intake(), options)
}

/** `serveHub` with its HTTP requests counted by `intake`. */
export async function serveHubWith<Principal = 'anonymous'>(
  intake: Intake,
  options: ServeHubOptions<Principal>,
): Promise<HubServer> {
  const { host, authenticate, origins } = options
  if (authenticate === undefined && !isLoopback(host)) {
    throw new SyncError(
      'FORBIDDEN',
      `a hub without authentication listens on loopback only, not on ${host}: use 127.0.0.1, or give \`authenticate\``,
    )
  }
  const service = new HubService(options, new Gate<Principal>({ authenticate, origins }), intake)
  await service.listen()
  return { url: service.url, close: () => service.close() }
}

class HubService<Principal> {
  readonly #options: ServeHubOptions<Principal>
  readonly #gate: Gate<Principal>
  readonly #intake: Intake
  readonly #log: ServerLog
  readonly #server: Server
  readonly #live: LiveSockets<Principal>
  readonly #exchanges = new Set<Exchange>()
  /** Answers that are not yet given whole. */
  readonly #answers = new Set<Promise<void>>()
  #closed: Promise<void> | null = null

  constructor(options: ServeHubOptions<Principal>, gate: Gate<Principal>, intake: Intake) {
    const { clock, accept } = options
    this.#options = options
    this.#gate = gate
    this.#intake = intake
    this.#log = options.log ?? (() => {})
    this.#live = new LiveSockets({ clock, gate, accept, log: this.#log })
    // Without HTTP/2 options the adapter makes a plain HTTP/1 server.
    this.#server = createAdaptorServer({
      fetch: this.#app().fetch,
      overrideGlobalObjects: false,
      serverOptions: {
        headersTimeout: HEAD_MS_MAX,
        requestTimeout: REQUEST_MS_MAX,
        connectionsCheckingInterval: 1_000,
      },
    }) as Server
    this.#server.maxConnections = SOCKETS_MAX
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const over = new Promise<void>((resolve) => onceAnswered(request, response, resolve))
      this.#answers.add(over)
      void over.then(() => this.#answers.delete(over))
    })
    this.#server.on('upgrade', (request, socket, head) => void this.#live.upgrade(request, socket, head))
  }

  get url(): string {
    // A server that listens on a port has an address of this form.
    const { address, family, port } = this.#server.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
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
    await Promise.race([this.#beforeClose(), deadline])
    for (const open of this.#exchanges) open.close(reason)
    await Promise.race([Promise.all([this.#live.close(reason), ...this.#answers]), deadline])
    cancel()
    this.#live.terminate()
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

  #app(): Hono<{ Bindings: HttpBindings; Variables: { principal: Principal | 'anonymous' } }> {
    const app = new Hono<{ Bindings: HttpBindings; Variables: { principal: Principal | 'anonymous' } }>()
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
        allowHeaders: ['content-type', 'authorization'],
        maxAge: 600,
      })
      return allow(c, next)
    })
    app.post(`/${SYNC_PATH}`, async (c) => {
      const principal = await this.#gate.admit(requestOf(c.env.incoming))
      if (this.#closed !== null) throw new SyncError('HUB_CLOSING', 'the hub is closing: try again later')
      const announced = Number(c.req.header('content-length') ?? 0)
      const place = this.#intake.enter(announced)
      onceAnswered(c.env.incoming, c.env.outgoing, () => place.leave())
      const request = await readBody(c.env.incoming, announced, place)
      const body = await this.#answer(request, place, principal)
      return c.body(body, 200, { 'content-type': FRAMES_TYPE, 'cache-control': 'no-store' })
    })
    return app
  }

  /** What the request pushes counts as held until every channel of it is closed. */
  #answer(
    request: FrameStream,
    place: Place,
    principal: Principal | 'anonymous',
  ): Promise<ReadableStream<Uint8Array>> {
    const open = exchange(request, {
      clock: this.#options.clock,
      accept: (channel) => this.#options.accept(channel, principal),
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

function whyNotListening(error: NodeJS.ErrnoException, host: string, port: number): SyncError {
  const where = `${host}:${port}`
  switch (error.code) {
    case 'EADDRINUSE':
      return new SyncError(
        'PORT_IN_USE',
        `${where} is in use: stop what listens there, or choose another port`,
        {
          cause: error,
        },
      )
    case 'EACCES':
      return new SyncError('FORBIDDEN', `no right to listen on ${where}: choose a port above 1023`, {
        cause: error,
      })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new SyncError('INPUT_INVALID', `${host} is no address of this machine: use 127.0.0.1`, {
        cause: error,
      })
    default:
      return asSyncError(error, 'INPUT_INVALID', `the hub cannot listen on ${where}`)
  }
}
