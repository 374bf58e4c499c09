/** What a simulated world is made of, wired: processes, places, network, time, books, and who watches them. */
import type { Namespace } from '@rejoin/core'
import type { HubOptions, Principal } from '@rejoin/hub'
import type { MapHubStore, MapReplicaStore } from '@rejoin/testkit'
import { defaultPorts, type WorldPorts } from '../ports.ts'
import { Refusals } from '../refusals.ts'
import { AcceptedBook } from './accepted-book.ts'
import { codeOf, nth } from './authoring.ts'
import { Chance } from './chance.ts'
import { History } from './history.ts'
import { HubProcess } from './hub-process.ts'
import { LogBook } from './log-book.ts'
import { Pace } from './pace.ts'
import { ReplicaProcess } from './replica-process.ts'
import { Sentry } from './sentry.ts'
import { SimulatedNetwork } from './simulated-network.ts'
import { HubPlace, ReplicaPlace } from './simulated-stores.ts'
import { SimulatedTime } from './simulated-time.ts'
import { noCounts, type WorldCounts } from './world-counts.ts'
import type { SimulatedNamespace, SimulatedWorldOptions } from './world-options.ts'

/** Whoever waits for something in a step waits so long at most. */
export const PATIENCE_MS = 40_000

export class WorldParts {
  readonly namespaces: readonly SimulatedNamespace[]
  readonly replicas: ReplicaProcess[] = []
  readonly hubs: readonly HubProcess[]
  readonly counts: WorldCounts = noCounts()
  readonly chance: Chance
  readonly ports: WorldPorts
  readonly time = new SimulatedTime()
  readonly network: SimulatedNetwork
  readonly pace: Pace
  readonly place: HubPlace
  readonly books: ReadonlyMap<Namespace, LogBook>
  readonly accepted = new AcceptedBook()
  readonly refusals = new Refusals()
  readonly history: History
  readonly sentry: Sentry
  /** The newest of the hubs' folder, or null. */
  backup: MapHubStore | null = null
  readonly #options: SimulatedWorldOptions

  constructor(options: SimulatedWorldOptions) {
    const { seed, namespaces, hubs = 1, hubDurability = 'durable', ports = {} } = options
    this.#options = options
    this.namespaces = namespaces
    this.chance = new Chance(seed)
    this.ports = { ...defaultPorts, ...ports }
    this.books = new Map(namespaces.map(({ name }) => [name, new LogBook(name)]))
    this.history = new History(this.time, options.onEvent ?? null)
    this.sentry = new Sentry(this)
    this.place = new HubPlace(hubDurability, this.chance, this.sentry)
    this.network = this.#newNetwork()
    this.hubs = Array.from({ length: hubs }, (_, index) => this.#newHub(index))
    this.pace = new Pace(this.time, this.network, this.chance, () => [
      ...this.hubs.map(({ disk }) => disk),
      ...this.replicas.map(({ disk }) => disk),
    ])
  }

  get seed(): number {
    return this.#options.seed
  }

  /** Counted round and round, as all indices. */
  replicaAt(who: number): ReplicaProcess {
    const process = nth(this.replicas, who)
    if (process === undefined) throw new Error('a world has a replica')
    return process
  }

  hubAt(index: number): HubProcess {
    const hub = nth(this.hubs, index)
    if (hub === undefined) throw new Error('a world has a hub')
    return hub
  }

  /** The same, started where it does not run. */
  runningHub(index: number): HubProcess {
    const hub = this.hubAt(index)
    if (!hub.isOpen) hub.start()
    return hub
  }

  namespaceAt(where: number): SimulatedNamespace {
    const namespace = nth(this.namespaces, where)
    if (namespace === undefined) throw new Error('a world has a namespace')
    return namespace
  }

  namespaceOf({ namespace }: ReplicaProcess): SimulatedNamespace {
    const found = this.namespaces.find(({ name }) => name === namespace)
    if (found === undefined) throw new Error(`there is no namespace ${namespace}`)
    return found
  }

  bookOf(name: Namespace): LogBook {
    const book = this.books.get(name)
    if (book === undefined) throw new Error(`there is no namespace ${name}`)
    return book
  }

  /** @param store a copy of another one's folder; default: a new one. */
  newReplica({ name, domain }: SimulatedNamespace, store?: MapReplicaStore): ReplicaProcess {
    const index = this.replicas.length
    const process = new ReplicaProcess({
      index,
      domain,
      namespace: name,
      place: new ReplicaPlace(this.#options.replicaDurability ?? 'durable', this.chance, store),
      time: this.time,
      chance: this.chance,
      ports: this.ports,
      dial: (signal) => this.network.dial(index, 'live')(signal),
      recorded: (steps) => this.sentry.recorded(process, steps),
    })
    this.replicas.push(process)
    return process
  }

  async start(process: ReplicaProcess): Promise<void> {
    // A machine that starts again has nothing left that could be slow.
    if (process.disk.state === 'stalls' || process.disk.state === 'slow') process.disk.set('works')
    await this.pace.until(process.open(), PATIENCE_MS)
    this.sentry.started(process)
  }

  /** How it went, in a few words. */
  async waitFor(work: Promise<string>): Promise<string> {
    const ended = await this.pace.until(
      work.catch((error: unknown) => codeOf(error)),
      PATIENCE_MS,
    )
    return ended ?? 'goes on'
  }

  noteRejected(process: ReplicaProcess): void {
    if (!process.isOpen) return
    for (const { commit, code } of process.replica.rejected) this.sentry.rejected(process, commit.id, code)
  }

  /** Counts a fault that did something. @returns `note`. */
  struck(fault: string, note = ''): string {
    this.counts.faults[fault] = (this.counts.faults[fault] ?? 0) + 1
    return note
  }

  #newNetwork(): SimulatedNetwork {
    return new SimulatedNetwork({
      clockOf: (replica) => this.replicaAt(replica).clock,
      hubClockOf: (hub) => this.hubAt(hub).clock,
      hubOf: (replica) => replica % this.hubs.length,
      acceptAt: (hub, replica) => {
        const process = this.hubAt(hub)
        if (!process.isOpen) return null
        return (channel) =>
          process.accept(this.sentry.atHub(channel, this.replicaAt(replica)), this.#principalOf(replica))
      },
      channel: (channel, replica) =>
        this.ports.channel(this.sentry.atReplica(channel, this.replicaAt(replica)), replica),
    })
  }

  #newHub(index: number): HubProcess {
    const options: Partial<HubOptions> = { retention: { commits: 3 }, ...this.#options.hubOptions }
    const domains = [...new Set(this.namespaces.map(({ domain }) => domain))]
    const { place, time, chance, ports } = this
    return new HubProcess({ index, domains, place, time, chance, ports, options })
  }

  #principalOf(replica: number): Principal {
    const process = this.replicaAt(replica)
    const principal = this.ports.principal(replica)
    return { ...principal, canWrite: (namespace) => process.mayWrite && principal.canWrite(namespace) }
  }
}
