/**
 * Who may come in: the same for WebSocket upgrades and HTTP requests. Browsers are held to their origin (`HAZARDS.md` G1):
 * loopback pages and the allow-list; pages of the hub's own host too, where callers are authenticated. Without that, a
 * foreign name that resolves to loopback would be the hub's own host.
 */
import type { IncomingMessage } from 'node:http'
import { SyncError } from '@rejoin/core'

export interface HubRequest {
  readonly method: string
  /** With the query, without the host. */
  readonly path: string
  readonly headers: Headers
  readonly remoteAddress: string | null
}

/** Null refuses with UNAUTHENTICATED; a thrown SyncError (FORBIDDEN, RATE_LIMITED) refuses with its code. */
export type Authenticate<Principal> = (request: HubRequest) => Principal | null | Promise<Principal | null>

export interface GateOptions<Principal> {
  readonly authenticate?: Authenticate<Principal> | undefined
  /** Origins of pages that may connect, e.g. `https://app.example`. */
  readonly origins?: readonly string[] | undefined
}

export function requestOf(request: IncomingMessage): HubRequest {
  const headers = new Headers()
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value)
  }
  const { method = 'GET', url = '/', socket } = request
  return { method, path: url, headers, remoteAddress: socket.remoteAddress ?? null }
}

export class Gate<Principal> {
  readonly #authenticate: Authenticate<Principal> | undefined
  readonly #origins: ReadonlySet<string>

  constructor(options: GateOptions<Principal>) {
    this.#authenticate = options.authenticate
    this.#origins = new Set(options.origins)
  }

  /** @throws SyncError FORBIDDEN for a foreign origin, UNAUTHENTICATED, or what `authenticate` throws. */
  async admit(request: HubRequest): Promise<Principal | 'anonymous'> {
    const origin = request.headers.get('origin')
    if (origin !== null && !this.allowsOrigin(origin, request.headers.get('host'))) {
      throw new SyncError(
        'FORBIDDEN',
        `pages of ${origin.slice(0, 200)} may not connect: add it to the hub's origins`,
      )
    }
    if (this.#authenticate === undefined) return 'anonymous'
    const principal = await this.#authenticate(request)
    if (principal === null)
      throw new SyncError('UNAUTHENTICATED', 'this hub asks for credentials: send an authorization')
    return principal
  }

  allowsOrigin(origin: string, host: string | null): boolean {
    if (this.#origins.has(origin)) return true
    if (!URL.canParse(origin)) return false
    const url = new URL(origin)
    if (isLoopback(url.hostname)) return true
    return this.#authenticate !== undefined && url.host === host
  }
}

/** Host names and addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  return (
    name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127\.\d+\.\d+\.\d+$/.test(name)
  )
}
