/** One hub of a simulated world: the process over the folder that all hubs of the world share, and its machine. */
import type { AnyDomain, Clock, HubChannel, HubStore } from '@rejoin/core'
import { markRestored, openHub, type Hub, type HubOptions, type Principal } from '@rejoin/hub'
import type { WorldPorts } from '../ports.ts'
import type { Chance } from './chance.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import type { HubPlace } from './simulated-stores.ts'
import { ProcessClock, type SimulatedTime, type WallClock } from './simulated-time.ts'

export interface HubParts {
  readonly index: number
  readonly domains: readonly AnyDomain[]
  readonly place: HubPlace
  readonly time: SimulatedTime
  readonly chance: Chance
  readonly ports: WorldPorts
  readonly options: Partial<HubOptions>
}

export class HubProcess {
  readonly index: number
  readonly wall: WallClock = { aheadMs: 0, standsAt: null }
  disk = new SimulatedDisk()
  readonly #parts: HubParts
  #clock: ProcessClock
  #hub: Hub | null = null

  constructor(parts: HubParts) {
    this.#parts = parts
    this.index = parts.index
    this.#clock = this.#newClock()
  }

  get isOpen(): boolean {
    return this.#hub !== null
  }

  get hub(): Hub {
    if (this.#hub === null) throw new Error(`hub ${this.index} is not open`)
    return this.#hub
  }

  get clock(): Clock {
    return this.#parts.ports.clock(this.#clock, 'hub')
  }

  start(): void {
    const { ports, domains, options } = this.#parts
    this.#hub = openHub({
      ...options,
      store: ports.hubStore(this.store()),
      updates: ports.updates,
      domains,
      clock: this.clock,
    })
  }

  accept(channel: HubChannel, principal: Principal): void {
    void this.hub.accept(channel, principal)
  }

  /** The folder as this process has it open. */
  store(): HubStore {
    return this.#parts.place.open(this.disk)
  }

  /** Before it is started: the logs are told that they may have lost something. */
  async tellLoss(): Promise<void> {
    const { place, ports } = this.#parts
    await markRestored(place.open(new SimulatedDisk()), ports.updates, this.clock)
  }

  kill(): void {
    const { state } = this.disk
    this.disk.end(this.#parts.chance)
    this.#clock.end()
    this.#hub = null
    this.#clock = this.#newClock()
    this.disk = new SimulatedDisk()
    if (state === 'fails' || state === 'full') this.disk.set(state)
  }

  #newClock(): ProcessClock {
    return new ProcessClock(this.#parts.time, this.wall, this.#parts.chance)
  }
}
