/** What a hub serves beside its protocol: thin clients' JSON, and its log as a stream of ops. Refusals are JSON, too. */
import { type Clock, type HubChannel, type HubStore } from '@rejoin/core'
import { anyone, type Principal } from '@rejoin/hub'
import type { RouteRequest, Routes } from '@rejoin/transport/server'
import { refusalAnswer, refusalOf } from './answers.ts'
import { LogSignals } from './log-signals.ts'
import { OpsStreams } from './ops-stream.ts'
import { ThinClients, type ReceivedQueryLog } from './thin-clients.ts'

export interface GatewayOptions {
  readonly clock: Clock
  /** Whether thin clients are served: `/api`. Otherwise the stream of ops alone is. */
  readonly thinClients: boolean
  readonly onQueryLog?: ((entries: readonly ReceivedQueryLog[]) => void) | undefined
  readonly onFault: (error: unknown) => void
}

/** What a gateway serves from, once it is there. */
export interface GatewaySource {
  readonly store: HubStore
  readonly accept: (channel: HubChannel, principal: Principal) => void
}

export class Gateway {
  /** For the hub: it publishes what it appends. */
  readonly signals = new LogSignals()
  readonly #options: GatewayOptions
  #serving: { readonly streams: OpsStreams; readonly thinClients: ThinClients | null } | null = null

  constructor(options: GatewayOptions) {
    this.#options = options
  }

  /** For the server. */
  get routes(): Routes<Principal> {
    const paths = this.#options.thinClients ? ['/api/*', '/v1/:namespace/ops'] : ['/v1/:namespace/ops']
    return { paths, handle: (request) => this.#handle(request) }
  }

  /** From now on requests are served. */
  open(source: GatewaySource): void {
    const { signals } = this
    const { clock, onFault, onQueryLog, thinClients } = this.#options
    this.#serving = {
      streams: new OpsStreams({ ...source, signals, clock, onFault }),
      thinClients: thinClients ? new ThinClients({ ...source, clock, onFault, onQueryLog }) : null,
    }
  }

  /** Before the hub closes: what is open of it here is its client. Idempotent. */
  async close(): Promise<void> {
    await this.#serving?.thinClients?.close()
  }

  async #handle(request: RouteRequest<Principal>): Promise<Response | null> {
    try {
      const signedIn = await request.principal()
      if (this.#serving === null) return refusalAnswer(starting)
      const principal = signedIn === 'anonymous' ? anyone : signedIn
      const { streams, thinClients } = this.#serving
      const answer =
        (await streams.handle(request, principal)) ?? (await thinClients?.handle(request, principal)) ?? null
      return answer ?? refusalAnswer(nothingHere(request))
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal !== null) return refusalAnswer(refusal)
      this.#options.onFault(error)
      return refusalAnswer(bug)
    }
  }
}

const starting = { status: 503, error: 'HUB_CLOSING', message: 'the hub is starting: try again in a moment' }
const bug = {
  status: 500,
  error: 'HUB_INTERNAL',
  message: 'the hub met a bug; its operator can read more in its log',
}

function nothingHere({ method, url }: RouteRequest<Principal>) {
  const message = `there is nothing at ${method} ${url.pathname.slice(0, 200)}`
  return { status: 404, error: 'MESSAGE_UNKNOWN', message }
}
