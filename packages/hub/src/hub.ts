/**
 * A hub: rooms over one store. It takes in channels from any transport, keeps a room in memory as long as somebody is in
 * it, and says what it does in counts. It holds no document (DESIGN section 7).
 */
import {
  limits,
  noSignals,
  SyncError,
  type AnyDomain,
  type Clock,
  type CrdtUpdates,
  type HubChannel,
  type HubSignals,
  type HubStore,
  type Namespace,
  type PlainHubChannel,
  type PlainRequest,
  type Seq,
} from '@rejoin/core'
import { Checkpointer } from './checkpointer.ts'
import { documentBytesMaxOf } from './document-bound.ts'
import { Healer } from './healer.ts'
import { countedWork, inlineWork, type HeavyWork } from './heavy-work.ts'
import { type HubLog } from './log-event.ts'
import { LogFollower } from './log-follower.ts'
import { countDocuments, HubCounts, type HubMetrics } from './metrics.ts'
import { PackedSnapshots, type PackSnapshot } from './packed-snapshots.ts'
import { PlainSession } from './plain-session.ts'
import { type Principal } from './principal.ts'
import { type Rebuilt } from './rebuild.ts'
import { defaultRebuildPolicy, type RebuildPolicy } from './rebuild-policy.ts'
import { Rebuilder } from './rebuilder.ts'
import { replicaLimitsOf, ReplicaRefusals, type ReplicaLimits } from './replica-bound.ts'
import { retentionOf, type Retention } from './retention.ts'
import { Room, type RoomParts } from './room.ts'
import { type RoomStatus } from './room-status.ts'
import { Session } from './session.ts'
import { within } from './waiting.ts'

export interface HubOptions {
  /** Stays open when the hub is closed: whoever opened it closes it. */
  readonly store: HubStore
  readonly updates: CrdtUpdates
  /** What may be stored here. */
  readonly domains: readonly AnyDomain[]
  readonly clock: Clock
  /** Other hubs over the same store are heard sooner with it. */
  readonly signals?: HubSignals
  readonly log?: HubLog
  /** What stays available as a tail; what is left out is `defaultRetention`'s. */
  readonly retention?: Partial<Retention>
  /** `bytesMin`: bytes logged since the last checkpoint that are worth a new one. */
  readonly checkpoint?: { readonly bytesMin?: number }
  /** When a checkpoint finds a document so dead that it is rebuilt, by itself and in the background. */
  readonly rebuild?: Partial<RebuildPolicy> | 'never'
  /** Compacts and rebuilds, e.g. on a worker thread; otherwise `updates` does, where it is called. */
  readonly heavy?: HeavyWork
  /** Bytes of one document, its newest snapshot and what was logged since; default `limits.documentBytesMax`. */
  readonly documentBytesMax?: number
  /** Replica ids that one namespace knows, and of one principal; default `limits.replicasMax`, `limits.replicasPerPrincipalMax`. */
  readonly replicaLimits?: Partial<ReplicaLimits>
  /** Packs snapshots for replicas that can read them so; without it they travel as they are. */
  readonly pack?: PackSnapshot
}

export interface Hub {
  /** Runs a session on the channel; resolves when it has ended, never rejects. Who the principal is was found out before. */
  accept(channel: HubChannel, principal: Principal): Promise<void>
  /** The same for a plain Yjs client, whose messages are those of y-protocols. */
  acceptPlain(channel: PlainHubChannel, request: PlainRequest, principal: Principal): Promise<void>
  /** Folds the log now. @throws SyncError NAMESPACE_UNKNOWN, or why it cannot */
  checkpoint(namespace: Namespace): Promise<{ readonly seq: Seq; readonly snapshotBytes: number }>
  /**
   * Starts a new epoch made of the live entries alone, while the hub serves on: whoever is connected and caught up makes
   * the same document of what it has.
   * @throws SyncError NAMESPACE_UNKNOWN, or why it cannot
   */
  rebuild(namespace: Namespace): Promise<Rebuilt>
  /** Tells every session, finishes the appends under way for at most `limits.closingMsMax`, closes. Idempotent. */
  close(): Promise<void>
  metrics(): HubMetrics
  status(): { readonly rooms: readonly RoomStatus[]; readonly closing: boolean }
}

/** @throws SyncError DOMAIN_INVALID, or INPUT_INVALID for its bounds. */
export function openHub(options: HubOptions): Hub {
  return new RunningHub(options)
}

class RunningHub implements Hub {
  readonly #options: HubOptions
  readonly #counts = new HubCounts()
  readonly #rooms = new Map<Namespace, Room>()
  readonly #sessions = new Set<Session | PlainSession>()
  readonly #domains: ReadonlyMap<string, AnyDomain>
  readonly #roomParts: RoomParts
  readonly #checkpointer: Checkpointer
  readonly #rebuilder: Rebuilder
  readonly #healer: Healer
  readonly #packed: PackedSnapshots
  readonly #follower: LogFollower
  readonly #log: HubLog
  #closing: Promise<void> | null = null

  constructor(options: HubOptions) {
    const { store, clock, signals = noSignals, log = () => {} } = options
    const updates = countDocuments(options.updates, this.#counts)
    const counts = this.#counts
    // Inline work is counted where it decodes.
    const heavy = options.heavy === undefined ? inlineWork(updates) : countedWork(options.heavy, this.#counts)
    const policy: RebuildPolicy | 'never' =
      options.rebuild === 'never' ? 'never' : { ...defaultRebuildPolicy, ...options.rebuild }
    this.#options = options
    this.#log = log
    this.#domains = domainsByName(options.domains)
    this.#checkpointer = new Checkpointer({
      store,
      updates,
      clock,
      counts,
      log,
      heavy,
      retention: retentionOf(options.retention),
      bytesMin: options.checkpoint?.bytesMin ?? limits.checkpointBytesMin,
      rooms: this.#rooms,
      weighed: (namespace, document) => this.#rebuilder.weighed(namespace, document),
    })
    const rebuilding = { store, updates, heavy, clock, signals, counts, log, policy }
    this.#rebuilder = new Rebuilder({ ...rebuilding, room: (namespace) => this.#room(namespace) })
    this.#packed = new PackedSnapshots(options.pack ?? null, log)
    const replicaLimits = replicaLimitsOf(options.replicaLimits)
    this.#healer = new Healer({ store, updates, heavy, clock, signals, counts, log, replicaLimits })
    this.#roomParts = {
      store,
      updates,
      heavy,
      clock,
      signals,
      counts,
      log,
      checkReadable: (namespace, opened) => this.#checkpointer.checkReadable(namespace, opened),
      grown: (room) => {
        this.#checkpointer.grown(room)
        this.#rebuilder.grown(room.namespace)
      },
      documentBytesMax: documentBytesMaxOf(options.documentBytesMax),
      replicaLimits,
      replicaRefusals: new ReplicaRefusals(clock, log),
      full: (room) => this.#checkpointer.shrink(room),
      released: (room) => this.#checkpointer.released(room),
      idle: (room) => {
        // A session that has ended may still look at a room that was dropped before.
        if (this.#rooms.get(room.namespace) !== room) return
        this.#rooms.delete(room.namespace)
        this.#checkpointer.forget(room.namespace)
        this.#rebuilder.forget(room.namespace)
      },
    }
    this.#follower = new LogFollower({ store, signals, clock, log, rooms: this.#rooms })
  }

  async accept(channel: HubChannel, principal: Principal): Promise<void> {
    const { store, clock } = this.#options
    const session = new Session(channel, principal, {
      store,
      updates: this.#roomParts.updates,
      healer: this.#healer,
      packed: this.#packed,
      clock,
      counts: this.#counts,
      log: this.#log,
      domains: this.#domains,
      room: (namespace) => this.#room(namespace),
      checkpoint: (namespace) => this.#checkpointer.build(namespace),
    })
    if (this.#closing !== null) return session.dismiss(closing())
    this.#sessions.add(session)
    await session.run()
    this.#sessions.delete(session)
  }

  async acceptPlain(channel: PlainHubChannel, request: PlainRequest, principal: Principal): Promise<void> {
    const { store, updates, heavy, clock, counts } = this.#roomParts
    const session = new PlainSession(channel, request, principal, {
      store,
      updates,
      heavy,
      clock,
      counts,
      log: this.#log,
      domains: this.#domains,
      room: (namespace) => this.#room(namespace),
      checkpoint: (namespace) => this.#checkpointer.build(namespace),
    })
    if (this.#closing !== null) return session.close(closing())
    this.#sessions.add(session)
    await session.run()
    this.#sessions.delete(session)
  }

  async checkpoint(namespace: Namespace): Promise<{ readonly seq: Seq; readonly snapshotBytes: number }> {
    if (this.#closing !== null) throw closing()
    const { seq, snapshotBytes } = await this.#checkpointer.build(namespace)
    return { seq, snapshotBytes }
  }

  async rebuild(namespace: Namespace): Promise<Rebuilt> {
    if (this.#closing !== null) throw closing()
    return await this.#rebuilder.build(namespace)
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  metrics(): HubMetrics {
    const now = { rooms: this.#rooms.size, sessions: this.#sessions.size }
    return this.#counts.read({ ...now, checkpointsFailing: this.#checkpointer.failing })
  }

  status(): { readonly rooms: readonly RoomStatus[]; readonly closing: boolean } {
    const rooms = Array.from(this.#rooms.values(), (room) => {
      return {
        ...room.status,
        checkpointing: this.#checkpointer.troubleOf(room.namespace) ?? ('ok' as const),
      }
    })
    return { rooms, closing: this.#closing !== null }
  }

  async #close(): Promise<void> {
    this.#follower.stop()
    for (const session of this.#sessions) session.warn(closing())
    const rooms = [...this.#rooms.values()].map((room) => room.settled())
    const settled = Promise.all([...rooms, this.#checkpointer.stop(), this.#rebuilder.stop()])
    const result = await within(this.#options.clock, limits.closingMsMax, settled)
    if (result === 'late')
      this.#log({ level: 'warn', namespace: null, message: 'closed with appends under way' })
    for (const session of this.#sessions) session.close(closing())
  }

  #room(namespace: Namespace): Room {
    let room = this.#rooms.get(namespace)
    if (room === undefined) this.#rooms.set(namespace, (room = new Room(namespace, this.#roomParts)))
    return room
  }
}

/** @throws SyncError DOMAIN_INVALID */
function domainsByName(domains: readonly AnyDomain[]): ReadonlyMap<string, AnyDomain> {
  const byName = new Map<string, AnyDomain>()
  for (const domain of domains) {
    const other = byName.get(domain.name)
    if (other !== undefined && other !== domain) {
      const why = `a hub serves one version of it, not ${other.version} and ${domain.version}`
      throw new SyncError(
        'DOMAIN_INVALID',
        `domain ${domain.name} is given twice: ${why}; give the newest alone`,
      )
    }
    byName.set(domain.name, domain)
  }
  return byName
}

function closing(): SyncError {
  return new SyncError('HUB_CLOSING', 'the hub is closing; come back later')
}
