/**
 * The network of the world: every connection with what is under way on it. Nothing arrives by itself: somebody delivers,
 * one message at a time, and says of which connection, so that a story decides every order (invariant 15).
 */
import {
  SyncError,
  type Clock,
  type Dial,
  type HubChannel,
  type ReplicaChannel,
  type UpMessage,
} from '@rejoin/core'
import type { Direction } from '@rejoin/testkit'
import { Link, type Lane } from './link.ts'
import type { Pick } from './order.ts'

export interface NetworkParts {
  readonly clock: Clock
  /** The hub of the moment. */
  readonly accept: (channel: HubChannel, replica: number) => void
  readonly channel: (channel: ReplicaChannel, replica: number) => ReplicaChannel
}

export class Network {
  readonly #parts: NetworkParts
  #links: Link[] = []
  readonly #ghosts = new Set<Link>()
  readonly #partitions = new Map<number, Direction | 'both'>()
  /** What each replica said on its last connection that is over. */
  readonly #past = new Map<number, readonly UpMessage[]>()
  #sent = 0

  constructor(parts: NetworkParts) {
    this.#parts = parts
  }

  dial(replica: number): Dial {
    return async (signal) => {
      if (signal.aborted || this.#partitions.has(replica))
        throw new SyncError('HUB_UNREACHABLE', 'the story keeps the hub out of reach')
      return this.#parts.channel(this.#connect(replica).open(), replica)
    }
  }

  partition(replica: number, direction: Direction | 'both'): void {
    this.#partitions.set(replica, direction)
  }

  heal(replica: number): void {
    this.#partitions.delete(replica)
  }

  /** The connection that the replica uses now, or null. */
  linkOf(replica: number): Link | null {
    return this.#links.findLast((link) => link.replica === replica && link.isInUse) ?? null
  }

  cut(replica: number, heardBy: 'both' | 'replica' | 'hub'): boolean {
    const link = this.linkOf(replica)
    link?.cut(heardBy)
    return link !== null
  }

  /** Every connection of a replica, or of all, breaks at once. */
  breakAll(replica: number | null = null): void {
    for (const link of this.#links) if (replica === null || link.replica === replica) link.cut('both')
  }

  /** A dead connection speaks again; false where it has nothing to say. */
  late(replica: number, what: 'rest' | 'again'): boolean {
    return what === 'rest' ? this.#releaseRest(replica) : this.#repeat(replica)
  }

  /** Nobody believes any more in a connection that is gone, and nothing keeps messages back. */
  mend(): void {
    this.#partitions.clear()
    for (const link of this.#links) link.holdsRest = false
  }

  /** Ghosts fall silent, and who is alone on a connection hears of it. */
  exorcise(): void {
    for (const link of this.#links) {
      if (this.#ghosts.has(link) || link.lanes.some(({ to }) => to.isOver)) link.cut('both')
    }
    this.#ghosts.clear()
  }

  /** Delivers one message, if there is one that can move. */
  deliver(pick: Pick): boolean {
    const lanes = this.#movable()
    const lane = lanes[pick(lanes.length)]
    if (lane === undefined) return false
    const { link } = lane
    if (link.cutAfter !== null && link.cutAfter-- === 0) link.cut('both')
    else lane.from.carryTo(lane.to)
    return true
  }

  /** What the hub has not heard of a dead connection comes through; false where there is nothing. */
  #releaseRest(replica: number): boolean {
    const held = this.#links.filter((link) => link.replica === replica && link.holdsRest)
    for (const link of held) link.holdsRest = false
    return held.length > 0
  }

  /** A ghost says everything once more that the replica said on its last dead connection; false where there is none. */
  #repeat(replica: number): boolean {
    this.#bury()
    const said = this.#past.get(replica)
    if (said === undefined) return false
    const link = this.#connect(replica)
    this.#ghosts.add(link)
    const channel = link.open()
    for (const message of said) if (message.type !== 'Bye') channel.send(message)
    void listen(channel)
    return true
  }

  #connect(replica: number): Link {
    const { clock, accept } = this.#parts
    const link = new Link(
      replica,
      clock,
      (channel) => accept(channel, replica),
      () => ++this.#sent,
    )
    this.#links.push(link)
    return link
  }

  /** Oldest message first. */
  #movable(): readonly Lane[] {
    this.#bury()
    return this.#links
      .flatMap(({ lanes }) => lanes)
      .filter((lane) => this.#moves(lane))
      .sort((a, b) => (a.from.oldest ?? 0) - (b.from.oldest ?? 0))
  }

  #moves({ link, direction, from, to }: Lane): boolean {
    if (from.oldest === null || to.isPaused) return false
    // Of nobody's interest any more: it goes nowhere, at once.
    if (to.isOver) return true
    if (direction === 'up' && link.holdsRest) return false
    const partition = this.#ghosts.has(link) ? undefined : this.#partitions.get(link.replica)
    return partition !== 'both' && partition !== direction
  }

  #bury(): void {
    for (const link of this.#links) {
      const isOver = !link.isInUse && !this.#ghosts.has(link)
      if (isOver && link.hasPushed) this.#past.set(link.replica, link.said)
    }
    this.#links = this.#links.filter((link) => !link.isDead)
  }
}

async function listen(channel: ReplicaChannel): Promise<void> {
  while ((await channel.receive()) !== null);
}
