// Replicas around a real hub in one process, on a clock that stands still until somebody waits.
import type { AnyDomain, CommitId, Dial } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub, readLog, rebuildNamespace, type Hub } from '@rejoin/hub'
import type { Replica } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial } from '@rejoin/transport'
import fc from 'fast-check'
import {
  itemSet,
  listAdded,
  listRemoved,
  openTodo,
  titled,
  todo,
  type Todo,
  type TodoOp,
  finished,
} from './support.ts'

const name = fc.constantFrom('a', 'b', 'c')
const text = fc.constantFrom('x', 'y', 'z')

/** Ops that often meet. */
export const anyOp: fc.Arbitrary<TodoOp> = fc.oneof(
  fc.tuple(name, text).map(([id, title]) => listAdded(id, title)),
  fc.tuple(name, text).map(([id, title]) => titled(id, title)),
  name.map((id): TodoOp => ({ type: 'BlueOnly', id })),
  fc.tuple(name, name, text).map(([list, item, value]) => itemSet(list, item, value)),
  fc.tuple(name, name).map(([list, item]): TodoOp => ({ type: 'ItemRemoved', list, item })),
  text.map((owner): TodoOp => ({ type: 'OwnerNamed', owner })),
  name.map(listRemoved),
)

/** What readers see, as one value. */
export function seenBy({ tables }: Pick<Replica<Todo>, 'tables'>): object {
  return {
    lists: [...tables.lists.entries()],
    items: [...tables.items.entries()],
    settings: tables.settings.get(),
  }
}

export class HubbedWorld {
  readonly clock: VirtualClock
  readonly #store = new MapHubStore()
  readonly #hub: Hub

  /** @param domain as the hub knows it. */
  constructor(seed: number, domain: AnyDomain = todo) {
    this.clock = new VirtualClock(seed)
    this.#hub = openHub({
      store: this.#store,
      updates: yjsCrdt.updates,
      domains: [domain],
      clock: this.clock,
      retention: { commits: 1, bytes: 0 },
    })
  }

  open(store = new MapReplicaStore()): Promise<Replica<Todo>> {
    return openTodo({ clock: this.clock, store, dial: this.dial, live: false })
  }

  readonly dial: Dial = (signal) => {
    const wire = memoryDial({
      clock: this.clock,
      accept: (channel) => void this.#hub.accept(channel, anyone),
    })
    return wire.dial(signal)
  }

  /** The commits that are still in the log, in order. */
  async log(): Promise<readonly { readonly id: CommitId; readonly seq: number }[]> {
    const found: { id: CommitId; seq: number }[] = []
    try {
      for await (const { id, seq } of readLog(this.#store, 'home')) found.push({ id, seq })
    } catch {
      // It does not exist yet.
    }
    return found
  }

  async sync(...replicas: readonly Replica<Todo>[]): Promise<void> {
    for (const replica of replicas) await this.finish(replica.syncOnce())
    // Stamps of what is written next are later than those of what was seen.
    this.clock.advance(1)
  }

  /** Until everybody has everything. */
  async settle(...replicas: readonly Replica<Todo>[]): Promise<void> {
    for (let round = 0; round < 3; round++) await this.sync(...replicas)
  }

  /** The log is folded, and only its newest commit stays. */
  async checkpoint(): Promise<void> {
    await this.finish(this.#hub.checkpoint('home'))
  }

  /** A new epoch. */
  async rebuild(): Promise<void> {
    await rebuildNamespace(this.#store, yjsCrdt.updates, 'home', this.clock)
  }

  finish<T>(work: Promise<T>): Promise<T> {
    return finished(this.clock, work)
  }
}
