/**
 * One channel of a room: greeting, catch-up, then pushes in and commits out until either side ends. What it may hold is
 * bounded on both sides: commits that are not answered yet stop it from reading more, and a peer that reads slowly is
 * dropped back to catch-up (invariant 14). Whatever goes wrong ends this channel with a reason, and no other.
 */
import {
  assert,
  limits,
  SyncError,
  unreachable,
  type Ack,
  type AnyDomain,
  type CrdtUpdates,
  type DownMessage,
  type Hello,
  type HubChannel,
  type Namespace,
  type Push,
  type Refused,
} from '@rejoin/core'
import { checkOwner, type Candidate } from './admission.ts'
import { internal } from './answers.ts'
import { Backlog } from './backlog.ts'
import { checkDomain, checkHello, receiveHello, standingOf, warnOfNewer } from './greeting.ts'
import { catchUp, type CatchUpOutlet } from './catch-up.ts'
import { healFrom } from './heal-talk.ts'
import { type Healer } from './healer.ts'
import { LoopShare } from './loop-share.ts'
import { withoutUpdates, type Landing, type Member } from './member.ts'
import { Outgoing } from './outgoing.ts'
import { type PackedSnapshots } from './packed-snapshots.ts'
import { type Principal } from './principal.ts'
import { readingEnd } from './reading-right.ts'
import { type Room } from './room.ts'
import { RoomReader, type RoomReaderParts } from './room-reader.ts'
import { SaidHeld } from './said-held.ts'
import { SessionEnding, type SessionEndingParts } from './session-ending.ts'
import { UnansweredCommits } from './unanswered-commits.ts'
import { Turns } from './waiting.ts'

export interface SessionParts extends RoomReaderParts, SessionEndingParts {
  readonly domains: ReadonlyMap<string, AnyDomain>
  readonly updates: CrdtUpdates
  readonly healer: Healer
  readonly packed: PackedSnapshots
  readonly room: (namespace: Namespace) => Room
}

interface Joined {
  readonly room: Room
  readonly hello: Hello
  readonly domain: AnyDomain
  readonly held: SaidHeld
}

export class Session implements Member {
  readonly #channel: HubChannel
  readonly #principal: Principal
  readonly #parts: SessionParts
  readonly #ending: SessionEnding
  readonly #outgoing: Outgoing
  #joined: Joined | null = null
  /** False also while behind: nothing live is sent, the log will give it. */
  #isLive = false
  readonly #unanswered: UnansweredCommits
  readonly #backlog: Backlog
  readonly #share: LoopShare
  /** Woken when a commit is answered or the stage changes. */
  readonly #turns = new Turns()

  constructor(channel: HubChannel, principal: Principal, parts: SessionParts) {
    this.#channel = channel
    this.#principal = principal
    this.#parts = parts
    this.#unanswered = new UnansweredCommits(channel)
    this.#ending = new SessionEnding(channel, parts, () => this.#turns.wake())
    this.#outgoing = new Outgoing(channel, principal, parts, this.#ending)
    this.#backlog = new Backlog(channel, parts.clock, () => this.#ending.isOver)
    this.#share = new LoopShare(parts.clock)
  }

  /** Runs until the channel is closed; never throws. */
  async run(): Promise<void> {
    const { clock } = this.#parts
    try {
      const hello = await receiveHello(this.#channel, clock)
      if (hello === null) return this.#channel.close()
      const joined = await this.#enter(hello)
      if (joined === null) return this.#channel.close()
      const why = await this.#serve(joined)
      // What it pushed is answered; and unless it does not care any more, what it lacks is sent.
      await this.#turns.until(
        () => this.#ending.isOver || (this.#unanswered.isNone && (why === 'left' || this.#isLive)),
      )
      this.#channel.close()
    } catch (error) {
      this.dismiss(internal(error, 'the session failed'))
    } finally {
      this.#ending.over()
      this.#outgoing.ended()
      this.#joined?.room.leave(this)
    }
  }

  answer(answer: Ack | Refused): void {
    this.#unanswered.answered()
    this.#channel.send(answer)
    this.#turns.wake()
  }

  deliver({ prev, cursor, commits, own }: Landing): void {
    // Whoever is not live will find it in the log.
    if (!this.#hearsAll) return
    if (prev !== (this.#outgoing.sent?.seq ?? 0) || this.#backlog.isTooLarge) return this.#fallBehind()
    this.#outgoing.send({ type: 'Tail', cursor, commits: withoutUpdates(commits, own.get(this)) }, cursor)
  }

  deliverAwareness(update: Uint8Array): void {
    if (this.#hearsAll) this.#outgoing.sendAwareness(update)
  }

  look(): void {
    const head = this.#joined?.room.head ?? null
    const { sent } = this.#outgoing
    if (this.#hearsAll && (head?.seq !== sent?.seq || head?.tag !== sent?.tag)) this.#fallBehind()
  }

  dismiss(error: SyncError): void {
    this.#ending.dismiss(error, this.#joined?.room ?? null)
  }

  /** The hub is closing. */
  warn(error: SyncError): void {
    this.#ending.warn(error)
  }

  close(error: SyncError): void {
    this.#ending.close(error)
  }

  /** Null where the replica gets no further on this channel. */
  async #enter(hello: Hello): Promise<Joined | null> {
    const ended = readingEnd(this.#principal, null, this.#parts.clock)
    if (ended !== null) throw ended
    const domain = checkHello(hello, this.#principal, this.#parts.domains)
    const held = new SaidHeld(this.#parts.updates, hello)
    const room = this.#parts.room(hello.namespace)
    room.join(this)
    this.#joined = { room, hello, domain, held }
    await room.opened()
    checkDomain(room, domain)
    checkOwner({ ...hello, principal: this.#principal }, room.marks)
    warnOfNewer(room, domain, this.#parts.log)
    this.#outgoing.begin(room, hello)
    return (await this.#catchUp(this.#joined, 'greeting')) === 'arrived' ? this.#joined : null
  }

  /** Takes messages until the replica says nothing more. */
  async #serve({ room, hello, domain }: Joined): Promise<'ended' | 'left'> {
    for (;;) {
      if (this.#share.isSpent) await this.#share.renewed()
      const isHeard = (): boolean =>
        this.#ending.isOver || this.#unanswered.bytes <= limits.pushUnansweredBytesMax
      if (!isHeard()) await this.#turns.until(isHeard)
      // Whatever it says is answered: a peer that does not read the answers is not heard any further.
      if (this.#backlog.isTooLarge) await this.#backlog.below(limits.backlogBytesMax)
      const message = await this.#channel.receive()
      // Not answered, so it is pushed again wherever the replica goes next.
      if (this.#ending.isWarned || !this.#outgoing.mayRead()) return 'left'
      switch (message?.type) {
        case undefined:
          return 'ended'
        case 'Bye':
          return 'left'
        case 'Push':
          this.#push(room, message, {
            namespace: room.namespace,
            principal: this.#principal,
            domain,
            replica: hello.replica,
            replicaVersion: hello.domainVersion,
          })
          break
        case 'Awareness':
          this.#share.did(1, message.update.length)
          // Who only reads is shown to nobody.
          if (this.#principal.canWrite(room.namespace)) {
            room.presence.show(this, this.#principal.id, message.update)
          }
          break
        case 'Hello':
          throw new SyncError(
            'MESSAGE_UNEXPECTED',
            'a channel has one Hello; open another for another namespace',
          )
        case 'Heal':
          // Brought along in the belief that it is wanted, as it was in the exchange before.
          break
        default:
          unreachable(message)
      }
    }
  }

  #push(room: Room, { epoch, commits }: Push, whose: Omit<Candidate, 'epoch' | 'commit'>): void {
    this.#unanswered.came(commits.length)
    this.#share.did(
      commits.length,
      commits.reduce((sum, { update }) => sum + update.length, 0),
    )
    room.push(
      this,
      // Field by field: a spread takes longer than the rest of this.
      commits.map((commit) => ({
        namespace: whose.namespace,
        principal: whose.principal,
        domain: whose.domain,
        replica: whose.replica,
        replicaVersion: whose.replicaVersion,
        epoch,
        commit,
      })),
    )
  }

  #outlet(joined: Joined, why: 'greeting' | 'behind'): CatchUpOutlet {
    const { room, hello } = joined
    const outgoing = this.#outgoing
    return {
      durability: this.#parts.store.durability,
      offers: {
        delta: hello.capabilities.includes('delta'),
        rebuild: hello.capabilities.includes('rebuild'),
        heal: hello.capabilities.includes('heal'),
        writes: this.#principal.canWrite(room.namespace),
      },
      heal: (plan) => {
        const send = (message: DownMessage): void => outgoing.send(message, outgoing.sent)
        const [channel, principal] = [this.#channel, this.#principal]
        return healFrom({ ...joined, channel, principal, send, isNew: why === 'greeting' }, this.#parts, plan)
      },
      outlived: room.marks?.outlived(hello.replica) === true,
      has: (update) => joined.held.has(update),
      pack: (found) =>
        hello.capabilities.includes('zlib')
          ? this.#parts.packed.of(room.namespace, found)
          : Promise.resolve(null),
      ready: () => this.#backlog.below(limits.tailBytesMax),
      send: (message, at) => outgoing.send(message, at),
      holds: (domainVersion) => outgoing.holds(domainVersion),
      arrive: (at, told) => {
        if (this.#ending.isOver) return
        const mark = room.marks?.markOf(hello.replica)
        const acked = { ackedCounter: mark?.counter ?? 0, ackedHlc: mark?.hlc ?? null }
        if (told) outgoing.send({ type: 'CaughtUp', cursor: at, ...acked }, at)
        outgoing.arrived()
        this.#isLive = true
        for (const update of room.presence.othersThan(this)) this.deliverAwareness(update)
        this.#turns.wake()
      },
    }
  }

  get #hearsAll(): boolean {
    return this.#isLive && !this.#ending.isOver
  }

  /** Back to catch-up, from what it was last sent. */
  #fallBehind(): void {
    this.#isLive = false
    this.#outgoing.fellBehind()
    this.#rejoin().catch((error: unknown) => this.dismiss(internal(error, 'the session could not catch up')))
  }

  async #rejoin(): Promise<void> {
    assert(this.#joined !== null, 'only who has joined falls behind')
    await this.#backlog.drained()
    await this.#catchUp(this.#joined, 'behind')
  }

  async #catchUp(joined: Joined, why: 'greeting' | 'behind'): Promise<'arrived' | 'left'> {
    const reader = new RoomReader(joined.room, this.#parts)
    const standing = standingOf(joined.hello, this.#outgoing.sent, why, joined.room.marks)
    try {
      return await catchUp(reader, this.#outlet(joined, why), standing, why)
    } finally {
      reader.end()
    }
  }
}
