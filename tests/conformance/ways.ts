/** Ways to a hub: how channels are opened, and what an operator may do, where the hub is this process's own. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Dial } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub } from '@rejoin/hub'
import { intents } from '@rejoin/intents'
import { openHubFolder } from '@rejoin/persistence-level/node'
import { httpDialer, memoryDial, webSocketDialer } from '@rejoin/transport'
import { startHub, systemClock } from 'rejoin'
import type { Step } from './fixture.ts'

export type WayName = 'memory' | 'websocket' | 'http'

export interface Way {
  /** How the fixture's actors reach the hub. */
  readonly dial: Dial
  /** How one stays connected; null over HTTP alone. */
  readonly dialLive: Dial
  close(): Promise<void>
}

export interface HubUnderTest {
  open(way: WayName): Way
  /** Null where nobody may. */
  readonly operate: ((what: OperatorStep, namespace: string) => Promise<void>) | null
  close(): Promise<void>
}

type OperatorStep = (Step & { do: 'operate' })['what']

/** Any hub. */
export function hubAt(url: string): HubUnderTest {
  return { open: (way) => wayTo(url, way), operate: null, close: () => Promise.resolve() }
}

function wayTo(url: string, way: WayName): Way {
  if (way === 'memory') throw new Error('a hub at a URL is not in this process')
  const socket = webSocketDialer({ url, clock: systemClock })
  const { dial } = way === 'http' ? httpDialer({ url, clock: systemClock }) : socket
  return { dial, dialLive: socket.dial, close: () => socket.close() }
}

interface Running {
  open(way: WayName): Way
  checkpoint(namespace: string): Promise<unknown>
  rebuild(namespace: string): Promise<unknown>
  close(): Promise<void>
}

/** A hub of this process with a folder of its own. */
export async function ownHub(way: WayName, retentionCommits: number | undefined): Promise<HubUnderTest> {
  const root = await mkdtemp(join(tmpdir(), 'rejoin-conformance-'))
  const data = join(root, 'hub')
  const backup = join(root, 'backup')
  const retention = retentionCommits === undefined ? {} : { retention: { commits: retentionCommits } }
  const start = (): Promise<Running> =>
    way === 'memory' ? startInMemory(data, retention) : startServed(data, retention)
  let running = await start()
  /** Reopens it afterwards, on what is there then. */
  const whileStopped = async (work: () => Promise<void>): Promise<void> => {
    await running.close()
    await work()
    running = await start()
  }
  return {
    open: (name) => running.open(name),
    operate: async (what, namespace) => {
      switch (what) {
        case 'checkpoint':
        case 'rebuild':
          await running[what](namespace)
          return
        case 'restart':
          return whileStopped(() => Promise.resolve())
        case 'remove':
          return whileStopped(async () => {
            const folder = await openHubFolder(data)
            await folder.store.remove(namespace)
            await folder.close()
          })
        case 'backup':
          return whileStopped(() => cp(data, backup, { recursive: true }))
        case 'restore':
          return whileStopped(async () => {
            await rm(data, { recursive: true })
            await cp(backup, data, { recursive: true })
          })
      }
    },
    close: async () => {
      await running.close()
      await rm(root, { recursive: true, force: true })
    },
  }
}

type HubRetention = { readonly retention?: { readonly commits: number } }

async function startServed(data: string, retention: HubRetention): Promise<Running> {
  const hub = await startHub({ data, domains: [intents], port: 0, ...retention })
  return {
    open: (way) => wayTo(hub.url, way),
    checkpoint: (namespace) => hub.checkpoint(namespace),
    rebuild: (namespace) => hub.rebuild(namespace),
    close: () => hub.close(),
  }
}

async function startInMemory(data: string, retention: HubRetention): Promise<Running> {
  const folder = await openHubFolder(data)
  const { updates } = yjsCrdt
  const hub = openHub({ store: folder.store, updates, domains: [intents], clock: systemClock, ...retention })
  return {
    open: () => {
      const memory = memoryDial({
        clock: systemClock,
        accept: (channel) => void hub.accept(channel, anyone),
      })
      return { dial: memory.dial, dialLive: memory.dial, close: () => Promise.resolve(memory.cut()) }
    },
    checkpoint: (namespace) => hub.checkpoint(namespace),
    rebuild: (namespace) => hub.rebuild(namespace),
    close: async () => {
      await hub.close()
      await folder.close()
    },
  }
}
