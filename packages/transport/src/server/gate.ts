/**
 * Who may come in: the same for WebSocket upgrades and HTTP requests. Browsers are held to their origin (`HAZARDS.md` G1):
 * loopback pages and the allow-list; pages of the hub's own host too, where callers are authenticated. Without that, a
 * foreign name that resolves to loopback would be the hub's own host.
 */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { limits, SyncError, type Clock } from '@rejoin/core'
import { after } from '../socket.ts'
import { hasCredentials } from './credentials.ts'

export interface HubRequest {
  readonly method: string
  /** With the query, without the host. */
  readonly path: string
  readonly headers: Headers
  /** Behind a proxy that of whom it speaks for. */
  readonly remoteAddress: string | null
}

/**
 * Who is asking. Null refuses with UNAUTHENTICATED; a thrown SyncError (UNAUTHENTICATED, SIGN_IN_EXPIRED, FORBIDDEN,
 * RATE_LIMITED …) refuses with its code. Given up after `limits.signInMsMax`, when `signal` is aborted.
 */
export type Authenticate<Principal> = (
  request: HubRequest,
  signal: AbortSignal,
) => Principal | null | Promise<Principal | null>

export interface GateOptions<Principal> {
  readonly clock: Clock
  readonly authenticate?: Authenticate<Principal> | undefined
  /** Origins of pages that may connect, e.g. `https://app.example`. */
  readonly origins?: readonly string[] | undefined
  /** Whether a proxy stands before the port, and says whom it speaks for. */
  readonly isBehindProxy: boolean
}

export class Gate<Principal> {
  readonly #clock: Clock
  readonly #authenticate: Authenticate<Principal> | undefined
  readonly #origins: ReadonlySet<string>
  readonly #isBehindProxy: boolean

  constructor(options: GateOptions<Principal>) {
    this.#clock = options.clock
    this.#authenticate = options.authenticate
    this.#origins = new Set(options.origins)
    this.#isBehindProxy = options.isBehindProxy
  }

  requestOf(request: IncomingMessage): HubRequest {
    const headers = new Headers()
    for (const [name, values] of Object.entries(request.headersDistinct)) {
      for (const value of values ?? []) headers.append(name, value)
    }
    const { method = 'GET', url = '/', socket } = request
    const forwarded = this.#isBehindProxy ? lastForwarded(headers) : null
    return { method, path: url, headers, remoteAddress: forwarded ?? socket.remoteAddress ?? null }
  }

  /** @throws SyncError FORBIDDEN for a foreign origin. */
  checkOrigin({ headers }: HubRequest): void {
    const origin = headers.get('origin')
    if (origin === null || this.allowsOrigin(origin, headers.get('host'))) return
    throw new SyncError(
      'FORBIDDEN',
      `pages of ${origin.slice(0, 200)} may not connect: add it to the hub's origins`,
    )
  }

  /**
   * @throws SyncError FORBIDDEN for a foreign origin, UNAUTHENTICATED, SIGN_IN_UNAVAILABLE where it takes too long, or what
   * `authenticate` throws.
   */
  async admit(request: HubRequest): Promise<Principal | 'anonymous'> {
    this.checkOrigin(request)
    if (this.#authenticate === undefined) return 'anonymous'
    // G1: what a browser sends by itself proves nothing.
    request.headers.delete('cookie')
    const principal = mustShowToken(request) ? null : await this.#judge(this.#authenticate, request)
    if (principal !== null) return principal
    throw new SyncError(
      'UNAUTHENTICATED',
      'this hub asks for credentials: give a key or token (option `token` of a client)',
    )
  }

  async #judge(authenticate: Authenticate<Principal>, request: HubRequest): Promise<Principal | null> {
    const over = new AbortController()
    let giveUp = () => {}
    const late = new Promise<never>((_, reject) => {
      giveUp = after(this.#clock, limits.signInMsMax, () => {
        const ms = limits.signInMsMax
        reject(new SyncError('SIGN_IN_UNAVAILABLE', `who is asking was not found out in ${ms} ms: try again`))
      })
    })
    try {
      return await Promise.race([authenticate(request, over.signal), late])
    } finally {
      giveUp()
      // A reason of its own would be an error with a stack, each time.
      over.abort(judged)
    }
  }

  allowsOrigin(origin: string, host: string | null): boolean {
    if (this.#origins.has(origin)) return true
    if (!URL.canParse(origin)) return false
    const url = new URL(origin)
    if (isLoopback(url.hostname)) return true
    return this.#authenticate !== undefined && url.host === host
  }
}

const judged = 'it was found out'

/** Whom the proxy speaks for: it adds the last address; those before it anybody may have written. */
function lastForwarded(headers: Headers): string | null {
  const last = headers.get('x-forwarded-for')?.split(',').at(-1)?.trim() ?? ''
  return isIP(last) === 0 ? null : last
}

/** G1: whoever names no origin is no browser, and then has a token to show. */
function mustShowToken({ headers }: HubRequest): boolean {
  return headers.get('origin') === null && !hasCredentials(headers)
}

/** Host names and addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  return (
    name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127\.\d+\.\d+\.\d+$/.test(name)
  )
}
