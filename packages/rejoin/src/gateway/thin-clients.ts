/**
 * The JSON gateway: thin clients of the intents domain poll `POST /api/sync`, fetch `POST /api/snapshot` when they are told
 * to start cold, and list `GET /api/namespaces`. Bodies are those of `docs/gateway.md`.
 */
import {
  signInEnd,
  SyncError,
  type Clock,
  type HubChannel,
  type HubStore,
  type Namespace,
} from '@rejoin/core'
import { anyone, type Principal } from '@rejoin/hub'
import {
  exportOf,
  parseInput,
  parseJson,
  snapshotRequestSchema,
  syncRequestSchema,
  type QueryLog,
  type SyncRequest,
} from '@rejoin/intents'
import type { RouteRequest } from '@rejoin/transport/server'
import { jsonAnswer, jsonParts, streamedAnswer } from './answers.ts'
import { applyCorrections } from './corrections.ts'
import { answerNamespace, fullBudget, type NamespaceAnswer } from './deltas.ts'
import { readableNamespaces, viewNamespace } from './namespaces.ts'
import { GatewayReplicas, type IntentsReplica } from './replicas.ts'

export interface ThinClientsOptions {
  readonly store: HubStore
  readonly accept: (channel: HubChannel, principal: Principal) => void
  readonly clock: Clock
  readonly onFault: (error: unknown) => void
  /** Takes the query log of thin clients; without it no entry is accepted. */
  readonly onQueryLog?: ((entries: readonly ReceivedQueryLog[]) => void) | undefined
}

/** A query log entry with whose it is. */
export interface ReceivedQueryLog extends QueryLog {
  /** `connected:` and the name of the principal. */
  readonly source: string
}

/** Bytes of one request: a thousand corrections or log entries of some kilobytes each. */
const BODY_BYTES_MAX = 4 * 1024 * 1024

/** Reads for all: what the caller may read was checked before. */
const reader: Principal = {
  ...anyone,
  id: 'gateway',
  name: 'gateway',
  canWrite: () => false,
  canAdmin: () => false,
}

export class ThinClients {
  readonly #options: ThinClientsOptions
  readonly #replicas: GatewayReplicas

  constructor(options: ThinClientsOptions) {
    this.#options = options
    this.#replicas = new GatewayReplicas(options)
  }

  /** Null: nothing is at this path. */
  async handle(request: RouteRequest<Principal>, principal: Principal): Promise<Response | null> {
    const { method, url } = request
    switch (`${method} ${url.pathname}`) {
      case 'POST /api/sync':
        return jsonAnswer(await this.#sync(await this.#syncRequest(request), principal))
      case 'POST /api/snapshot': {
        const { namespace_ids: ids } = await bodyOf(request, snapshotRequestSchema)
        return this.#stream(jsonParts('{"namespaces":{', this.#snapshots(ids ?? [], principal), '}}'))
      }
      case 'GET /api/namespaces':
        return this.#stream(jsonParts('[', this.#listed(principal), ']'))
      default:
        return null
    }
  }

  close(): Promise<void> {
    return this.#replicas.close()
  }

  /** Each correction is a commit, made or not. */
  async #syncRequest(request: RouteRequest<Principal>): Promise<SyncRequest> {
    const sync = await bodyOf(request, syncRequestSchema)
    request.commits(sync.corrections.length)
    return sync
  }

  /** Corrections first, then logs, then what each namespace lacks: so a correction's effect is in the same answer. */
  async #sync(request: SyncRequest, principal: Principal): Promise<object> {
    const { store, onQueryLog } = this.#options
    const parts = { store, replicas: this.#replicas, reader }
    const outcomes = await applyCorrections(parts, principal, request.corrections)
    const source = `connected:${principal.name}`
    if (request.logs.length > 0) onQueryLog?.(request.logs.map((entry) => ({ ...entry, source })))
    const budget = fullBudget()
    const answers: [string, NamespaceAnswer][] = []
    for (const [name, version] of Object.entries(request.local_versions)) {
      answers.push([name, await answerNamespace(parts, principal, name, version, request, budget)])
    }
    return {
      namespaces: Object.fromEntries(answers),
      logs_accepted: onQueryLog === undefined ? 0 : request.logs.length,
      corrections_applied: outcomes.filter(({ status }) => status !== 'rejected').length,
      ...(outcomes.length > 0 && { corrections: outcomes }),
    }
  }

  async *#snapshots(ids: readonly string[], principal: Principal): AsyncGenerator<string> {
    const { store } = this.#options
    const names = ids.length > 0 ? [...new Set(ids)] : await readableNamespaces(store, principal)
    for (const name of names) {
      const snapshot = await this.#read(name, principal, (replica, version) => ({
        version,
        export: JSON.stringify(exportOf(replica.tables, version)),
      }))
      if (snapshot !== null) yield `${JSON.stringify(name)}:${JSON.stringify(snapshot)}`
    }
  }

  async *#listed(principal: Principal): AsyncGenerator<string> {
    for (const id of await readableNamespaces(this.#options.store, principal)) {
      const listed = await this.#read(id, principal, (replica, version) => {
        const { name = '', description = '' } = replica.tables.namespace.get()
        return { id, name, description, version }
      })
      if (listed !== null) yield JSON.stringify(listed)
    }
  }

  /** What a namespace's document reads; null where there is none, also where it was removed meanwhile. */
  async #read<T>(
    name: string,
    principal: Principal,
    read: (replica: IntentsReplica, version: number) => T,
  ): Promise<T | null> {
    const { store, clock } = this.#options
    // An answer of many namespaces takes a while: what is asked for by nobody any more is not sent.
    const ended = signInEnd(principal, clock.now())
    if (ended !== null) throw ended
    const view = await viewNamespace(store, principal, name)
    if (view.kind !== 'present') return null
    try {
      return await this.#use(view.namespace, read)
    } catch (error) {
      if (error instanceof SyncError && error.code === 'NAMESPACE_DELETED') return null
      throw error
    }
  }

  #use<T>(namespace: Namespace, read: (replica: IntentsReplica, version: number) => T): Promise<T> {
    return this.#replicas.use(namespace, reader, async (replica) =>
      read(replica, replica.status.cursor?.seq ?? 0),
    )
  }

  #stream(parts: AsyncGenerator<string, void>): Promise<Response> {
    const { clock, onFault } = this.#options
    return streamedAnswer(parts, 'application/json', clock, onFault)
  }
}

type RequestSchema = typeof syncRequestSchema | typeof snapshotRequestSchema

async function bodyOf<S extends RequestSchema>(
  request: RouteRequest<Principal>,
  schema: S,
): Promise<ReturnType<S['parse']>> {
  const text = textOf(await request.body(BODY_BYTES_MAX))
  // What a schema gives is what its `parse` gives.
  return parseInput(schema, parseJson(text, 'body'), 'body') as ReturnType<S['parse']>
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new SyncError('INPUT_INVALID', 'the body is no UTF-8', { cause })
  }
}
