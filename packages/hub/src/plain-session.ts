/**
 * One plain Yjs client in a room: takes its updates through the same admission as everybody's, and answers what it asks.
 * Nothing is taken of a document that does not show this epoch's filler, so bytes of two epochs never mix; its answer to our
 * `SyncStep1` tells, and holds all that it said before. Whatever goes wrong ends this channel alone.
 */
import {
  checkNamespace,
  limits,
  mayPlainReturn,
  SyncError,
  unreachable,
  type Ack,
  type AnyDomain,
  type Epoch,
  type InspectedState,
  type PlainHubChannel,
  type PlainRequest,
  type PlainUp,
  type Refused,
  type StateBounds,
} from '@rejoin/core'
import { internal } from './answers.ts'
import { type HubLog } from './log-event.ts'
import { LoopShare } from './loop-share.ts'
import { type Landing, type Member } from './member.ts'
import { admitPlain, type PlainCandidate } from './plain-admission.ts'
import { plainDomainOf } from './plain-domain.ts'
import { createNamespace } from './plain-creation.ts'
import { learnDeletions } from './plain-document.ts'
import { withoutFiller } from './plain-epoch.ts'
import { PlainFeed, type PlainFeedParts } from './plain-feed.ts'
import { plainReplicaOf } from './plain-identity.ts'
import { PlainOutlet } from './plain-outlet.ts'
import { type Principal } from './principal.ts'
import { type Room } from './room.ts'
import { Turns, within } from './waiting.ts'

export interface PlainSessionParts extends PlainFeedParts {
  readonly log: HubLog
  readonly domains: ReadonlyMap<string, AnyDomain>
  readonly room: (namespace: string) => Room
}

interface Entered {
  readonly room: Room
  readonly outlet: PlainOutlet
  readonly feed: PlainFeed
}

const updateBounds: StateBounds = {
  runsMax: limits.plainRunsMax,
  deleteRangesMax: limits.plainDeleteRangesMax,
}

export class PlainSession implements Member {
  readonly #channel: PlainHubChannel
  readonly #request: PlainRequest
  readonly #principal: Principal
  readonly #parts: PlainSessionParts
  #entered: Entered | null = null
  #hasAsked = false
  /** It has said what it holds: while there is no document here, only what it says from then on builds on nothing else. */
  #hasAnswered = false
  /** Its document has shown the filler. */
  #isProved = false
  #unanswered = 0
  #unansweredBytes = 0
  /** Why the hub takes nothing more. */
  #warning: SyncError | null = null
  #hasEnded = false
  readonly #share: LoopShare
  /** Woken when an update is answered or the session ends. */
  readonly #turns = new Turns()

  constructor(
    channel: PlainHubChannel,
    request: PlainRequest,
    principal: Principal,
    parts: PlainSessionParts,
  ) {
    this.#channel = channel
    this.#request = request
    this.#principal = principal
    this.#parts = parts
    this.#share = new LoopShare(parts.clock)
  }

  /** Runs until the channel is closed; never throws. */
  async run(): Promise<void> {
    void this.#channel.closed.then(() => this.#end())
    let release = (): void => {}
    try {
      const entered = this.#enter()
      release = entered.room.deletions.hold()
      await entered.room.opened()
      await this.#serve(entered)
      await this.#turns.until(() => this.#hasEnded || this.#unanswered === 0)
      if (this.#warning === null) this.#channel.close()
      else this.close(this.#warning)
    } catch (error) {
      this.dismiss(internal(error, 'the session failed'))
    } finally {
      this.#end()
      release()
      this.#entered?.room.leave(this)
    }
  }

  answer(answer: Ack | Refused): void {
    this.#unanswered--
    if (this.#unanswered === 0) this.#unansweredBytes = 0
    this.#turns.wake()
    if (answer.type === 'Ack') return
    // It stays in its document all the same: whoever may only read goes on reading.
    if (answer.code === 'FORBIDDEN') this.#entered?.outlet.deny(answer)
    else this.dismiss(new SyncError(answer.code, answer.message))
  }

  deliver(landing: Landing): void {
    this.#entered?.feed.deliver(landing, this)
  }

  deliverAwareness(update: Uint8Array): void {
    this.#entered?.outlet.sendPresence(update)
  }

  look(): void {
    this.#entered?.feed.look()
  }

  dismiss(error: SyncError): void {
    if (this.#hasEnded) return
    const { log, counts } = this.#parts
    const namespace = this.#entered?.room.namespace ?? null
    log({ level: 'info', namespace, message: `plain session closed: ${error.message}`, error })
    counts.refused(error.code)
    if (!mayPlainReturn(error.code)) {
      const reason = `${error.code}: ${error.message}`
      this.#channel.send({ type: 'PermissionDenied', reason })
    }
    this.close(error)
  }

  /** The hub is closing: nothing more is taken, what is under way is logged. */
  warn(error: SyncError): void {
    this.#warning = error
  }

  close({ code, message }: SyncError): void {
    this.#end()
    this.#channel.close({ code, message })
  }

  /** @throws SyncError why it may not enter. */
  #enter(): Entered {
    const namespace = checkNamespace(this.#request.namespace)
    const failed = (error: SyncError): void => this.dismiss(error)
    const { clock } = this.#parts
    const outlet = new PlainOutlet({
      channel: this.#channel,
      namespace,
      principal: this.#principal,
      clock,
      failed,
    })
    outlet.checkReadable()
    const room = this.#parts.room(namespace)
    room.join(this)
    this.#entered = { room, outlet, feed: new PlainFeed(room, outlet, this.#parts, failed) }
    return this.#entered
  }

  /** Takes messages until the client says nothing more. */
  async #serve(entered: Entered): Promise<void> {
    const { outlet } = entered
    for (let isFirst = true; ; isFirst = false) {
      if (this.#share.isSpent) await this.#share.renewed()
      await this.#turns.until(() => this.#hasEnded || this.#unansweredBytes <= limits.pushUnansweredBytesMax)
      if (outlet.isBehind) await outlet.ready(limits.backlogBytesMax)
      const message = await this.#next(isFirst)
      if (message === null || this.#warning !== null || this.#hasEnded) return
      outlet.checkReadable()
      this.#share.did(1, 'update' in message ? message.update.length : 0)
      await this.#hear(entered, message)
    }
  }

  /** @throws SyncError TIMED_OUT */
  async #next(isFirst: boolean): Promise<PlainUp | null> {
    const next = this.#channel.receive()
    if (!isFirst) return await next
    const first = await within(this.#parts.clock, limits.answerMsMax, next)
    if (first !== 'late') return first
    throw new SyncError('TIMED_OUT', `no SyncStep1 came within ${limits.answerMsMax} ms`)
  }

  async #hear(entered: Entered, message: PlainUp): Promise<void> {
    const { room, feed, outlet } = entered
    switch (message.type) {
      case 'SyncStep1': {
        const isFirst = !this.#hasAsked
        this.#hasAsked = true
        await feed.answer(message.stateVector)
        if (isFirst) for (const update of room.presence.othersThan(this)) this.deliverAwareness(update)
        break
      }
      case 'SyncStep2':
        return await this.#take(entered, message.update, true)
      case 'Update':
        return await this.#take(entered, message.update, false)
      case 'Awareness':
        // What a provider echoes of others may be too large, and is no news; who only reads is shown to nobody.
        if (message.update.length > limits.awarenessBytesMax) break
        if (this.#principal.canWrite(room.namespace))
          room.presence.show(this, this.#principal.id, message.update)
        break
      case 'QueryAwareness':
        if (outlet.takesPresence) room.presence.ask(this)
        break
      default:
        unreachable(message)
    }
  }

  /** @param isReply whether it answers our `SyncStep1`. */
  async #take(entered: Entered, update: Uint8Array, isReply: boolean): Promise<void> {
    const { room, feed } = entered
    await room.opened()
    const { marks } = room
    // What it says before it has shown what it holds comes again with that.
    if (!isReply && !(marks === null ? this.#hasAnswered : this.#isProved)) return
    this.#hasAnswered = true
    const said = this.#parts.updates.inspectState(update, updateBounds)
    if (isReply && feed.takeUnmarkedAnswer() && marks !== null) return
    const { state, isMarked } = withoutFiller(room.namespace, said, marks)
    if (isReply && !this.#isProved && marks !== null) {
      if (!isMarked) throw unmarked()
      this.#isProved = true
    }
    if (state.sections.length === 0 && state.deleted.length === 0) return
    if (!this.#principal.canWrite(room.namespace)) return this.#denyWriting(entered, state, isReply)
    const epoch = marks?.epoch ?? null
    const candidate = { ...this.#candidateOf(room, epoch, update, state), isMarked }
    if (marks === null) return await this.#create(entered, candidate)
    if (state.deleted.length > 0) await learnDeletions(this.#parts, room)
    if (this.#hasEnded) return
    this.#unanswered++
    this.#unansweredBytes += update.length
    room.push(this, [candidate])
  }

  /** Told of its edits, not of what it only tells again. */
  #denyWriting({ room, outlet }: Entered, { sections }: InspectedState, isReply: boolean): void {
    const isNew = sections.some(({ inserted }) => room.marks?.knows(inserted) !== true)
    if (isReply && !isNew) return
    const { namespace } = room
    const message = `${this.#principal.name} may not write to ${namespace}; ask for that scope`
    this.#parts.counts.refused('FORBIDDEN')
    outlet.deny({ code: 'FORBIDDEN', message })
  }

  /** A document needs an epoch before its first bytes are taken; so its log begins with a record that holds none. */
  async #create({ room, feed }: Entered, candidate: PlainCandidate): Promise<void> {
    const { store, updates, clock } = this.#parts
    const admission = admitPlain(candidate, null, updates, clock.now(), room.log.clientsMax(0))
    if (admission.kind === 'refused') throw admission.error
    await createNamespace({ store, clock }, room, candidate.domain.name)
    await feed.catchUp()
  }

  #candidateOf(room: Room, epoch: Epoch | null, update: Uint8Array, state: InspectedState): PlainCandidate {
    const domain = plainDomainOf(this.#request, room, this.#parts.domains)
    return {
      namespace: room.namespace,
      principal: this.#principal,
      domain,
      domainVersion: this.#request.domainVersion ?? domain.version,
      replica: plainReplicaOf(this.#principal),
      epoch,
      update,
      state,
      isMarked: false,
      deleted: () => room.deletions.known,
    }
  }

  #end(): void {
    this.#hasEnded = true
    this.#entered?.outlet.end()
    this.#turns.wake()
  }
}

function unmarked(): SyncError {
  const why = 'the document does not hold what it was given first'
  return new SyncError('UPDATE_DISALLOWED', `${why}: an update that was sent to it was not applied`)
}
