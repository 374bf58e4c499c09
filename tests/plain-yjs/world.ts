/** A real hub on a free port, unmodified `y-websocket` providers on documents of our tables, and native replicas beside them. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tablesOf, type DocumentTables } from '@rejoin/crdt-adapter'
import { readLog, type HubLogEvent, type ReadCommit } from '@rejoin/hub'
import { openHubFolder } from '@rejoin/persistence-level/node'
import type { Replica } from '@rejoin/replica'
import type { ServerEvent } from '@rejoin/transport/server'
import { openClient, startHub, systemClock, type HubOptions, type RunningHub } from 'rejoin'
import { todo } from '@rejoin/examples/todo'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { until } from '../support/until.ts'

export const NAMESPACE = 'home'
export type Native = Replica<typeof todo>

export interface Closed {
  readonly code: number
  readonly reason: string
}

/** A page: a document, its tables, and the provider that syncs it. */
export class Page {
  readonly doc: Y.Doc
  readonly todo: DocumentTables<typeof todo>
  readonly provider: WebsocketProvider
  /** Why the provider will not come again by itself. */
  readonly closed: Closed[] = []

  constructor(url: string, doc = new Y.Doc(), options: ProviderOptions = {}) {
    this.doc = doc
    this.todo = tablesOf(todo, doc, { clock: systemClock })
    const { namespace = NAMESPACE, ...more } = options
    this.provider = new WebsocketProvider(`${url.replace('http', 'ws')}/yjs`, namespace, doc, {
      // Node 20 has none of its own, and `ws` is one in all that a provider uses.
      WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
      disableBc: true,
      maxBackoffTime: 50,
      ...more,
    })
    this.provider.on('closed', (close) => this.closed.push(close))
  }

  get titles(): Record<string, string | undefined> {
    return Object.fromEntries(Array.from(this.todo.tables.lists.entries(), ([id, { title }]) => [id, title]))
  }

  add(id: string, title = `title of ${id}`): this {
    this.todo.apply({ type: 'ListAdded', id, title })
    return this
  }

  remove(id: string): this {
    this.todo.apply({ type: 'ListRemoved', id })
    return this
  }

  synced(): Promise<void> {
    return until('the provider is synced', () => this.provider.synced)
  }

  get isDisconnected(): boolean {
    return this.provider.ws === null
  }

  destroy(): void {
    this.provider.destroy()
    this.todo.destroy()
    this.doc.destroy()
  }
}

export interface ProviderOptions {
  readonly namespace?: string
  readonly protocols?: string[]
  readonly params?: Record<string, string>
  readonly connect?: boolean
}

export class PlainWorld {
  readonly #folder: string
  readonly #options: Partial<HubOptions>
  readonly #closers: (() => Promise<void> | void)[] = []
  readonly events: (HubLogEvent | ServerEvent)[] = []
  hub!: RunningHub
  #port = 0

  private constructor(folder: string, options: Partial<HubOptions>) {
    this.#folder = folder
    this.#options = options
  }

  static async open(options: Partial<HubOptions> = {}): Promise<PlainWorld> {
    const world = new PlainWorld(await mkdtemp(join(tmpdir(), 'rejoin-plain-')), options)
    await world.start()
    return world
  }

  get hubFolder(): string {
    return join(this.#folder, 'hub')
  }

  /** On the port of the first time, so that providers find it again. */
  async start(): Promise<void> {
    this.hub = await startHub({
      data: this.hubFolder,
      domains: [todo],
      port: this.#port,
      log: (event) => this.events.push(event),
      ...this.#options,
    })
    this.#port = Number(new URL(this.hub.url).port)
  }

  page(doc?: Y.Doc, options?: ProviderOptions): Page {
    const page = new Page(this.hub.url, doc, options)
    this.#closers.push(() => page.destroy())
    return page
  }

  async native(how: { readonly token?: string; readonly live?: boolean } = {}): Promise<Native> {
    const { token, live = true } = how
    const client = await openClient({
      data: await mkdtemp(join(this.#folder, 'native-')),
      hub: this.hub.url,
      ...(token === undefined ? {} : { token: () => token }),
    })
    this.#closers.push(() => client.close())
    return await client.open(todo, NAMESPACE, { live })
  }

  /** The whole log; the hub is closed for it, and stays so. */
  async log(namespace = NAMESPACE): Promise<readonly ReadCommit[]> {
    await this.hub.close()
    const folder = await openHubFolder(this.hubFolder)
    const commits: ReadCommit[] = []
    try {
      for await (const commit of readLog(folder.store, namespace)) commits.push(commit)
    } finally {
      await folder.close()
    }
    return commits
  }

  async records(): Promise<number> {
    return (await this.hub.verify(NAMESPACE)).records
  }

  async close(): Promise<void> {
    for (const close of this.#closers.toReversed()) await close()
    await this.hub.close()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

export function titlesOf(replica: Native): Record<string, string | undefined> {
  return Object.fromEntries(Array.from(replica.tables.lists.entries(), ([id, { title }]) => [id, title]))
}

/** What a refusal may not change. */
export async function traceOf(world: PlainWorld): Promise<unknown> {
  const { records, commits, head, digest, faults } = await world.hub.verify(NAMESPACE)
  const disk: [string, number][] = []
  for (const name of (await readdir(world.hubFolder, { recursive: true })).toSorted()) {
    const found = await stat(join(world.hubFolder, name)).catch(() => null)
    if (found?.isFile() === true) disk.push([name, found.size])
  }
  return { records, commits, head, digest, faults, disk }
}

/** Closes everything whatever happens. */
export async function withPlainWorld(
  use: (world: PlainWorld) => Promise<void>,
  options: Partial<HubOptions> = {},
): Promise<void> {
  const world = await PlainWorld.open(options)
  try {
    await use(world)
  } finally {
    await world.close()
  }
}
