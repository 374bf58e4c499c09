/**
 * The network of a simulated world: live connections, whose frames keep their order as over TCP and which break when one is
 * lost, and one-shot exchanges, which get lost, come twice and late. Nothing arrives by itself: somebody carries one parcel
 * at a time, of whichever wire chance says.
 */
import {
  SyncError,
  type Clock,
  type Dial,
  type HubChannel,
  type ReplicaChannel,
  type UpMessage,
} from '@rejoin/core'
import { Link, type Lane } from '../link.ts'
import type { Chance } from './chance.ts'
import { OneShotWire } from './one-shot-wire.ts'

export type WireDirection = 'up' | 'down' | 'both'

export interface SimulatedNetworkParts {
  /** Of the process that has the replica open. */
  readonly clockOf: (replica: number) => Clock
  readonly hubClockOf: (hub: number) => Clock
  /** The hub that a replica goes to. */
  readonly hubOf: (replica: number) => number
  /** Takes a channel in at a hub; null: it is down. */
  readonly acceptAt: (hub: number, replica: number) => ((channel: HubChannel) => void) | null
  readonly channel: (channel: ReplicaChannel, replica: number) => ReplicaChannel
}

interface LiveWire {
  readonly link: Link
  readonly hub: number
}

export class SimulatedNetwork {
  readonly #parts: SimulatedNetworkParts
  #links: LiveWire[] = []
  #oneShots: OneShotWire[] = []
  readonly #ghosts = new Set<Link>()
  readonly #partitions = new Map<number, WireDirection>()
  readonly #past = new Map<number, readonly UpMessage[]>()
  #sent = 0
  /** Parcels carried so far. */
  carried = 0

  constructor(parts: SimulatedNetworkParts) {
    this.#parts = parts
  }

  /** Parcels that were sent so far. */
  get sent(): number {
    return this.#sent
  }

  /** Wires that somebody may still hear something of. */
  get wires(): number {
    return this.#links.length + this.#oneShots.length
  }

  dial(replica: number, via: 'live' | 'one-shot'): Dial {
    return async (signal) => {
      const hub = this.#parts.hubOf(replica)
      const isReachable = !this.#partitions.has(replica) && this.#parts.acceptAt(hub, replica) !== null
      if (signal.aborted || (!isReachable && via === 'live'))
        throw new SyncError('HUB_UNREACHABLE', 'the simulated hub is out of reach')
      const channel =
        via === 'live' ? this.#connect(replica, hub).open() : this.#exchange(replica, hub).open()
      return this.#parts.channel(channel, replica)
    }
  }

  partition(replica: number, direction: WireDirection): void {
    this.#partitions.set(replica, direction)
  }

  /** @returns whether there was something to heal. */
  heal(replica: number): boolean {
    return this.#partitions.delete(replica)
  }

  partitionOf(replica: number): WireDirection | null {
    return this.#partitions.get(replica) ?? null
  }

  linkOf(replica: number): Link | null {
    return this.#links.findLast(({ link }) => link.replica === replica && link.isInUse)?.link ?? null
  }

  cut(replica: number, heardBy: 'both' | 'replica' | 'hub'): boolean {
    const link = this.linkOf(replica)
    link?.cut(heardBy)
    return link !== null
  }

  /** @param heard whether who had it at the other end is told at once. */
  killReplica(replica: number, heard: boolean): void {
    for (const { link } of this.#links) if (link.replica === replica) link.kill('near', heard)
    for (const wire of this.#oneShots) if (wire.replica === replica) wire.kill('near')
  }

  killHub(hub: number, heard: boolean): void {
    for (const wire of this.#links) if (wire.hub === hub) wire.link.kill('far', heard)
    for (const wire of this.#oneShots) if (wire.hub === hub) wire.kill('far')
  }

  /** Of a replica's one-shot exchanges; false where none is under way. */
  strike(replica: number, direction: 'up' | 'down', how: 'lost' | 'twice'): boolean {
    return this.#oneShots.some((wire) => wire.replica === replica && wire.strike(direction, how))
  }

  late(replica: number, what: 'rest' | 'again'): boolean {
    return what === 'rest' ? this.#releaseRest(replica) : this.#repeat(replica)
  }

  /** Nothing keeps messages back any more. */
  mend(): void {
    this.#partitions.clear()
    for (const { link } of this.#links) link.holdsRest = false
  }

  /** Ghosts fall silent, and who is alone on a connection hears of it. */
  exorcise(): void {
    for (const { link } of this.#links) {
      if (this.#ghosts.has(link) || link.lanes.some(({ to }) => to.isOver)) link.cut('both')
    }
    this.#ghosts.clear()
  }

  breakAll(): void {
    for (const { link } of this.#links) link.cut('both')
    for (const wire of this.#oneShots) wire.cut()
  }

  /** Carries one parcel, if one can move. */
  carry(chance: Chance): boolean {
    const moves = this.#movable()
    const move = moves[moves.length < 2 ? 0 : chance.below(moves.length)]
    if (move === undefined) return false
    this.carried++
    move()
    return true
  }

  #movable(): readonly (() => void)[] {
    this.#bury()
    const moves: (() => void)[] = []
    for (const { link } of this.#links) {
      for (const lane of link.lanes) if (this.#moves(lane)) moves.push(() => carryOn(lane))
    }
    for (const wire of this.#oneShots) {
      const partition = this.#partitions.get(wire.replica)
      for (const direction of ['up', 'down'] as const) {
        if (wire.oldest(direction) === null || partition === 'both' || partition === direction) continue
        moves.push(() => wire.carry(direction))
      }
    }
    return moves
  }

  #moves({ link, direction, from, to }: Lane): boolean {
    if (from.oldest === null || to.isPaused) return false
    if (to.isOver) return true
    if (direction === 'up' && link.holdsRest) return false
    const partition = this.#ghosts.has(link) ? undefined : this.#partitions.get(link.replica)
    return partition !== 'both' && partition !== direction
  }

  #releaseRest(replica: number): boolean {
    const held = this.#links.filter(({ link }) => link.replica === replica && link.holdsRest)
    for (const { link } of held) link.holdsRest = false
    return held.length > 0
  }

  #repeat(replica: number): boolean {
    this.#bury()
    const said = this.#past.get(replica)
    const hub = this.#parts.hubOf(replica)
    if (said === undefined || this.#parts.acceptAt(hub, replica) === null) return false
    const link = this.#connect(replica, hub)
    this.#ghosts.add(link)
    const channel = link.open()
    for (const message of said) if (message.type !== 'Bye') channel.send(message)
    void listen(channel)
    return true
  }

  #connect(replica: number, hub: number): Link {
    const { acceptAt, clockOf, hubClockOf } = this.#parts
    const accept = (channel: HubChannel): void => acceptAt(hub, replica)?.(channel)
    const link = new Link(replica, clockOf(replica), accept, () => ++this.#sent, hubClockOf(hub))
    this.#links.push({ link, hub })
    return link
  }

  #exchange(replica: number, hub: number): OneShotWire {
    const { acceptAt, clockOf, hubClockOf } = this.#parts
    const wire = new OneShotWire({
      replica,
      hub,
      clock: clockOf(replica),
      hubClock: () => hubClockOf(hub),
      accept: () => acceptAt(hub, replica),
      nextSent: () => ++this.#sent,
    })
    this.#oneShots.push(wire)
    return wire
  }

  #bury(): void {
    let isAnyDead = false
    for (const { link } of this.#links) {
      if (link.isDead) isAnyDead = true
      const isOver = !link.isInUse && !this.#ghosts.has(link)
      if (isOver && link.hasPushed) this.#past.set(link.replica, link.said)
    }
    if (isAnyDead) this.#links = this.#links.filter(({ link }) => !link.isDead)
    if (this.#oneShots.some((wire) => wire.isDead))
      this.#oneShots = this.#oneShots.filter((wire) => !wire.isDead)
  }
}

function carryOn({ link, from, to }: Lane): void {
  if (link.cutAfter !== null && link.cutAfter-- === 0) link.cut('both')
  else from.carryTo(to)
}

async function listen(channel: ReplicaChannel): Promise<void> {
  while ((await channel.receive()) !== null);
}
