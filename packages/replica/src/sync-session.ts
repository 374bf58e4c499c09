/**
 * One channel's conversation, the same live and once: greet, catch up, settle, push, and hear the answers. Messages are
 * taken one at a time, so nothing of the hub's changes the replica while one is dealt with (DESIGN section 5).
 */
import {
  asSyncError,
  limits,
  SyncError,
  unreachable,
  type Ack,
  type CaughtUp,
  type Commit,
  type Counter,
  type DownMessage,
  type Refused,
  type ReplicaChannel,
  type Tail,
  type Welcome,
} from '@rejoin/core'
import { AnswerWatch } from './answer-watch.ts'
import type { Brought } from './inbound.ts'
import { Pause } from './pause.ts'
import { Presence } from './presence.ts'
import { PushWindow } from './push-window.ts'
import { isMended, isStopCode, planRefusals, type CommitRefusal, type RefusalPlan } from './refusals.ts'
import { ResetBuffer } from './reset-buffer.ts'
import { endOfChannel, endOfError, endOfRefusal, errorOf, left, type SessionEnd } from './session-end.ts'
import type { SessionParts } from './session-parts.ts'

/** Times that a goal is waited for when the hub says "later". */
const ONCE_WAITS_MAX = 3

export class SyncSession {
  readonly #channel: ReplicaChannel
  readonly #parts: SessionParts
  /** Counter up to which everything is to be settled before leaving; null: stay. */
  readonly #goal: Counter | null
  readonly #window: PushWindow
  readonly #watch: AnswerWatch
  readonly #pause: Pause
  readonly #presence: Presence
  readonly #over = new AbortController()
  #caughtUp = false
  #reset: ResetBuffer | null = null
  /** The snapshot of the catch-up under way, and whether one is awaited after an epoch was refused. */
  #snapshot: Uint8Array | null = null
  #awaitsReset = false
  #refusals: CommitRefusal[] = []
  /** Commits made anew on this channel because of a refusal. */
  readonly #rebuilt = new Set<Counter>()
  #mustRebuild = false
  /** All that a one-shot channel carries up was sent. */
  #said = false
  #busy = false
  #closingWaitMs: number | null = null
  #end: SessionEnd | null = null

  constructor(channel: ReplicaChannel, parts: SessionParts, goal: Counter | null) {
    this.#channel = channel
    this.#parts = parts
    this.#goal = goal
    this.#window = new PushWindow(parts.memory.outbox)
    this.#pause = new Pause(parts.clock, this.#over.signal)
    this.#presence = new Presence(parts, this.#over.signal)
    this.#watch = new AnswerWatch(
      parts.clock,
      this.#over.signal,
      () => this.#awaitsAnswer(),
      () => this.#giveUp(),
    )
  }

  get caughtUp(): boolean {
    return this.#caughtUp
  }

  get bill(): ReplicaChannel['bill'] {
    return this.#channel.bill
  }

  async run(): Promise<SessionEnd> {
    try {
      this.#greet()
      return await this.#converse()
    } catch (cause) {
      const error = asSyncError(cause, 'MESSAGE_UNEXPECTED', 'the exchange failed')
      this.#channel.close({ code: error.code, message: error.message })
      return { kind: 'failed', error, waitMs: null }
    } finally {
      this.#over.abort()
    }
  }

  /** Says goodbye; `run` ends. */
  leave(): void {
    this.#end ??= left
    this.#channel.send({ type: 'Bye' })
    this.#channel.close()
  }

  sendAwareness(update: Uint8Array): void {
    if (this.#caughtUp && !this.#channel.oneShot) this.#channel.send({ type: 'Awareness', update })
  }

  /** Sends what is saved and not sent yet, as far as the limits allow. Does nothing where it may not. */
  push(): void {
    if (!this.#mayPush()) return
    for (let commits = this.#window.next(); commits.length > 0; commits = this.#window.next()) {
      this.#channel.send({ type: 'Push', epoch: this.#parts.memory.epoch, commits: commits.map(pushedOf) })
    }
    this.#watch.look()
  }

  #greet(): void {
    const { memory, domain, namespace } = this.#parts
    this.#channel.send({
      type: 'Hello',
      namespace,
      domain: domain.name,
      domainVersion: domain.version,
      replica: memory.replica,
      cursor: memory.cursor,
      ackedCounter: memory.ackedCounter,
      capabilities: ['delta'],
    })
    // The answer will not be heard before everything was said.
    if (this.#channel.oneShot) {
      this.push()
      this.#said = true
      this.#channel.end()
    }
    this.#watch.look()
  }

  async #converse(): Promise<SessionEnd> {
    for (;;) {
      const message = await this.#channel.receive()
      if (message === null) return this.#hungUp()
      this.#busy = true
      await this.#take(message)
      this.#busy = false
      if (this.#end !== null) {
        this.#channel.close()
        return this.#end
      }
      if (this.#isDone()) this.leave()
      this.#watch.look()
    }
  }

  async #take(message: DownMessage): Promise<void> {
    switch (message.type) {
      case 'Welcome':
        return this.#takeWelcome(message)
      case 'RevisionGap': {
        const { cursor, floor } = message
        this.#parts.log(
          `cursor ${cursor} is below the floor ${floor} of the hub's log; pending commits are kept`,
        )
        return
      }
      case 'Snapshot':
        this.#watch.heard()
        this.#checkRoom()
        if (this.#reset !== null) return this.#reset.take(message)
        this.#parts.inbound.snapshot(message)
        this.#snapshot = message.snapshot
        return
      case 'Tail':
        this.#checkRoom()
        return this.#takeTail(message)
      case 'CaughtUp':
        return this.#takeCaughtUp(message)
      case 'Ack':
        this.#watch.heard()
        return this.#takeAck(message)
      case 'Refused':
        return this.#takeRefused(message)
      case 'Awareness':
        return this.#presence.take(message.update)
      case 'Closing':
        this.#closingWaitMs = message.retryAfterMs
        if (message.code !== null && isStopCode(message.code)) {
          this.#end = endOfError(new SyncError(message.code, message.message))
        }
        return
      default:
        unreachable(message)
    }
  }

  #takeWelcome(welcome: Welcome): void {
    const { tally, connection, log } = this.#parts
    this.#watch.heard()
    if (tally.welcome === null || welcome.path !== 'live') tally.welcome = welcome
    log(`catching up by ${welcome.path}: ${welcome.why}`)
    this.#caughtUp = false
    this.#snapshot = null
    this.#awaitsReset = false
    this.#reset = welcome.path === 'reset' ? new ResetBuffer() : null
    connection.on('connected')
  }

  async #takeTail(tail: Tail): Promise<void> {
    if (this.#reset !== null) {
      this.#watch.heard()
      return this.#reset.take(tail)
    }
    const { memory, inbound } = this.#parts
    const before = memory.outbox.size
    this.#count(inbound.tail(tail))
    // What others do is no answer to us.
    if (!this.#caughtUp || memory.outbox.size < before) this.#watch.heard()
    await this.#goOn()
  }

  async #takeCaughtUp(message: CaughtUp): Promise<void> {
    const { inbound, connection, writes } = this.#parts
    const [reset, snapshot] = [this.#reset, this.#snapshot]
    this.#reset = null
    this.#snapshot = null
    this.#watch.heard()
    if (reset === null) this.#count(inbound.caughtUp(message, snapshot))
    else {
      this.#count(inbound.reset(reset.snapshot, reset.tails, message))
      // What was refused were bytes of the old epoch.
      this.#refusals = []
      this.#window.rewind()
    }
    this.#caughtUp = true
    connection.noteSuccess()
    connection.on('caughtUp')
    if (this.#goal === null) writes.add([{ kind: 'notes', notes: connection.notes }])
    if (this.#goal === null && !this.#channel.oneShot) void this.#presence.renew()
    await this.#goOn()
  }

  async #takeAck({ counter, duplicate }: Ack): Promise<void> {
    const { memory, tally } = this.#parts
    const commit = this.#window.answered(counter)
    // A reset came between, but the hub has taken the old bytes: made without a base, they fit every epoch.
    if (memory.outbox.get(counter) !== undefined && !memory.outbox.holds(commit)) {
      memory.outbox.restore(commit)
      this.#mustRebuild = true
    }
    memory.outbox.markAcked(counter)
    memory.noteAcked(counter)
    if (!duplicate) tally.pushed++
    this.#pause.reset()
    await this.#goOn()
  }

  async #takeRefused(refused: Refused): Promise<void> {
    const { counter } = refused
    this.#watch.heard()
    if (counter === null) {
      this.#end = endOfRefusal(refused)
      return
    }
    const commit = this.#window.answered(counter)
    // Of bytes that were made anew meanwhile it is of no interest what the hub thinks.
    if (this.#parts.memory.outbox.holds(commit)) this.#refusals.push({ ...refused, counter })
    await this.#goOn()
  }

  /** Refusals are dealt with when every push is answered: only then is it known what the hub has. Then pushing goes on. */
  async #goOn(): Promise<void> {
    if (this.#window.isEmpty && this.#reset === null) {
      const refusals = this.#refusals
      this.#refusals = []
      const plan = planRefusals(refusals, this.#rebuilt)
      if (plan !== null) {
        this.#parts.log(
          `${plan.kind}: ${refusals.map(({ counter, code }) => `${counter} ${code}`).join(', ')}`,
        )
        for (const { counter, code } of refusals) if (isMended(code)) this.#rebuilt.add(counter)
        await this.#carryOut(plan)
      } else if (this.#mustRebuild) await this.#rebuild([])
    }
    this.push()
  }

  async #carryOut(plan: RefusalPlan): Promise<void> {
    switch (plan.kind) {
      case 'stop':
        this.#end = { kind: 'refused', error: errorOf(plan.refusal) }
        return
      case 'awaitReset':
        this.#awaitsReset = true
        return
      case 'reconnect':
        this.#end = { kind: 'failed', error: errorOf(plan.refusal), waitMs: plan.refusal.retryAfterMs }
        return
      case 'rebuild':
        await this.#rebuild(plan.rejected)
        if (plan.later !== null) this.#sitOut(plan.later)
        return
      case 'wait':
        if (this.#mustRebuild) await this.#rebuild([])
        this.#sitOut(plan.later)
        return
      default:
        unreachable(plan)
    }
  }

  /**
   * The base is on disk: what waits is recorded first, then it is read, and from there on nothing is awaited.
   * @throws SyncError STORE_…: the channel closes, and the hub refuses the same again when the store has recovered.
   */
  async #rebuild(refused: readonly CommitRefusal[]): Promise<void> {
    const { writes, store, memory, inbound } = this.#parts
    // Nothing is sent that builds on the old document meanwhile.
    this.#mustRebuild = true
    await writes.flush()
    const stored = await store.load()
    const rejected = refused.flatMap(({ counter, code, message, path }) => {
      const entry = memory.outbox.get(counter)
      return entry === undefined ? [] : [{ commit: entry.commit, code, message, path }]
    })
    inbound.rebuild(stored?.base ?? [], rejected)
    this.#mustRebuild = false
    this.#window.rewind()
  }

  /** Pushes the same again after a while. A one-shot channel has no "after": its next round waits. */
  #sitOut(refusal: CommitRefusal): void {
    const later = this.#pause.note(refusal)
    this.#window.rewind()
    this.#parts.connection.noteFailure(later.error)
    if (this.#channel.oneShot) return
    if (this.#goal !== null && this.#pause.count > ONCE_WAITS_MAX) this.#end = { kind: 'failed', ...later }
    else void this.#pause.sit(later).then(() => this.push())
  }

  #mayPush(): boolean {
    if (this.#over.signal.aborted || this.#pause.isOn || this.#awaitsReset || this.#mustRebuild) return false
    if (this.#reset !== null || this.#refusals.length > 0) return false
    // Nothing is sent while the store fails.
    if (this.#parts.writes.persistence !== 'ok') return false
    return this.#channel.oneShot ? !this.#said : this.#caughtUp
  }

  #isDone(): boolean {
    if (this.#goal === null || this.#channel.oneShot || !this.#caughtUp) return false
    return this.#window.isEmpty && !this.#pause.isOn && !this.#parts.memory.outbox.hasUpTo(this.#goal)
  }

  #count({ pulled, applied, mustRebuild }: Brought): void {
    this.#parts.tally.pulled += pulled
    this.#parts.tally.applied += applied
    if (mustRebuild) this.#mustRebuild = true
  }

  /** While the store fails, what arrives waits in memory: up to the size of one message. */
  #checkRoom(): void {
    if (this.#parts.writes.bytes <= limits.messageDownBytesMax) return
    const why = 'too much waits for the store; the hub is asked again when it has recovered'
    throw new SyncError('STORE_UNAVAILABLE', why)
  }

  #awaitsAnswer(): boolean {
    if (this.#busy) return false
    if (!this.#caughtUp || !this.#window.isEmpty || this.#awaitsReset) return true
    return this.#parts.memory.outbox.first?.stage === 'acked'
  }

  #giveUp(): void {
    const message = `the hub did not answer within ${limits.answerMsMax} ms`
    this.#end ??= { kind: 'failed', error: new SyncError('TIMED_OUT', message), waitMs: null }
    this.#channel.close({ code: 'TIMED_OUT', message })
  }

  /** The hub has said all it had to say, or the channel was closed. */
  async #hungUp(): Promise<SessionEnd> {
    this.#channel.close()
    const reason = await this.#channel.closed
    if (this.#end !== null) return this.#end
    if (this.#channel.oneShot && this.#caughtUp && reason.code === null) {
      const { last } = this.#pause
      return { kind: 'done', refusal: last?.error ?? null, waitMs: last?.waitMs ?? null }
    }
    return endOfChannel(reason, this.#closingWaitMs)
  }
}

function pushedOf({ id, prev, hlc, domainVersion, ops, update }: Commit) {
  return { counter: id.counter, prev, hlc, domainVersion, ops: [...ops], update }
}
