/** What a hub's server is given, and what it gives: its side of the door. */
import type { Clock, HubChannel, PlainHubChannel, PlainRequest, SignIn } from '@rejoin/core'
import type { Authenticate } from './gate.ts'
import type { ServerLog } from './log.ts'
import type { PeerLimits } from './peers.ts'
import type { Routes } from './routes.ts'
import type { RenewablePrincipal } from './standing.ts'

export interface ServeHubOptions<Principal> {
  /** Gets each channel with its first message: `hub.accept`. Must not throw. */
  readonly accept: (channel: HubChannel, principal: Principal | 'anonymous') => void
  /** Gets each plain Yjs client's channel: `hub.acceptPlain`. Without it `/yjs` is not served. Must not throw. */
  readonly acceptPlain?: (
    channel: PlainHubChannel,
    request: PlainRequest,
    principal: Principal | 'anonymous',
  ) => void
  /** An address of this machine; without `authenticate` a loopback one. */
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly clock: Clock
  readonly authenticate?: Authenticate<Principal>
  /** What is known of a principal's sign-in: live sockets end with it, and what is limited per principal is counted by its id. */
  readonly signInOf?: (principal: Principal) => SignIn
  /**
   * A principal that is at each moment what `current` gives: with it whoever is connected may bring a fresh token of the same
   * id, and live sockets go on with what that one may do. Without it they end with the token that they began with.
   */
  readonly renewable?: RenewablePrincipal<Principal>
  /** What one principal, address or namespace may have open and send; the bounds of `limits` where left out. */
  readonly peerLimits?: Partial<PeerLimits>
  /** PEM texts of a certificate chain and its key: then the port speaks TLS, `https:` and `wss:`. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer }
  /**
   * A proxy in front of the port speaks TLS: without it or `tls`, nothing listens beyond loopback. Then the last address of
   * `x-forwarded-for` is the caller's, so nobody but the proxy may reach the port.
   */
  readonly behindTlsProxy?: boolean
  /** Origins of pages that may connect beside those of loopback. */
  readonly origins?: readonly string[]
  /** What `GET /readyz` says; true where absent. */
  readonly ready?: () => boolean
  /** Awaited first when closing (at most 5 s): here a hub says `Closing` and finishes what it has begun. */
  readonly beforeClose?: () => Promise<void>
  /** What else is served on the port. */
  readonly routes?: Routes<Principal>
  readonly log?: ServerLog
}

export interface HubServer {
  /** Where it listens, e.g. `http://127.0.0.1:4400`: the same for HTTP and WebSocket. */
  readonly url: string
  /** Resolves when nothing is left running. Idempotent. */
  close(): Promise<void>
}
