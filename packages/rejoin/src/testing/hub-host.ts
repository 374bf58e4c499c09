/** The hub of the world with its store, through crashes. */
import type { AnyDomain, Clock, HubChannel, HubStore, Namespace, Seq } from '@rejoin/core'
import { openHub, rebuildNamespace, type Hub } from '@rejoin/hub'
import { MapHubStore } from '@rejoin/testkit'
import { codeOf } from './author.ts'
import type { LogReading } from './log-reading.ts'
import type { WorldPorts } from './ports.ts'

/** Few enough that stories of a few dozen steps meet the revision gap. */
const RETENTION_COMMITS = 3

export interface HubHostParts {
  readonly domain: AnyDomain
  readonly namespace: Namespace
  readonly clock: Clock
  readonly ports: WorldPorts
  readonly log: LogReading
}

export class HubHost {
  readonly #parts: HubHostParts
  #disk = new MapHubStore()
  #store: HubStore
  #hub: Hub

  constructor(parts: HubHostParts) {
    this.#parts = parts
    this.#store = this.#openStore()
    this.#hub = this.#openHub()
  }

  accept(channel: HubChannel, replica: number): void {
    void this.#hub.accept(channel, this.#parts.ports.principal(replica))
  }

  /** Whether there is anything of the namespace. */
  async isThere(): Promise<boolean> {
    return (await this.#store.state(this.#parts.namespace)) === 'present'
  }

  /** @returns the newest seq, once what is new in the log was read. */
  readLog(): Promise<Seq> {
    return this.#parts.log.read(this.#store)
  }

  /** @returns how it went, in a few words. */
  async checkpoint(): Promise<string> {
    return this.#hub.checkpoint(this.#parts.namespace).then(({ seq }) => `up to ${seq}`, codeOf)
  }

  /** @returns how it went, in a few words. */
  async rebuild(by: 'hub' | 'another'): Promise<string> {
    if (!(await this.isThere())) return 'there is nothing yet'
    const { ports, namespace, clock } = this.#parts
    const rebuilt =
      by === 'hub'
        ? this.#hub.rebuild(namespace)
        : rebuildNamespace(this.#store, ports.updates, namespace, clock)
    return rebuilt.then(({ seq }) => `at ${seq}`, codeOf)
  }

  /** What is left of the old process writes nothing any more. */
  crash(): void {
    const old = this.#hub
    this.#disk = this.#disk.crash()
    this.#store = this.#openStore()
    this.#hub = this.#openHub()
    old.close().catch(() => {})
  }

  close(): Promise<void> {
    return this.#hub.close()
  }

  #openStore(): HubStore {
    const { log, ports } = this.#parts
    return log.before(ports.hubStore(this.#disk))
  }

  #openHub(): Hub {
    const { domain, clock, ports } = this.#parts
    return openHub({
      store: this.#store,
      updates: ports.updates,
      domains: [domain],
      clock: ports.clock(clock, 'hub'),
      retention: { commits: RETENTION_COMMITS },
    })
  }
}
