/**
 * One-shot exchanges with a hub by HTTP: every message up in one request, every message down in its response. Channels of
 * several namespaces may share one (`httpBatch`). The hub cannot tell it from a socket, except that it hears all at once.
 */
import { asSyncError, limits, SyncError, type Clock, type CloseReason, type Dial } from '@rejoin/core'
import { replicaConnection } from './sides.ts'
import { BODY_BYTES_MAX, FRAMES_TYPE, FrameStream, prefixed } from './frame-stream.ts'
import { syncUrl } from './hub-url.ts'
import { refusalOf } from './refusal.ts'
import { after, type Socket, type SocketHandler } from './socket.ts'
import { askToken, type TokenSource } from './token.ts'
import { unreachable } from './unreachable.ts'

const REFUSAL_CHARS_MAX = 4_096

/** What is used of the platform's `fetch`. */
export type Fetch = (url: URL, init: RequestInit) => Promise<Response>

export interface HttpDialerOptions {
  /** The hub's URL, the same as for a live socket. */
  readonly url: string
  readonly clock: Clock
  /** Sent with the request, e.g. `authorization`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Asked at each exchange, and sent in its head; never in the URL. */
  readonly token?: TokenSource | undefined
  readonly fetch?: Fetch
}

export interface HttpBatch {
  /** Opens a channel of the batch; nothing is sent yet. @throws SyncError CHANNEL_CLOSED after `send`. */
  readonly dial: Dial
  /** Posts once every channel has ended or closed; resolves when all of them are closed. */
  send(): Promise<void>
}

/**
 * Each dial is an exchange of its own, posted when its channel ends. As nothing is asked of the hub before, a hub that
 * cannot be reached shows in the channel's close reason: HUB_UNREACHABLE.
 * @throws SyncError INPUT_INVALID where `url` is no hub's.
 */
export function httpDialer(options: HttpDialerOptions): { dial: Dial } {
  syncUrl(options.url)
  return {
    dial: async (signal) => {
      const batch = httpBatch(options)
      const channel = await batch.dial(signal)
      void batch.send()
      return channel
    },
  }
}

/** @throws SyncError INPUT_INVALID where `url` is no hub's. */
export function httpBatch(options: HttpDialerOptions): HttpBatch {
  const socket = new ExchangeSocket(options)
  const connection = replicaConnection(socket, options.clock, { oneShot: true })
  const channels: ReturnType<typeof connection.open>[] = []
  let sealed = false
  return {
    dial: async (signal) => {
      if (sealed) throw new SyncError('CHANNEL_CLOSED', 'this batch was sent: make a new one')
      if (signal.aborted) throw new SyncError('HUB_UNREACHABLE', 'dialing was given up')
      const channel = connection.open()
      channels.push(channel)
      return channel
    },
    send: async () => {
      sealed = true
      for (const channel of channels) {
        await channel.ended
        await channel.drained()
      }
      await socket.post()
      await Promise.all(channels.map((channel) => channel.closed))
    },
  }
}

/** Collects frames until `post`, then gives those of the response. What is sent after that has nobody to hear it. */
class ExchangeSocket implements Socket {
  readonly pausable = true
  readonly #options: HttpDialerOptions
  readonly #url: URL
  readonly #abort = new AbortController()
  readonly #body: Uint8Array[] = []
  #bodyBytes = 0
  #handler: SocketHandler | null = null
  #posted = false
  #over = false
  #paused = false
  #onResume: () => void = () => {}
  #cancelTimeout: () => void = () => {}

  constructor(options: HttpDialerOptions) {
    this.#options = options
    this.#url = syncUrl(options.url)
  }

  handle(handler: SocketHandler): void {
    this.#handler = handler
  }

  send(frame: Uint8Array, taken: () => void): void {
    queueMicrotask(taken)
    if (this.#posted) return
    const bytes = prefixed(frame)
    this.#body.push(bytes)
    this.#bodyBytes += bytes.length
    if (this.#bodyBytes > BODY_BYTES_MAX) {
      const message = `one exchange carries at most ${BODY_BYTES_MAX} bytes up: push less at a time`
      queueMicrotask(() => this.#lose({ code: 'MESSAGE_TOO_LARGE', message }))
    }
  }

  close(reason: CloseReason): void {
    this.#lose(reason)
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#onResume()
  }

  /** One request and its whole response; never rejects. */
  async post(): Promise<void> {
    if (this.#over || this.#posted) return
    this.#posted = true
    try {
      await this.#exchange()
      this.#lose({ code: null, message: `the answer of ${this.#url.origin} ended early` })
    } catch (error) {
      const said = asSyncError(error, 'HUB_UNREACHABLE', `no hub answers at ${this.#url.origin}`)
      const { code, message, retryAfterMs } = said
      this.#lose({ code, message, ...(retryAfterMs === null ? {} : { retryAfterMs }) })
    } finally {
      this.#cancelTimeout()
    }
  }

  async #exchange(): Promise<void> {
    this.#timeAnswer()
    const response = await this.#fetch()
    const body: AsyncIterable<Uint8Array> | null = response.body
    if (response.status !== 200 || body === null) {
      throw refusalOf(this.#url, response.status, await readText(body ?? nothing()))
    }
    const frames = new FrameStream()
    for await (const chunk of body) {
      this.#timeAnswer()
      frames.push(chunk)
      for (let frame = frames.next(); frame !== null; frame = frames.next()) {
        if (this.#over) return
        this.#handler?.frame(frame)
        if (this.#paused) await this.#resumed()
      }
    }
    frames.end()
  }

  async #fetch(): Promise<Response> {
    const { token, fetch = globalThis.fetch } = this.#options
    const signedIn =
      token === undefined ? {} : { authorization: `Bearer ${await askToken(token, this.#abort.signal)}` }
    try {
      return await fetch(this.#url, {
        method: 'POST',
        headers: { ...this.#options.headers, ...signedIn, 'content-type': FRAMES_TYPE, accept: FRAMES_TYPE },
        body: new Blob(this.#body as Uint8Array<ArrayBuffer>[]),
        redirect: 'error',
        signal: this.#abort.signal,
      })
    } catch (error) {
      throw unreachable(this.#url, error)
    }
  }

  /** Each part of an answer has its time, from the part before it. */
  #timeAnswer(): void {
    this.#cancelTimeout()
    if (this.#over) return
    this.#cancelTimeout = after(this.#options.clock, limits.answerMsMax, () => {
      const message = `no hub answers at ${this.#url.origin} in ${limits.answerMsMax} ms`
      this.#lose({ code: 'HUB_UNREACHABLE', message })
    })
  }

  /** While the reader has enough, the answer's time does not run. */
  async #resumed(): Promise<void> {
    this.#cancelTimeout()
    await new Promise<void>((resolve) => (this.#onResume = resolve))
    this.#timeAnswer()
  }

  #lose(reason: CloseReason): void {
    if (this.#over) return
    this.#over = true
    this.#cancelTimeout()
    this.#body.length = 0
    this.#handler?.closed(reason)
    this.#abort.abort()
    this.#onResume()
  }
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > REFUSAL_CHARS_MAX) break
  }
  return text
}

async function* nothing(): AsyncIterable<Uint8Array> {}
