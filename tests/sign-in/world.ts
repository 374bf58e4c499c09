/** A real hub with keys on loopback, and replicas with folders of their own that sign in to it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  intents,
  openClient,
  startHub,
  type Client,
  type HubOptions,
  type Replica,
  type RunningHub,
} from 'rejoin'
import { main } from '../../packages/rejoin/src/cli/main.ts'
import { Collected } from './collected.ts'

export interface World {
  readonly folder: string
  readonly hubFolder: string
  readonly hub: RunningHub
  /** Keys that were made before the hub started, by name. */
  readonly keys: ReadonlyMap<string, string>
  /** Makes a key by the command, and gives it. The hub knows it within a second or two. */
  readonly key: (name: string, scope: string, ...more: string[]) => Promise<string>
  /** A client with a folder of its own; offline without `hub`. */
  readonly client: (token?: string | (() => string)) => Promise<Client>
  /** Runs a command in this process; gives what it printed. */
  readonly rejoin: (...args: string[]) => Promise<string>
}

/** Closes everything whatever happens. */
export async function withWorld<R>(
  use: (world: World) => Promise<R>,
  options: Partial<HubOptions> & { readonly scopes?: Readonly<Record<string, string>> } = {},
): Promise<R> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-sign-in-'))
  const hubFolder = path.join(folder, 'hub')
  const clients: Client[] = []
  let count = 0
  const rejoin = async (...args: string[]): Promise<string> => {
    const [stdout, stderr] = [new Collected(), new Collected()]
    const code = await main(args, { stdout, stderr })
    if (code !== 0) throw new Error(`rejoin ${args.join(' ')} exited with ${code}: ${stderr.text}`)
    return stdout.text.trim()
  }
  const key = (name: string, scope: string, ...more: string[]): Promise<string> =>
    rejoin('keys', 'add', '--data', hubFolder, '--name', name, '--scope', scope, ...more)
  // So that it asks for sign-in from the start.
  const keys = new Map<string, string>()
  for (const [name, scope] of Object.entries({ operator: 'admin', ...options.scopes })) {
    keys.set(name, await key(name, scope))
  }
  const hub = await startHub({
    data: hubFolder,
    domains: [intents],
    port: 0,
    ...options,
  })
  const client = async (token?: string | (() => string)): Promise<Client> => {
    const source = token === undefined ? {} : { token: typeof token === 'string' ? () => token : token }
    const opened = await openClient({ data: path.join(folder, `client-${++count}`), hub: hub.url, ...source })
    clients.push(opened)
    return opened
  }
  try {
    return await use({ folder, hubFolder, hub, keys, key, client, rejoin })
  } finally {
    for (const each of clients) await each.close()
    await hub.close()
    await rm(folder, { recursive: true, force: true })
  }
}

export type IntentsReplica = Replica<typeof intents>

export function write(replica: IntentsReplica, id: string) {
  return replica.apply({ type: 'IntentAdded', id, phrasesByLang: {} })
}

export function idsIn(replica: IntentsReplica): readonly string[] {
  return Array.from(replica.tables.intents.entries(), ([id]) => String(id)).toSorted()
}
