/** A hub on this machine: a data folder with LevelDB, served over HTTP and WebSocket on one port. */
import { checkNamespace, type AnyDomain, type CloseReason } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import {
  anyone,
  openHub,
  verifyNamespace,
  type Hub,
  type HubLogEvent,
  type RebuildPolicy,
  type VerifyReport,
} from '@rejoin/hub'
import { openHubFolder } from '@rejoin/persistence-level/node'
import { serveHub, type ServerEvent } from '@rejoin/transport/server'
import { DocumentWorker } from './document-worker.ts'
import { systemClock } from './system-clock.ts'

export interface HubOptions {
  /** The data folder; made where there is none. */
  readonly data: string
  /** The domains whose namespaces this hub keeps. */
  readonly domains: readonly AnyDomain[]
  /** Default 127.0.0.1. A hub without sign-in refuses to listen beyond loopback. */
  readonly host?: string
  /** Default 4400; 0 takes a free one. */
  readonly port?: number
  /** Commits that stay available as a tail; default 1,000. */
  readonly retentionCommits?: number
  /**
   * When a document is rebuilt by itself: once its dead structs or bytes are over `factor` (4) times the live ones and its
   * dead bytes over `bytesMin` (64 KiB).
   */
  readonly rebuild?: Partial<RebuildPolicy> | 'never'
  /** Hears what the hub and its server do. */
  readonly log?: (event: HubLogEvent | ServerEvent) => void
}

export interface RunningHub {
  /** Serves HTTP and WebSocket: `http://127.0.0.1:4400`. */
  readonly url: string
  /** Folds a namespace's log into a checkpoint now. @throws SyncError NAMESPACE_UNKNOWN */
  checkpoint(namespace: string): ReturnType<Hub['checkpoint']>
  /** Starts a new epoch of a namespace, made of its live entries alone. @throws SyncError NAMESPACE_UNKNOWN */
  rebuild(namespace: string): ReturnType<Hub['rebuild']>
  /** Checks every record of a namespace. @throws SyncError NAMESPACE_UNKNOWN */
  verify(namespace: string): Promise<VerifyReport>
  /** Tells its peers, finishes what is under way, then closes the port and the folder. */
  close(): Promise<void>
}

/**
 * @throws SyncError PORT_IN_USE, FORBIDDEN (a host beyond loopback), or what opening the folder throws.
 */
export async function startHub(options: HubOptions): Promise<RunningHub> {
  let hub: Hub | null = null
  const log = options.log === undefined ? {} : { log: options.log }
  // The port first: one that is taken must not leave a folder behind.
  const server = await serveHub({
    // Without sign-in everyone who reaches the port may read and write; it is loopback's alone.
    accept: (channel) => (hub === null ? channel.close(starting) : void hub.accept(channel, anyone)),
    ready: () => hub !== null,
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 4400,
    clock: systemClock,
    beforeClose: async () => hub?.close(),
    ...log,
  })
  try {
    const folder = await openHubFolder(options.data)
    const { store } = folder
    const { domains, retentionCommits: commits } = options
    const retention = commits === undefined ? {} : { retention: { commits } }
    const rebuild = options.rebuild === undefined ? {} : { rebuild: options.rebuild }
    const worker = new DocumentWorker({ clock: systemClock })
    const running = openHub({
      store,
      updates: yjsCrdt.updates,
      domains,
      clock: systemClock,
      heavy: worker,
      ...retention,
      ...rebuild,
      ...log,
    })
    hub = running
    return {
      url: server.url,
      checkpoint: async (namespace) => running.checkpoint(checkNamespace(namespace)),
      rebuild: async (namespace) => running.rebuild(checkNamespace(namespace)),
      verify: (namespace) => verifyNamespace(store, yjsCrdt.updates, checkNamespace(namespace)),
      close: async () => {
        await server.close()
        await worker.close()
        await folder.close()
      },
    }
  } catch (error) {
    await server.close()
    throw error
  }
}

const starting: CloseReason = {
  code: 'HUB_CLOSING',
  message: 'the hub is starting: connect again in a moment',
}
