/** One connection of the world, of a replica or of the ghost of one, with a hand on it. */
import type { Clock, CloseReason, HubChannel, ReplicaChannel, UpMessage } from '@rejoin/core'
import { hubConnection, replicaConnection } from '@rejoin/transport'
import { LinkEnd } from './link-end.ts'
import { withMembers } from './proxy.ts'

export interface Lane {
  readonly link: Link
  readonly direction: 'up' | 'down'
  readonly from: LinkEnd
  readonly to: LinkEnd
}

export class Link {
  readonly replica: number
  /** What the replica said, for a ghost to say again. */
  readonly said: UpMessage[] = []
  readonly lanes: readonly [up: Lane, down: Lane]
  /** Its replica has gone without the hub's knowing, and what it said last is held. */
  holdsRest = false
  /** Messages until it breaks; null: it lasts. */
  cutAfter: number | null = null
  readonly #near: LinkEnd
  readonly #far: LinkEnd
  readonly #open: () => ReplicaChannel
  #isIdle = false

  /** @param hubClock of the process at the far end, where it is not the same. */
  constructor(
    replica: number,
    clock: Clock,
    accept: (channel: HubChannel) => void,
    nextSent: () => number,
    hubClock: Clock = clock,
  ) {
    this.replica = replica
    const near = new LinkEnd(nextSent)
    const far = new LinkEnd(nextSent)
    this.#near = near
    this.#far = far
    this.lanes = [
      { link: this, direction: 'up', from: near, to: far },
      { link: this, direction: 'down', from: far, to: near },
    ]
    hubConnection(far, hubClock, accept)
    const connection = replicaConnection(near, clock, { onIdle: () => (this.#isIdle = true) })
    this.#open = () => connection.open()
  }

  /** The one channel of it; what goes up is noted. */
  open(): ReplicaChannel {
    const channel = this.#open()
    return withMembers(channel, {
      send: (message) => {
        this.said.push(message)
        channel.send(message)
      },
    })
  }

  get hasPushed(): boolean {
    return this.said.some(({ type }) => type === 'Push')
  }

  /** The replica still uses it. */
  get isInUse(): boolean {
    return !this.#near.isOver && !this.#isIdle
  }

  /** Nobody has anything to do with it any more. */
  get isDead(): boolean {
    if (this.#near.isOver && this.#far.isOver) return true
    return this.#isIdle && this.lanes.every(({ from }) => from.oldest === null)
  }

  /** The process at one end is killed. @param heard whether the other end hears of it. */
  kill(end: 'near' | 'far', heard: boolean): void {
    const [gone, left] = end === 'near' ? [this.#near, this.#far] : [this.#far, this.#near]
    gone.kill()
    if (heard) left.lose(broken)
  }

  cut(heardBy: 'both' | 'replica' | 'hub'): void {
    if (heardBy !== 'hub') this.#near.lose(broken)
    if (heardBy !== 'replica') this.#far.lose(broken)
    if (heardBy === 'replica') this.holdsRest = true
    else for (const { from } of this.lanes) from.drop()
  }
}

const broken: CloseReason = { code: null, message: 'the connection broke' }
