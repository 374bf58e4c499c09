/** What the browser's tests share: one Chromium, the page on an origin, a hub on a real disk and a replica in Node beside it. */
import { mkdtemp } from 'node:fs/promises'
import path from 'node:path'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openClient, startHub, type Client, type Replica, type RunningHub } from 'rejoin'
import { startChromium, type RunningChromium } from './chromium.ts'
import { notes, type Notes } from './notes-domain.ts'
import { bundle, servePage, type PageServer } from './page-server.ts'
import { temporaryFolder } from './temporary-folder.ts'

export interface BrowserWorld {
  readonly folder: string
  readonly chromium: RunningChromium
  readonly server: PageServer
  /** Serves the page on another origin, which shares nothing with the first. */
  anotherOrigin(): Promise<PageServer>
  close(): Promise<void>
}

export async function openBrowserWorld(): Promise<BrowserWorld> {
  const temporary = await temporaryFolder()
  const folder = temporary.path
  const script = await bundle()
  const servers = [await servePage(script)]
  const [server] = servers
  if (server === undefined) throw new Error('there is a server')
  const chromium = await startChromium(path.join(folder, 'profile'))
  return {
    folder,
    chromium,
    server,
    anotherOrigin: async () => {
      const another = await servePage(script)
      servers.push(another)
      return another
    },
    close: async () => {
      await chromium.close()
      await Promise.all(servers.map((each) => each.close()))
      await temporary.close()
    },
  }
}

/** A hub, and a client in Node that has the same namespace. */
export interface HubSide {
  readonly hub: RunningHub
  readonly client: Client
  readonly replica: Replica<Notes>
  close(): Promise<void>
}

export async function openHubSide(folder: string): Promise<HubSide> {
  const place = await mkdtemp(path.join(folder, 'hub-'))
  const hub = await startHub({ data: path.join(place, 'hub'), domains: [notes], port: 0 })
  const client = await openClient({ data: path.join(place, 'node'), hub: hub.url })
  const replica = await client.open(notes, 'home', { live: false })
  return {
    hub,
    client,
    replica,
    close: async () => {
      await client.close()
      await hub.close()
    },
  }
}

export function idsOf({ tables }: Replica<Notes>): readonly string[] {
  return Array.from(tables.notes.entries(), ([id]) => String(id))
}

export function digestOf(replica: Replica<Notes>): string {
  return yjsCrdt.updates.digest([replica.encode()])
}
