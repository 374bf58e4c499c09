/** Hubs and replicas whose versions of a domain change, over stores that outlive them: the real engines in one process. */
import { SyncError, type AnyDomain, type AnyOp } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub, readLog, rebuildNamespace, type Hub, type ReadCommit } from '@rejoin/hub'
import { openReplica, type Receipt, type Replica } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial } from '@rejoin/transport'

export const NAMESPACE = 'evolving'

export class EvolvingWorld {
  readonly clock: VirtualClock
  readonly store = new MapHubStore()
  #hub: Hub
  #domain: AnyDomain

  constructor(domain: AnyDomain, seed = 1) {
    this.clock = new VirtualClock(seed)
    this.#domain = domain
    this.#hub = this.#openHub()
  }

  get dial() {
    return memoryDial({ clock: this.clock, accept: (channel) => void this.#hub.accept(channel, anyone) }).dial
  }

  get hub(): Hub {
    return this.#hub
  }

  /** Starts the hub anew with this version of the domain. */
  async serve(domain: AnyDomain): Promise<void> {
    await this.#hub.close()
    this.#domain = domain
    this.#hub = this.#openHub()
  }

  checkpoint(): Promise<unknown> {
    return this.#hub.checkpoint(NAMESPACE)
  }

  /** Starts a new epoch: replicas reset and recommit. */
  async rebuild(): Promise<void> {
    await this.#hub.close()
    try {
      await rebuildNamespace(this.store, yjsCrdt.updates, NAMESPACE, this.clock)
    } finally {
      this.#hub = this.#openHub()
    }
  }

  async log(): Promise<readonly ReadCommit[]> {
    const commits: ReadCommit[] = []
    for await (const commit of readLog(this.store, NAMESPACE)) commits.push(commit)
    return commits
  }

  #openHub(): Hub {
    return openHub({
      store: this.store,
      updates: yjsCrdt.updates,
      domains: [this.#domain],
      clock: this.clock,
      retention: { commits: 1_000 },
    })
  }
}

/** An app on one device: its folder stays while its version changes. Reads go by name, since the domain does. */
export class Device {
  readonly #world: EvolvingWorld
  #store = new MapReplicaStore()
  #replica: Replica<AnyDomain>

  private constructor(world: EvolvingWorld, replica: Replica<AnyDomain>, store: MapReplicaStore) {
    this.#world = world
    this.#replica = replica
    this.#store = store
  }

  static async open(world: EvolvingWorld, domain: AnyDomain): Promise<Device> {
    const store = new MapReplicaStore()
    return new Device(world, await openAt(world, domain, store), store)
  }

  get replica(): Replica<AnyDomain> {
    return this.#replica
  }

  /** Closes the app and opens it with this version. */
  async update(domain: AnyDomain): Promise<void> {
    await this.#replica.close()
    this.#store = this.#store.crash()
    this.#replica = await openAt(this.#world, domain, this.#store)
  }

  apply(...ops: AnyOp[]): Receipt {
    return this.#replica.apply(ops as never)
  }

  /** One exchange; the code of its error, or null. */
  sync(): Promise<string | null> {
    return this.#replica.syncOnce().then(() => null, codeOf)
  }

  /** The rows of a table by the text of their keys. */
  rows(table: string): Record<string, unknown> {
    const reads = (this.#replica.tables as Record<string, { entries(): Iterable<[unknown, unknown]> }>)[table]
    return Object.fromEntries([...(reads?.entries() ?? [])].map(([key, row]) => [String(key), row]))
  }

  /** Hash of everything in the document, also of what this version does not know. */
  get digest(): string {
    return yjsCrdt.updates.digest([this.#replica.encode()])
  }
}

function openAt(
  world: EvolvingWorld,
  domain: AnyDomain,
  store: MapReplicaStore,
): Promise<Replica<AnyDomain>> {
  const { clock, dial } = world
  return openReplica({ domain, namespace: NAMESPACE, store, crdt: yjsCrdt, clock, dial, live: false })
}

export function codeOf(error: unknown): string {
  if (error instanceof SyncError) return error.code
  throw error
}

/** The code that a call throws. */
export function thrownBy(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    return codeOf(error)
  }
  return 'nothing'
}
