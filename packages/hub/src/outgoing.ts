/**
 * What one session sends: nothing that whoever is signed in may not read, and of a newer version of the domain nothing
 * before the news of it. With each message it remembers how far the replica is once it has received it, and by path it
 * counts what catching up costs.
 */
import { limits, PathMeter, type Cursor, type DownMessage, type Hello, type HubChannel } from '@rejoin/core'
import { type Principal } from './principal.ts'
import { readingEnd } from './reading-right.ts'
import { type Room } from './room.ts'
import { type SessionEnding, type SessionEndingParts } from './session-ending.ts'
import { VersionNews } from './version-news.ts'

export class Outgoing {
  readonly #channel: HubChannel
  readonly #principal: Principal
  readonly #parts: SessionEndingParts
  readonly #ending: SessionEnding
  readonly #meter: PathMeter
  #to: { readonly room: Room; readonly versions: VersionNews } | null = null
  #sent: Cursor | null = null

  constructor(channel: HubChannel, principal: Principal, parts: SessionEndingParts, ending: SessionEnding) {
    this.#channel = channel
    this.#principal = principal
    this.#parts = parts
    this.#ending = ending
    this.#meter = new PathMeter(channel, () => parts.clock.now(), parts.counts.paths)
  }

  /** How far the replica is, once it has received what was sent. */
  get sent(): Cursor | null {
    return this.#sent
  }

  /** Whoever greeted is in the room now. */
  begin(room: Room, hello: Hello): void {
    this.#to = { room, versions: new VersionNews(this.#channel, hello) }
    this.#sent = hello.cursor
  }

  /** Asked with every message in and out: a sign-in ends while its sessions live, and then they get nothing more. */
  mayRead(): boolean {
    const room = this.#to?.room ?? null
    const why = readingEnd(this.#principal, room?.namespace ?? null, this.#parts.clock)
    if (why !== null) this.#ending.dismiss(why, room)
    return why === null
  }

  /** What is sent next holds commits of this version. */
  holds(domainVersion: number): void {
    this.#to?.versions.tell(domainVersion)
  }

  /** @param at how far the replica is after it. */
  send(message: DownMessage, at: Cursor | null): void {
    if (!this.mayRead()) return
    if (message.type === 'Tail') this.#parts.counts.tails++
    if (message.type === 'Snapshot') this.#parts.counts.snapshots++
    // What is sent is part of what the room knows; only the answer to `Hello` comes before everything.
    const tellVersion = (): void => this.holds(this.#to?.room.marks?.domainVersion ?? 1)
    if (message.type !== 'Welcome') tellVersion()
    this.#channel.send(message)
    if (message.type === 'Welcome') {
      this.#meter.welcome(message.path)
      tellVersion()
    }
    this.#sent = at
  }

  /** What is live is no longer sent: the log will give it. */
  fellBehind(): void {
    this.#meter.behind()
  }

  /** Everything up to now was sent. */
  arrived(): void {
    this.#meter.arrived(this.#channel.drained())
  }

  ended(): void {
    this.#meter.ended()
  }

  /** Presence is the first thing that a slow peer goes without. */
  sendAwareness(update: Uint8Array): void {
    if (this.#channel.backlogBytes > limits.frameBytesMax || !this.mayRead()) return
    this.#channel.send({ type: 'Awareness', update })
  }
}
