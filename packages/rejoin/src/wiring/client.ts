/**
 * A client on this machine: one data folder with LevelDB, Yjs documents, and one connection to a hub that all of its
 * namespaces share. Decides nothing; the parts do.
 */
import { checkNamespace, type AnyDomain, type Dial } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openReplicaFolder } from '@rejoin/persistence-level/node'
import { openReplica, type Replica } from '@rejoin/replica'
import { httpDialer, webSocketDialer } from '@rejoin/transport'
import { systemClock } from './system-clock.ts'

export interface ClientOptions {
  /** The data folder; made where there is none. */
  readonly data: string
  /** A hub's URL, `http://127.0.0.1:4400`; without it the client works offline. */
  readonly hub?: string
}

export interface Client {
  /** Opens a namespace; live where there is a hub, unless `live` is false. Errors: those of `openReplica`. */
  open<D extends AnyDomain>(
    domain: D,
    namespace: string,
    how?: { readonly live?: boolean },
  ): Promise<Replica<D>>
  /** Names of the namespaces that this folder holds. */
  namespaces(): Promise<readonly string[]>
  /** One exchange over HTTP, for replicas that are not live. */
  readonly dialOnce: Dial | null
  /** Closes every replica, then the connection, then the folder. Idempotent. */
  close(): Promise<void>
}

/**
 * @throws SyncError STORE_LOCKED, FOLDER_FOREIGN, FORMAT_TOO_NEW, STORE_CORRUPT or STORE_UNAVAILABLE when the folder
 * cannot be opened.
 */
export async function openClient(options: ClientOptions): Promise<Client> {
  const folder = await openReplicaFolder(options.data)
  const socket = options.hub === undefined ? null : webSocketDialer({ url: options.hub, clock: systemClock })
  const http = options.hub === undefined ? null : httpDialer({ url: options.hub, clock: systemClock })
  const replicas: { close(): Promise<void> }[] = []
  let closing: Promise<void> | null = null
  const close = async (): Promise<void> => {
    const closed = await Promise.allSettled(replicas.map((replica) => replica.close()))
    await socket?.close()
    await folder.close()
    for (const result of closed) if (result.status === 'rejected') throw result.reason
  }
  return {
    open: async (domain, namespace, how = {}) => {
      const name = checkNamespace(namespace)
      const replica = await openReplica({
        domain,
        namespace: name,
        store: folder.replica(name),
        crdt: yjsCrdt,
        clock: systemClock,
        dial: socket?.dial ?? null,
        ...how,
      })
      replicas.push(replica)
      return replica
    },
    namespaces: () => folder.namespaces(),
    dialOnce: http?.dial ?? null,
    close: () => (closing ??= close()),
  }
}
