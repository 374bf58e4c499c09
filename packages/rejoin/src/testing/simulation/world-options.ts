/** What a simulated world is made of. */
import type { AnyDomain, Durability, Namespace } from '@rejoin/core'
import type { HubOptions } from '@rejoin/hub'
import type { WorldPorts } from '../ports.ts'
import type { HearHistory } from './history-event.ts'

export interface SimulatedNamespace {
  readonly name: Namespace
  readonly domain: AnyDomain
  /** That are there from the start. */
  readonly replicas: number
}

export interface SimulatedWorldOptions {
  /** Any whole number: everything random in the world is drawn from it. */
  readonly seed: number
  readonly namespaces: readonly SimulatedNamespace[]
  /** Over one store; default 1. */
  readonly hubs?: number
  /** What the hubs' answers stand for; default `durable`. */
  readonly hubDurability?: Durability
  readonly replicaDurability?: Durability
  /** Default: a tail of three commits, so that short histories meet the revision gap. */
  readonly hubOptions?: Partial<Pick<HubOptions, 'retention' | 'checkpoint' | 'rebuild' | 'documentBytesMax'>>
  /** Adapters of your own, or broken ones. */
  readonly ports?: Partial<WorldPorts>
  readonly onEvent?: HearHistory
}
