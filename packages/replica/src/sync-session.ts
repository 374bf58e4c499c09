/**
 * One channel's conversation, the same live and once: greet, catch up, settle, push, and hear the answers. Messages are
 * taken one at a time, so nothing of the hub's changes the replica while one is dealt with (DESIGN section 5).
 */
import {
  asSyncError,
  type SyncError,
  unreachable,
  type Ack,
  type CaughtUp,
  type Counter,
  type DownMessage,
  type Refused,
  type ReplicaChannel,
  type Tail,
  type Welcome,
} from '@rejoin/core'
import { AnswerWatch } from './answer-watch.ts'
import { CatchUp } from './catch-up.ts'
import { Ending } from './ending.ts'
import { helloOf, inTheWay } from './greeting.ts'
import type { Brought } from './brought.ts'
import { tooNew } from './memory.ts'
import { Mending } from './mending.ts'
import { Pause } from './pause.ts'
import { Presence } from './presence.ts'
import { PushAnswers } from './push-answers.ts'
import { PushWindow } from './push-window.ts'
import { endOfError, endOfRefusal, type SessionEnd } from './session-end.ts'
import { SessionAccount } from './session-account.ts'
import type { SessionParts } from './session-parts.ts'
import { hasSpoken, nextSpeaker } from './speaker.ts'

export class SyncSession {
  readonly #channel: ReplicaChannel
  readonly #parts: SessionParts
  /** Counter up to which everything is to be settled before leaving; null: stay. */
  readonly #goal: Counter | null
  readonly #catchUp: CatchUp
  readonly #window: PushWindow
  readonly #mending: Mending
  readonly #answers: PushAnswers
  readonly #watch: AnswerWatch
  readonly #pause: Pause
  readonly #presence: Presence
  readonly #ending: Ending
  readonly #account: SessionAccount
  readonly #over = new AbortController()
  /** All that a one-shot channel carries up was sent. */
  #said = false
  /** With the greeting what the hub lost went up, and nothing else. */
  #brings = false
  #busy = false

  constructor(channel: ReplicaChannel, parts: SessionParts, goal: Counter | null) {
    this.#channel = channel
    this.#parts = parts
    this.#goal = goal
    this.#catchUp = new CatchUp(parts)
    parts.memory.speaker = nextSpeaker(parts.memory)
    this.#window = new PushWindow(parts.memory.outbox, parts.sent, parts.memory.speaker)
    this.#pause = new Pause(parts.clock, this.#over.signal)
    this.#mending = new Mending(channel, parts, goal, this.#window, this.#pause, () => this.push())
    this.#answers = new PushAnswers(parts, this.#window, this.#mending)
    this.#account = new SessionAccount(channel, parts)
    this.#ending = new Ending(channel, parts, this.#pause)
    this.#presence = new Presence(parts, this.#over.signal)
    this.#watch = new AnswerWatch(
      parts.clock,
      this.#over.signal,
      () => this.#awaitsAnswer(),
      () => this.#ending.giveUp(),
    )
  }

  get caughtUp(): boolean {
    return this.#catchUp.isOver
  }

  /** Bytes of this channel; what of it catching up has cost, by path, is in the tally. */
  get bill(): ReplicaChannel['bill'] {
    return this.#channel.bill
  }

  async run(): Promise<SessionEnd> {
    try {
      await this.#greet()
      return await this.#converse()
    } catch (cause) {
      const error = asSyncError(cause, 'MESSAGE_UNEXPECTED', 'the exchange failed')
      this.#channel.close({ code: error.code, message: error.message })
      return endOfError(error)
    } finally {
      this.#account.ended()
      // A hub of before that offer refuses whoever makes it; to be sent too much does no harm.
      if (!this.#account.isWelcome) this.#parts.memory.outbox.forgetTaken()
      this.#over.abort('over')
    }
  }

  /** Says goodbye; `run` ends. */
  leave(): void {
    this.#ending.leave()
  }

  sendAwareness(update: Uint8Array): void {
    if (this.caughtUp && !this.#channel.oneShot) this.#channel.send({ type: 'Awareness', update })
  }

  /** Sends what is saved and not sent yet, as far as the limits allow. Does nothing where it may not. */
  push(): void {
    if (!this.#mayPush()) return
    for (let commits = this.#window.next(); commits.length > 0; commits = this.#window.next()) {
      this.#channel.send({ type: 'Push', epoch: this.#parts.memory.epoch, commits })
    }
    this.#watch.look()
  }

  async #greet(): Promise<void> {
    this.#channel.send(helloOf(this.#parts))
    // The answer will not be heard before everything was said.
    if (this.#channel.oneShot) {
      const heal = await this.#parts.healing.withGreeting()
      this.#brings = heal !== null
      // What waits may build on what the hub lost: it goes when that is there again.
      if (heal !== null) this.#channel.send(heal)
      // Who found its id taken asks first whether it still is.
      else if (this.#parts.connection.notes.lastError?.code !== 'REPLICA_TAKEN') this.push()
      this.#said = true
      this.#channel.end()
    }
    this.#watch.look()
  }

  async #converse(): Promise<SessionEnd> {
    for (;;) {
      this.#busy = true
      // A slow store holds up what is read; what is not taken stays with the hub.
      await this.#parts.writes.room()
      this.#busy = false
      const message = await this.#channel.receive()
      if (message === null) return this.#ending.hungUp(this.caughtUp, this.#brings)
      this.#busy = true
      await this.#take(message)
      this.#busy = false
      const { end } = this.#ending
      if (end !== null) {
        this.#channel.close()
        return end
      }
      if (this.#isDone()) this.leave()
      this.#watch.look()
    }
  }

  async #take(message: DownMessage): Promise<void> {
    switch (message.type) {
      case 'Welcome':
        return this.#takeWelcome(message)
      case 'RevisionGap':
        return this.#catchUp.gap(message)
      case 'Snapshot':
        this.#watch.heard()
        return this.#catchUp.snapshot(message)
      case 'NewerDomain':
        this.#watch.heard()
        return this.#parts.inbound.newerDomain(message)
      case 'Rebuild':
        this.#watch.heard()
        return this.#catchUp.rebuild(message)
      case 'HealWanted':
        this.#watch.heard()
        return this.#parts.healing.take(this.#channel, message.stateVector)
      case 'Tail':
        return this.#takeTail(message)
      case 'CaughtUp':
        return this.#takeCaughtUp(message)
      case 'Ack':
        return this.#takeAck(message)
      case 'Refused':
        return this.#takeRefused(message)
      case 'Awareness':
        return this.#presence.take(message.update)
      case 'Closing':
        return this.#ending.closing(message)
      default:
        unreachable(message)
    }
  }

  #takeWelcome(welcome: Welcome): void {
    const { connection, log } = this.#parts
    this.#watch.heard()
    this.#account.welcome(welcome)
    log(`catching up by ${welcome.path}: ${welcome.why}`)
    this.#mending.noteWelcome()
    this.#catchUp.begin(welcome)
    connection.noteDurability(welcome.durability)
    connection.release()
    connection.on('connected')
  }

  async #takeTail(tail: Tail): Promise<void> {
    const { outbox } = this.#parts.memory
    const before = outbox.size
    this.#count(this.#catchUp.tail(tail))
    // What others do is no answer to us.
    if (!this.caughtUp || outbox.size < before) this.#watch.heard()
    await this.#goOn()
  }

  async #takeCaughtUp(message: CaughtUp): Promise<void> {
    const { memory, connection, sent, writes } = this.#parts
    const { isReset } = this.#catchUp
    this.#watch.heard()
    await this.#catchUp.makeOwn()
    if (await this.#catchUp.isShort()) {
      this.#ending.decide({ kind: 'asked' })
      return
    }
    this.#count(this.#catchUp.end(message, await this.#catchUp.base(message)))
    this.#parts.healing.over()
    this.#account.arrived()
    if (isReset) this.#mending.noteReset()
    connection.noteSuccess(inTheWay(this.#parts))
    connection.on('caughtUp')
    if (this.#goal === null) writes.add([{ kind: 'notes', notes: connection.notes }])
    // In one batch with that: from here on what is saved goes out.
    if (this.#tooNew === null) sent.request(memory.outbox.last ?? 0)
    if (this.#goal === null && !this.#channel.oneShot) void this.#presence.renew()
    await this.#goOn()
  }

  async #takeAck(ack: Ack): Promise<void> {
    this.#watch.heard()
    this.#answers.taken(ack)
    this.#pause.reset()
    await this.#goOn()
  }

  async #takeRefused(refused: Refused): Promise<void> {
    const { counter } = refused
    this.#watch.heard()
    if (counter === null) {
      this.#ending.decide(endOfRefusal(refused))
      return
    }
    this.#answers.refused({ ...refused, counter })
    await this.#goOn()
  }

  /** Mends where that is due, but not during a catch-up: a reset makes everything anew itself. Then pushing goes on. */
  async #goOn(): Promise<void> {
    if (this.#mending.isDue && this.caughtUp) {
      const end = await this.#mending.mend()
      if (end !== null) this.#ending.decide(end)
    }
    this.push()
  }

  #mayPush(): boolean {
    if (this.#over.signal.aborted || this.#pause.isOn) return false
    if (this.#mending.holdsBack || this.#catchUp.isReset || this.#tooNew !== null) return false
    // Nothing is sent while the store fails.
    if (this.#parts.writes.persistence !== 'ok') return false
    return this.#channel.oneShot ? !this.#said : this.caughtUp
  }

  #isDone(): boolean {
    if (this.#channel.oneShot || !this.caughtUp || !this.#window.isEmpty || this.#pause.isOn) return false
    if (hasSpoken(this.#parts.memory)) return true
    if (this.#goal === null) return false
    const { outbox } = this.#parts.memory
    if (!outbox.hasUpTo(this.#goal)) return true
    // What waits for an update of the app stays; what was pushed before it was heard of comes back first.
    return this.#tooNew !== null && outbox.first?.stage !== 'acked'
  }

  /** The document is newer than the app: nothing is pushed. */
  get #tooNew(): SyncError | null {
    return tooNew(this.#parts.memory, this.#parts.domain)
  }

  #count(brought: Brought): void {
    this.#account.brought(brought)
    this.#mending.noteBrought(brought)
  }

  #awaitsAnswer(): boolean {
    if (this.#busy) return false
    if (!this.caughtUp || !this.#window.isEmpty || this.#mending.awaitsReset) return true
    return this.#parts.memory.outbox.first?.stage === 'acked'
  }
}
