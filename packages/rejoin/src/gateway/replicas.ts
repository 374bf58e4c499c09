/**
 * Replicas on the hub's own side, through which thin clients read and correct: each a member of its room like any other,
 * under the principal it acts for, so admission and scopes hold. It keeps nothing on disk and has a new id in every process:
 * what the hub has acknowledged is in the log. They are opened when needed, used by one request at a time, closed when
 * they are idle, and bounded in number.
 */
import { SyncError, type Clock, type HubChannel, type Namespace } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { type Principal } from '@rejoin/hub'
import { intents } from '@rejoin/intents'
import { openReplicaStore } from '@rejoin/persistence-level'
import { openReplica, type Replica } from '@rejoin/replica'
import { memoryDial } from '@rejoin/transport'
import { MemoryLevel } from 'memory-level'

export type IntentsReplica = Replica<typeof intents>

export interface GatewayReplicasOptions {
  readonly accept: (channel: HubChannel, principal: Principal) => void
  readonly clock: Clock
}

/** Documents in memory at once. */
const OPEN_MAX = 32
/** Requests that wait for one of them. */
const WAITING_MAX = 64
/** Milliseconds after which one that nobody used is closed: twice the pace at which clients ask by default. */
const IDLE_MS = 60_000
/** Codes with which a replica says that its namespace is not the one it was. */
const staleCodes: ReadonlySet<string> = new Set(['HISTORY_DIVERGED', 'NAMESPACE_DELETED', 'DIVERGED'])

/** One replica and who waits for it. */
interface Seat {
  /** Of the last request: its sign-in is the one that holds. */
  principal: Principal
  readonly replica: Promise<IntentsReplica>
  waiting: number
  usedAt: number
  /** Settles when the last request that came has had its turn; never rejects. */
  turn: Promise<unknown>
}

export class GatewayReplicas {
  readonly #options: GatewayReplicasOptions
  /** By principal and namespace, the one used longest ago first. */
  readonly #seats = new Map<string, Seat>()
  readonly #closed = new AbortController()
  readonly #closings = new Set<Promise<unknown>>()
  #isSweeping = false

  constructor(options: GatewayReplicasOptions) {
    this.#options = options
  }

  /** Documents in memory now. */
  get count(): number {
    return this.#seats.size
  }

  /**
   * Works with a replica that has everything the hub had when its turn came; nothing changes it meanwhile but the work.
   * @throws SyncError RATE_LIMITED where too many wait, what the hub refuses with, or what the work throws.
   */
  async use<T>(
    namespace: Namespace,
    principal: Principal,
    work: (replica: IntentsReplica) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#use(namespace, principal, work)
    } catch (error) {
      // The namespace was removed and made anew: so is the replica.
      if (!(error instanceof SyncError) || !staleCodes.has(error.code)) throw error
      return await this.#use(namespace, principal, work)
    }
  }

  /** Ends when all are closed. Idempotent. */
  async close(): Promise<void> {
    this.#closed.abort()
    for (const key of this.#seats.keys()) this.#drop(key)
    await Promise.all(this.#closings)
  }

  async #use<T>(
    namespace: Namespace,
    principal: Principal,
    work: (replica: IntentsReplica) => Promise<T>,
  ): Promise<T> {
    if (this.#closed.signal.aborted) throw new SyncError('HUB_CLOSING', 'the hub is closing: try again later')
    const key = `${namespace} ${principal.id}`
    const seat = this.#seats.get(key) ?? this.#take(key, namespace, principal)
    if (seat.waiting >= WAITING_MAX) throw busy(`${seat.waiting} requests wait for ${namespace}`)
    seat.waiting++
    const mine = seat.turn.then(async () => {
      seat.principal = principal
      const replica = await seat.replica
      await replica.syncOnce()
      // Its cursor says what it has once that is recorded.
      await replica.flush()
      return await work(replica)
    })
    seat.turn = mine.catch(() => {
      // Whatever state it is in, the next request has a new one.
      if (this.#seats.get(key) === seat) this.#drop(key)
    })
    try {
      return await mine
    } finally {
      seat.waiting--
      seat.usedAt = this.#options.clock.now()
      if (this.#seats.get(key) === seat) {
        this.#seats.delete(key)
        this.#seats.set(key, seat)
      }
    }
  }

  #take(key: string, namespace: Namespace, principal: Principal): Seat {
    if (this.#seats.size >= OPEN_MAX) {
      const idle = [...this.#seats].find(([, { waiting }]) => waiting === 0)
      if (idle === undefined) throw busy(`${OPEN_MAX} documents are in use`)
      this.#drop(idle[0])
    }
    const { clock, accept } = this.#options
    const { dial } = memoryDial({ clock, accept: (channel) => accept(channel, seat.principal) })
    const seat: Seat = {
      principal,
      replica: openInMemory(namespace, dial, clock),
      waiting: 0,
      usedAt: clock.now(),
      turn: Promise.resolve(),
    }
    // Whoever waits for it is told.
    seat.replica.catch(() => {})
    this.#seats.set(key, seat)
    void this.#sweep()
    return seat
  }

  #drop(key: string): void {
    const seat = this.#seats.get(key)
    if (seat === undefined) return
    this.#seats.delete(key)
    const closing = (async () => {
      try {
        await (await seat.replica).close()
      } catch {
        // It held nothing that is not in the log, or that anybody was told is.
      }
    })()
    this.#closings.add(closing)
    void closing.then(() => this.#closings.delete(closing))
  }

  /** Closes what is idle, as long as there is something. */
  async #sweep(): Promise<void> {
    if (this.#isSweeping) return
    this.#isSweeping = true
    const { clock } = this.#options
    while (this.#seats.size > 0 && !this.#closed.signal.aborted) {
      await clock.sleep(IDLE_MS / 2, this.#closed.signal)
      for (const [key, { waiting, usedAt }] of this.#seats) {
        if (waiting === 0 && clock.now() - usedAt >= IDLE_MS) this.#drop(key)
      }
    }
    this.#isSweeping = false
  }
}

async function openInMemory(
  namespace: Namespace,
  dial: Parameters<typeof openReplica>[0]['dial'],
  clock: Clock,
): Promise<IntentsReplica> {
  const store = await openReplicaStore(new MemoryLevel(), namespace)
  return openReplica({ domain: intents, namespace, store, crdt: yjsCrdt, clock, dial, live: false })
}

function busy(why: string): SyncError {
  return new SyncError('RATE_LIMITED', `${why}: try again in a second`, { retryAfterMs: 1_000 })
}
