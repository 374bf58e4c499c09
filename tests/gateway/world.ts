/** A real hub on a free port, native clients of it, and requests as thin clients make them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { intents } from '@rejoin/intents'
import type { Replica } from '@rejoin/replica'
import { openClient, startHub, type HubOptions, type RunningHub } from 'rejoin'
import { ThinState, type ThinHabits } from './thin-state.ts'

export type Native = Replica<typeof intents>
export type Json = Record<string, unknown>

export interface Answer {
  readonly status: number
  readonly text: string
  readonly json: Json
}

export class GatewayWorld {
  readonly #folder: string
  readonly #options: Partial<HubOptions>
  readonly #closers: (() => Promise<void>)[] = []
  hub: RunningHub

  private constructor(folder: string, options: Partial<HubOptions>, hub: RunningHub) {
    this.#folder = folder
    this.#options = options
    this.hub = hub
  }

  static async open(options: Partial<HubOptions> = {}): Promise<GatewayWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'rejoin-gateway-'))
    const hub = await startHub({ data: join(folder, 'hub'), domains: [intents], port: 0, ...options })
    return new GatewayWorld(folder, options, hub)
  }

  get hubFolder(): string {
    return join(this.#folder, 'hub')
  }

  /** The same hub once more, on the same folder. */
  async restart(options: Partial<HubOptions> = this.#options): Promise<void> {
    await this.hub.close()
    this.hub = await startHub({ data: this.hubFolder, domains: [intents], port: 0, ...options })
  }

  /** A replica with a folder of its own; `save` brings what it did to the hub. */
  async native(
    namespace = 'support',
  ): Promise<{ readonly replica: Native; readonly sync: () => Promise<void> }> {
    const client = await openClient({
      data: await mkdtemp(join(this.#folder, 'native-')),
      hub: this.hub.url,
    })
    this.#closers.push(() => client.close())
    const replica = await client.open(intents, namespace, { live: false })
    return {
      replica,
      sync: async () => {
        if (client.dialOnce === null) throw new Error('a client with a hub can dial')
        await replica.syncOnce(client.dialOnce)
        await replica.flush()
      },
    }
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('POST', path, typeof body === 'string' ? body : JSON.stringify(body), headers)
  }

  async send(
    method: string,
    path: string,
    body: string | Uint8Array<ArrayBuffer> | null = null,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.hub.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === null ? {} : { body }),
    })
    const text = await response.text()
    return { status: response.status, text, json: asJson(text) }
  }

  async close(): Promise<void> {
    for (const close of this.#closers) await close()
    await this.hub.close()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** A client that follows the loop of `docs/gateway.md`: sync with what it has, snapshot what it has to start cold. */
export class ThinClient {
  readonly #world: GatewayWorld
  readonly #habits: ThinHabits
  readonly #supportsDelta: boolean
  readonly #states = new Map<string, ThinState>()
  readonly versions: Record<string, number> = {}
  coldStarts = 0
  deltas = 0

  constructor(world: GatewayWorld, habits: ThinHabits, supportsDelta = true) {
    this.#world = world
    this.#habits = habits
    this.#supportsDelta = supportsDelta
  }

  subscribe(namespace: string): void {
    this.versions[namespace] = 0
  }

  state(namespace: string): ThinState {
    let state = this.#states.get(namespace)
    if (state === undefined) this.#states.set(namespace, (state = new ThinState(this.#habits)))
    return state
  }

  /** One tick. */
  async sync(corrections: readonly object[] = []): Promise<Json> {
    const { status, json, text } = await this.#world.post('/api/sync', {
      local_versions: this.versions,
      supports_delta: this.#supportsDelta,
      corrections,
    })
    if (status !== 200) throw new Error(`sync: ${status} ${text}`)
    const cold: string[] = []
    for (const [id, answer] of Object.entries(json['namespaces'] as Record<string, Json>)) {
      if (answer['cold_start_required'] === true) cold.push(id)
      else if (Array.isArray(answer['ops'])) {
        for (const op of answer['ops']) this.state(id).apply(op)
        this.versions[id] = answer['version'] as number
        this.deltas++
      }
    }
    if (cold.length > 0) await this.#startCold(cold)
    return json
  }

  async #startCold(ids: readonly string[]): Promise<void> {
    const { json } = await this.#world.post('/api/snapshot', { namespace_ids: ids })
    const found = json['namespaces'] as Record<string, { version: number; export: string }>
    for (const [id, { version, export: text }] of Object.entries(found)) {
      this.state(id).load(text)
      this.versions[id] = version
      this.coldStarts++
    }
  }
}

function asJson(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return {}
  }
}
