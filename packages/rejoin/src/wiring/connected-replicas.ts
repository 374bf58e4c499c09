/**
 * Replicas of many namespaces that share what keeps them and one connection to a hub: opened one by one, closed together. The
 * same on a machine and in a browser.
 */
import {
  assert,
  asSyncError,
  checkNamespace,
  SyncError,
  type AnyDomain,
  type Dial,
  type Namespace,
  type ReplicaStore,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { openReplica, UnsavedError, type FoldWork, type Replica, type ReplicaWitness } from '@rejoin/replica'
import { httpDialer, webSocketDialer, type Dialer, type TokenSource } from '@rejoin/transport'
import { systemClock } from './system-clock.ts'

export interface ConnectedReplicas {
  /** Opens a namespace; live where there is a hub, unless `live` is false. Errors: those of `openReplica`. */
  open<D extends AnyDomain>(
    domain: D,
    namespace: string,
    how?: { readonly live?: boolean },
  ): Promise<Replica<D>>
  /** One exchange over HTTP, for replicas that are not live. */
  readonly dialOnce: Dial | null
  /**
   * Closes every replica, then the connection, then what keeps them. Idempotent.
   * @throws SyncError what closing that throws; UnsavedError with the commits of all replicas that could not be saved.
   */
  close(): Promise<void>
}

/** What keeps the replicas: a folder, or a database in a browser. */
export interface ReplicaKeeper {
  replica(namespace: Namespace): ReplicaStore
  close(): Promise<void>
}

/** Where large bases are folded, of all replicas. */
export interface FoldPlace extends FoldWork {
  close(): Promise<void>
}

export interface HubAddress {
  readonly hub?: string
  readonly token?: TokenSource
}

/** What is noted of replicas apart from where they are kept. */
export interface Witnesses {
  read(namespace: Namespace): ReplicaWitness | null
  /** Keeps the note of a replica up to date from now on. */
  follow(replica: Pick<Replica<AnyDomain>, 'id' | 'namespace' | 'status' | 'onStatus'>): void
}

/** Ways to a hub: live, and one exchange at a time. */
export interface Dialers {
  readonly socket: Dialer
  readonly http: { readonly dial: Dial }
}

/** Nothing is opened yet. @throws SyncError INPUT_INVALID for a URL that is none */
export function dialersOf({ hub: url, token }: HubAddress): Dialers | null {
  if (url === undefined) return null
  const options = { url, token, clock: systemClock }
  return { socket: webSocketDialer(options), http: httpDialer(options) }
}

export function connectedReplicas(
  keeper: ReplicaKeeper,
  dialers: Dialers | null,
  witnesses: Witnesses | null = null,
  fold: FoldPlace | null = null,
): ConnectedReplicas {
  const replicas: { close(): Promise<void> }[] = []
  let closing: Promise<void> | null = null
  const close = async (): Promise<void> => {
    const closed = await Promise.allSettled(replicas.map((replica) => replica.close()))
    // Also where one before it could not be: whoever opens the replicas next must not find them in use.
    for (const part of [dialers?.socket, fold, keeper])
      closed.push(...(await Promise.allSettled([part?.close()])))
    const failed = closed.flatMap((result) =>
      result.status === 'rejected' ? [failureOf(result.reason)] : [],
    )
    if (failed.length > 0) throw together(failed)
  }
  return {
    open: async (domain, namespace, how = {}) => {
      const name = checkNamespace(namespace)
      const store = keeper.replica(name)
      const opening = openReplica({
        domain,
        namespace: name,
        store,
        crdt: yjsCrdt,
        clock: systemClock,
        dial: dialers?.socket.dial ?? null,
        witness: witnesses?.read(name) ?? null,
        fold,
        ...how,
      })
      // Whoever tries again must not find it in use.
      const replica = await opening.catch(async (error: unknown) => {
        await store.close()
        throw error
      })
      replicas.push(replica)
      witnesses?.follow(replica)
      return replica
    },
    dialOnce: dialers?.http.dial ?? null,
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
