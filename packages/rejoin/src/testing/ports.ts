/** What the world is made of, for whoever wants to see adapters of their own in it, or broken ones. */
import type { Clock, Crdt, CrdtUpdates, HubStore, ReplicaChannel, ReplicaStore } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, type Principal } from '@rejoin/hub'

/** `replica` is its index. What is wrapped is wrapped anew each time that it is opened. */
export interface WorldPorts {
  readonly crdt: (replica: number) => Crdt
  /** What the hub does with bytes. */
  readonly updates: CrdtUpdates
  /** Around the store in memory, which outlives a crash. */
  readonly replicaStore: (store: ReplicaStore, replica: number) => ReplicaStore
  readonly hubStore: (store: HubStore) => HubStore
  /** A replica's end of each connection. */
  readonly channel: (channel: ReplicaChannel, replica: number) => ReplicaChannel
  readonly clock: (clock: Clock, whose: number | 'hub') => Clock
  readonly principal: (replica: number) => Principal
}

export const defaultPorts: WorldPorts = {
  crdt: () => yjsCrdt,
  updates: yjsCrdt.updates,
  replicaStore: (store) => store,
  hubStore: (store) => store,
  channel: (channel) => channel,
  clock: (clock) => clock,
  principal: () => anyone,
}
