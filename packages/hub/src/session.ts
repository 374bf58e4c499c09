/**
 * One channel of a room: greeting, catch-up, then pushes in and commits out until either side ends. What it may hold is
 * bounded on both sides: commits that are not answered yet stop it from reading more, and a peer that reads slowly is
 * dropped back to catch-up (invariant 14). Whatever goes wrong ends this channel with a reason, and no other.
 */
import {
  assert,
  commitName,
  limits,
  signInEnd,
  SyncError,
  unreachable,
  type Ack,
  type AnyDomain,
  type CrdtUpdates,
  type Cursor,
  type DownMessage,
  type Hello,
  type HubChannel,
  type Namespace,
  type Push,
  type Refused,
  type TailCommit,
} from '@rejoin/core'
import { type Candidate } from './admission.ts'
import { closingOf, internal, isAboutChannel, refusalOf } from './answers.ts'
import { Backlog } from './backlog.ts'
import { checkDomain, checkHello, mayNotRead, receiveHello, standingOf, warnOfNewer } from './greeting.ts'
import { catchUp, type CatchUpOutlet } from './catch-up.ts'
import { healFrom } from './heal-talk.ts'
import { type Healer } from './healer.ts'
import { type HubLog } from './log-event.ts'
import { type Landing, type Member } from './member.ts'
import { type HubCounts } from './metrics.ts'
import { type Principal } from './principal.ts'
import { type Room } from './room.ts'
import { RoomReader, type RoomReaderParts } from './room-reader.ts'
import { UnansweredCommits } from './unanswered-commits.ts'
import { VersionNews } from './version-news.ts'
import { Turns } from './waiting.ts'

export interface SessionParts extends RoomReaderParts {
  readonly counts: HubCounts
  readonly log: HubLog
  readonly domains: ReadonlyMap<string, AnyDomain>
  readonly updates: CrdtUpdates
  readonly healer: Healer
  readonly room: (namespace: Namespace) => Room
}

interface Joined {
  readonly room: Room
  readonly hello: Hello
  readonly domain: AnyDomain
  readonly versions: VersionNews
}

/** 'catchingUp' also while behind: nothing live is sent, the log will give it. */
type Stage = 'catchingUp' | 'live' | 'ended'

export class Session implements Member {
  readonly #channel: HubChannel
  readonly #principal: Principal
  readonly #parts: SessionParts
  #joined: Joined | null = null
  #stage: Stage = 'catchingUp'
  /** How far the replica is, once it has received what was sent. */
  #sent: Cursor | null = null
  #isWarned = false
  readonly #unanswered: UnansweredCommits
  readonly #backlog: Backlog
  /** Woken when a commit is answered or the stage changes. */
  readonly #turns = new Turns()

  constructor(channel: HubChannel, principal: Principal, parts: SessionParts) {
    this.#channel = channel
    this.#principal = principal
    this.#parts = parts
    this.#unanswered = new UnansweredCommits(channel)
    this.#backlog = new Backlog(channel, parts.clock, () => this.#isEnded)
  }

  /** Runs until the channel is closed; never throws. */
  async run(): Promise<void> {
    void this.#channel.closed.then(() => this.#end())
    const { clock } = this.#parts
    try {
      const hello = await receiveHello(this.#channel, clock)
      if (hello === null) return
      const joined = await this.#enter(hello)
      if (joined === null) return this.#channel.close()
      const why = await this.#serve(joined)
      // What it pushed is answered; and unless it does not care any more, what it lacks is sent.
      await this.#turns.until(
        () => this.#isEnded || (this.#unanswered.isNone && (why === 'left' || this.#stage === 'live')),
      )
      this.#channel.close()
    } catch (error) {
      this.dismiss(internal(error, 'the session failed'))
    } finally {
      this.#end()
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
    if (this.#stage !== 'live') return
    if (prev !== (this.#sent?.seq ?? 0) || this.#backlog.isTooLarge) return this.#fallBehind()
    const names = own.get(this)
    const withoutOwn = (commit: TailCommit): TailCommit =>
      names?.has(commitName(commit)) === true ? { ...commit, update: null } : commit
    this.#send({ type: 'Tail', cursor, commits: commits.map(withoutOwn) }, cursor)
  }

  deliverAwareness(update: Uint8Array): void {
    // Presence is the first thing that a slow peer goes without.
    if (this.#stage !== 'live' || this.#channel.backlogBytes > limits.frameBytesMax) return
    if (!this.#mayRead()) return
    this.#channel.send({ type: 'Awareness', update })
  }

  look(): void {
    const head = this.#joined?.room.head ?? null
    if (this.#stage === 'live' && (head?.seq !== this.#sent?.seq || head?.tag !== this.#sent?.tag))
      this.#fallBehind()
  }

  dismiss(error: SyncError): void {
    if (this.#stage === 'ended') return
    const { log, counts, clock } = this.#parts
    log({
      level: 'info',
      namespace: this.#joined?.room.namespace ?? null,
      message: `session closed: ${error.message}`,
      error,
    })
    if (!isAboutChannel(error.code)) {
      counts.refused(error.code)
      this.#channel.send(refusalOf(error, null))
    }
    this.#channel.send(closingOf(error, clock))
    this.#end()
    this.#channel.close({ code: error.code, message: error.message })
  }

  /** The hub is closing: says so; what is under way may still be answered until the channel is closed. */
  warn(error: SyncError): void {
    if (this.#isEnded) return
    this.#isWarned = true
    this.#channel.send(closingOf(error, this.#parts.clock))
  }

  close(error: SyncError): void {
    this.#end()
    this.#channel.close({ code: error.code, message: error.message })
  }

  /** Null where the replica gets no further on this channel. */
  async #enter(hello: Hello): Promise<Joined | null> {
    const ended = signInEnd(this.#principal, this.#parts.clock.now())
    if (ended !== null) throw ended
    const domain = checkHello(hello, this.#principal, this.#parts.domains)
    const room = this.#parts.room(hello.namespace)
    room.join(this)
    this.#joined = { room, hello, domain, versions: new VersionNews(this.#channel, hello) }
    await room.opened()
    checkDomain(room, domain)
    warnOfNewer(room, domain, this.#parts.log)
    this.#sent = hello.cursor
    return (await this.#catchUp(this.#joined, 'greeting')) === 'arrived' ? this.#joined : null
  }

  /** Takes messages until the replica says nothing more. */
  async #serve({ room, hello, domain }: Joined): Promise<'ended' | 'left'> {
    for (;;) {
      await this.#turns.until(() => this.#isEnded || this.#unanswered.bytes <= limits.pushUnansweredBytesMax)
      // Whatever it says is answered: a peer that does not read the answers is not heard any further.
      if (this.#backlog.isTooLarge) await this.#backlog.below(limits.backlogBytesMax)
      const message = await this.#channel.receive()
      // Not answered, so it is pushed again wherever the replica goes next.
      if (this.#isWarned || !this.#mayRead()) return 'left'
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
    room.push(
      this,
      commits.map((commit) => ({ ...whose, epoch, commit })),
    )
  }

  #outlet(joined: Joined, why: 'greeting' | 'behind'): CatchUpOutlet {
    const { room, hello, versions } = joined
    return {
      durability: this.#parts.store.durability,
      offers: {
        delta: hello.capabilities.includes('delta'),
        rebuild: hello.capabilities.includes('rebuild'),
        heal: hello.capabilities.includes('heal'),
        writes: this.#principal.canWrite(room.namespace),
      },
      heal: (plan) => {
        const send = (message: DownMessage): void => this.#send(message, this.#sent)
        const [channel, principal] = [this.#channel, this.#principal]
        return healFrom({ ...joined, channel, principal, send, isNew: why === 'greeting' }, this.#parts, plan)
      },
      outlived: room.marks?.outlived(hello.replica) === true,
      ready: () => this.#backlog.below(limits.tailBytesMax),
      send: (message, at) => this.#send(message, at),
      holds: (domainVersion) => versions.tell(domainVersion),
      arrive: (at, told) => {
        if (this.#stage === 'ended') return
        const mark = room.marks?.markOf(hello.replica)
        const acked = { ackedCounter: mark?.counter ?? 0, ackedHlc: mark?.hlc ?? null }
        if (told) this.#send({ type: 'CaughtUp', cursor: at, ...acked }, at)
        this.#stage = 'live'
        for (const update of room.presence.othersThan(this)) this.deliverAwareness(update)
        this.#turns.wake()
      },
    }
  }

  get #isEnded(): boolean {
    return this.#stage === 'ended'
  }

  /** Back to catch-up, from what it was last sent. */
  #fallBehind(): void {
    this.#stage = 'catchingUp'
    this.#rejoin().catch((error: unknown) => this.dismiss(internal(error, 'the session could not catch up')))
  }

  async #rejoin(): Promise<void> {
    assert(this.#joined !== null, 'only who has joined falls behind')
    await this.#backlog.drained()
    await this.#catchUp(this.#joined, 'behind')
  }

  async #catchUp(joined: Joined, why: 'greeting' | 'behind'): Promise<'arrived' | 'left'> {
    const reader = new RoomReader(joined.room, this.#parts)
    const standing = standingOf(joined.hello, this.#sent, why)
    try {
      return await catchUp(reader, this.#outlet(joined, why), standing, why)
    } finally {
      reader.end()
    }
  }

  /** Asked with every message in and out: a sign-in ends while its sessions live, and then they get nothing more. */
  #mayRead(): boolean {
    const why = signInEnd(this.#principal, this.#parts.clock.now()) ?? this.#notAllowed()
    if (why !== null) this.dismiss(why)
    return why === null
  }

  #notAllowed(): SyncError | null {
    if (this.#joined === null || this.#principal.canRead(this.#joined.room.namespace)) return null
    return mayNotRead(this.#principal, this.#joined.room.namespace)
  }

  #send(message: DownMessage, at: Cursor | null): void {
    if (!this.#mayRead()) return
    if (message.type === 'Tail') this.#parts.counts.tails++
    if (message.type === 'Snapshot') this.#parts.counts.snapshots++
    // What is sent is part of what the room knows; only the answer to `Hello` comes before everything.
    const tellVersion = (): void => this.#joined?.versions.tell(this.#joined.room.marks?.domainVersion ?? 1)
    if (message.type !== 'Welcome') tellVersion()
    this.#channel.send(message)
    if (message.type === 'Welcome') tellVersion()
    this.#sent = at
  }

  #end(): void {
    this.#stage = 'ended'
    this.#turns.wake()
  }
}
