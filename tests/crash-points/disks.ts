/**
 * Disks of a hub or a replica that end with their process. `database`: LevelDB's place is taken by a database in memory, and
 * every call to it is a point. `port`: the store is a plain one, and every call of the port is a point.
 */
import type { HubStore, ReplicaStore, StoredCheckpoint } from '@rejoin/core'
import { openHubStore, openReplicaStore } from '@rejoin/persistence-level'
import { MapHubStore, MapReplicaStore } from '@rejoin/testkit'
import { Fuse } from './fuse.ts'
import { MortalDatabase, type Contents } from './mortal-database.ts'

export type Level = 'database' | 'port'

export interface Disk<Store> {
  readonly open: () => Promise<Store>
  /** What the next process finds, which ends by another fuse. */
  readonly left: (fuse?: Fuse) => Promise<Disk<Store>>
}

export function hubDisk(level: Level, fuse: Fuse): Promise<Disk<HubStore>> {
  const openIn = ({ database }: MortalDatabase): Promise<HubStore> =>
    openHubStore(database, { incarnation: 'one' })
  return level === 'database'
    ? databaseDisk(fuse, openIn)
    : Promise.resolve(portDisk(fuse, new MapHubStore()))
}

export function replicaDisk(level: Level, fuse: Fuse): Promise<Disk<ReplicaStore>> {
  const openIn = ({ database }: MortalDatabase): Promise<ReplicaStore> => openReplicaStore(database, 'home')
  return level === 'database'
    ? databaseDisk(fuse, openIn)
    : Promise.resolve(portDisk(fuse, new MapReplicaStore()))
}

async function databaseDisk<Store>(
  fuse: Fuse,
  openIn: (mortal: MortalDatabase) => Promise<Store>,
  contents?: Contents,
): Promise<Disk<Store>> {
  const mortal = await MortalDatabase.of(fuse, contents)
  return {
    open: () => openIn(mortal),
    left: async (next = new Fuse(null)) => databaseDisk(next, openIn, await mortal.contents()),
  }
}

interface Crashing<Store> {
  crash(): Store & Crashing<Store>
}

function portDisk<Store extends object>(fuse: Fuse, store: Store & Crashing<Store>): Disk<Store> {
  return {
    open: () => Promise.resolve(withFuse<Store>(store, fuse)),
    left: (next = new Fuse(null)) => Promise.resolve(portDisk(next, store.crash())),
  }
}

function withFuse<Store extends object>(store: Store, fuse: Fuse): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]): Promise<unknown> => {
        const answer: unknown = await fuse.through(
          String(name),
          () => Reflect.apply(value, target, args) as unknown,
        )
        return isCheckpoint(answer)
          ? { ...answer, snapshot: () => fuse.through('snapshot', () => answer.snapshot()) }
          : answer
      }
    },
  })
}

function isCheckpoint(answer: unknown): answer is StoredCheckpoint {
  return (
    typeof answer === 'object' &&
    answer !== null &&
    'snapshot' in answer &&
    typeof answer.snapshot === 'function'
  )
}
