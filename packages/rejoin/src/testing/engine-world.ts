/**
 * A world of real engines in one process: hub and replicas over in-memory stores, the real frames and codec, and a clock
 * that moves only when nobody has anything left to do.
 */
import {
  allEntries,
  asSyncError,
  assert,
  CLIENT_ID_MIN,
  commitName,
  entryLine,
  listConflicts,
  type AnyDomain,
  type AnyOp,
  type Namespace,
} from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub, readLog, rebuildNamespace, type Hub } from '@rejoin/hub'
import { openReplica, type Receipt, type Replica } from '@rejoin/replica'
import {
  MapHubStore,
  MapReplicaStore,
  VirtualClock,
  type ApplyOutcome,
  type Observation,
  type ReplicaObservation,
  type World,
} from '@rejoin/testkit'
import { cuttingDial } from './cutting-dial.ts'

const NAMESPACE: Namespace = 'world'
/** Few enough that stories of a few dozen steps meet the revision gap. */
const RETENTION_COMMITS = 3

interface Member<D extends AnyDomain> {
  store: MapReplicaStore
  replica: Replica<D>
}

export async function openEngineWorld<D extends AnyDomain>(domain: D, replicas: number): Promise<World> {
  const clock = new VirtualClock(replicas)
  const store = new MapHubStore()
  const hub = openHub({
    store,
    updates: yjsCrdt.updates,
    domains: [domain],
    clock,
    retention: { commits: RETENTION_COMMITS },
  })
  const members: Member<D>[] = []
  for (let i = 0; i < replicas; i++) {
    const memberStore = new MapReplicaStore()
    members.push({ store: memberStore, replica: await openMember(domain, memberStore, clock) })
  }
  return new EngineWorld(domain, clock, store, hub, members)
}

function openMember<D extends AnyDomain>(
  domain: D,
  store: MapReplicaStore,
  clock: VirtualClock,
): Promise<Replica<D>> {
  return openReplica({ domain, namespace: NAMESPACE, store, crdt: yjsCrdt, clock, dial: null })
}

class EngineWorld<D extends AnyDomain> implements World {
  readonly #domain: D
  readonly #clock: VirtualClock
  readonly #store: MapHubStore
  readonly #hub: Hub
  readonly #members: Member<D>[]
  readonly #accepted = new Set<string>()
  readonly #acknowledged = new Set<string>()
  /** The whole log, read as it grows, since the hub trims it. */
  readonly #logged: string[] = []
  #readUpTo = 0

  constructor(domain: D, clock: VirtualClock, store: MapHubStore, hub: Hub, members: Member<D>[]) {
    this.#domain = domain
    this.#clock = clock
    this.#store = store
    this.#hub = hub
    this.#members = members
  }

  get replicas(): number {
    return this.#members.length
  }

  async apply(replica: number, op: AnyOp): Promise<ApplyOutcome> {
    let receipt: Receipt
    try {
      // The op comes from an arbitrary of this very domain; `apply` checks it in any case.
      receipt = this.#member(replica).replica.apply(op as never)
    } catch (error) {
      return { kind: 'refused', code: asSyncError(error, 'OP_FAILED', 'apply').code }
    }
    if (receipt.kind === 'unchanged') return { kind: 'unchanged' }
    const id = commitName(receipt.id)
    receipt.acked.then(
      () => this.#acknowledged.add(id),
      () => {},
    )
    await this.#settled(receipt.saved)
    this.#accepted.add(id)
    return { kind: 'commit', id }
  }

  async exchange(replica: number, cutAfter: number | null): Promise<void> {
    const dial = cuttingDial(this.#clock, (channel) => void this.#hub.accept(channel, anyone), cutAfter)
    // A broken connection is part of the story.
    await this.#settled(
      this.#member(replica)
        .replica.syncOnce(dial)
        .catch(() => {}),
    )
    await this.#readLog()
  }

  async restart(replica: number): Promise<void> {
    const member = this.#member(replica)
    member.store = member.store.crash()
    member.replica = await this.#settled(openMember(this.#domain, member.store, this.#clock))
  }

  async checkpoint(): Promise<void> {
    await this.#settled(this.#hub.checkpoint(NAMESPACE).catch(() => {}))
  }

  async rebuild(): Promise<void> {
    if ((await this.#store.state(NAMESPACE)) !== 'present') return
    await this.#settled(rebuildNamespace(this.#store, yjsCrdt.updates, NAMESPACE, this.#clock))
  }

  async observe(): Promise<Observation> {
    await this.#readLog()
    return {
      replicas: await Promise.all(this.#members.map((member) => this.#observeMember(member))),
      accepted: [...this.#accepted],
      acknowledged: [...this.#acknowledged],
      logged: this.#logged,
    }
  }

  async close(): Promise<void> {
    await this.#settled(this.#hub.close())
  }

  async #observeMember({ replica, store }: Member<D>): Promise<ReplicaObservation> {
    const { registers, outbox, rejected } = replica
    // What is on disk, not what is in memory: a replica that only looks converged would be found out at its restart.
    const stored = await store.load()
    const parts = [...(stored?.base ?? []), ...(stored?.outbox ?? []).map(({ update }) => update)]
    const snapshot = yjsCrdt.updates.compact(parts.filter((part) => part.length > 0))
    const document = yjsCrdt.open(CLIENT_ID_MIN, [snapshot])
    return {
      content: Array.from(allEntries(registers), entryLine),
      conflicts: JSON.stringify(listConflicts(this.#domain, registers)),
      encoding: Buffer.from(snapshot).toString('hex'),
      waiting: document.pendingCount,
      outbox: outbox.map(({ id }) => commitName(id)),
      rejected: rejected.map(({ commit }) => commitName(commit.id)),
    }
  }

  async #readLog(): Promise<void> {
    if ((await this.#store.state(NAMESPACE)) !== 'present') return
    for await (const { seq, id } of readLog(this.#store, NAMESPACE, { after: this.#readUpTo })) {
      this.#logged.push(commitName(id))
      this.#readUpTo = seq
    }
  }

  #member(replica: number): Member<D> {
    const member = this.#members[replica]
    assert(member !== undefined, 'a story names replicas that there are')
    return member
  }

  /** Lets everybody work until `promise` is settled; when nobody can, the clock moves on to the next who sleeps. */
  async #settled<T>(promise: Promise<T>): Promise<T> {
    let done = false
    const mark = (): void => {
      done = true
    }
    promise.then(mark, mark)
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      if (done) return promise
      assert(this.#clock.advanceToNext(), 'who waits, waits for a peer or for the clock')
    }
  }
}
