/**
 * A client on this machine: one data folder with LevelDB, Yjs documents, and one connection to a hub that all of its
 * namespaces share. Decides nothing; the parts do.
 */
import { assert, asSyncError, checkNamespace, SyncError, type AnyDomain, type Dial } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openReplicaFolder, type FolderFinding } from '@rejoin/persistence-level/node'
import { openReplica, UnsavedError, type Replica } from '@rejoin/replica'
import { httpDialer, webSocketDialer, type TokenSource } from '@rejoin/transport'
import { syncPolicyOf, type SyncChoice } from './sync-choice.ts'
import { systemClock } from './system-clock.ts'

export interface ClientOptions {
  /** The data folder; made where there is none. */
  readonly data: string
  /** A hub's URL, `http://127.0.0.1:4400`; without it the client works offline. */
  readonly hub?: string
  /** Gives the token that the hub asks for: an API key or a JWT. Asked at each connection, so a fresh one is used. */
  readonly token?: TokenSource
  /**
   * When what is written is synced to the disk; default `each batch`, before it counts as saved. Otherwise `receipt.saved` and
   * `status.saved` say `applied`.
   */
  readonly sync?: SyncChoice
}

export interface Client {
  /** Opens a namespace; live where there is a hub, unless `live` is false. Errors: those of `openReplica`. */
  open<D extends AnyDomain>(
    domain: D,
    namespace: string,
    how?: { readonly live?: boolean },
  ): Promise<Replica<D>>
  /** How the data folder was found. */
  readonly found: FolderFinding
  /** Names of the namespaces that this folder holds. */
  namespaces(): Promise<readonly string[]>
  /** One exchange over HTTP, for replicas that are not live. */
  readonly dialOnce: Dial | null
  /**
   * Closes every replica, then the connection, then the folder. Idempotent.
   * @throws SyncError what closing the folder throws; UnsavedError with the commits of all replicas that could not be saved.
   */
  close(): Promise<void>
}

/**
 * @throws SyncError INPUT_INVALID for its options; STORE_LOCKED, FOLDER_FOREIGN, FORMAT_TOO_NEW, STORE_CORRUPT or STORE_UNAVAILABLE when the folder
 * cannot be opened.
 */
export async function openClient(options: ClientOptions): Promise<Client> {
  const folder = await openReplicaFolder(options.data, { sync: syncPolicyOf(options.sync) })
  const { hub: url, token } = options
  const socket = url === undefined ? null : webSocketDialer({ url, token, clock: systemClock })
  const http = url === undefined ? null : httpDialer({ url, token, clock: systemClock })
  const replicas: { close(): Promise<void> }[] = []
  let closing: Promise<void> | null = null
  const close = async (): Promise<void> => {
    const closed = await Promise.allSettled(replicas.map((replica) => replica.close()))
    await socket?.close()
    // Also where a replica could not be: whoever opens the folder next must not find it in use.
    closed.push(...(await Promise.allSettled([folder.close()])))
    const failed = closed.flatMap((result) =>
      result.status === 'rejected' ? [failureOf(result.reason)] : [],
    )
    if (failed.length > 0) throw together(failed)
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
    found: folder.found,
    namespaces: () => folder.namespaces(),
    dialOnce: http?.dial ?? null,
    close: () => (closing ??= close()),
  }
}

function failureOf(reason: unknown): SyncError {
  return asSyncError(reason, 'STORE_UNAVAILABLE', 'the client could not be closed in order')
}

/** One error of several: what each says, and the commits that are not saved in any of them. */
function together(failures: readonly SyncError[]): SyncError {
  const [first, ...others] = failures
  assert(first !== undefined, 'something failed')
  if (others.length === 0) return first
  const commits = failures.flatMap((failure) => (failure instanceof UnsavedError ? failure.commits : []))
  const message = failures.map((failure) => failure.message).join('; ')
  return new UnsavedError(first.code, message, commits, { cause: new AggregateError(failures) })
}
