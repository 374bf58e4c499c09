/**
 * One plain Yjs client in a room: asks which document it holds, gives it what it lacks, then takes its updates and gives it
 * those of others. Nothing is taken of a document that does not show this epoch's filler, so bytes of two epochs never mix;
 * its answer to our `SyncStep1` tells, and holds all that it said before. Whatever goes wrong ends this channel alone.
 */
import {
  checkNamespace,
  limits,
  signInEnd,
  SyncError,
  unreachable,
  type Ack,
  type AnyDomain,
  type ClientClocks,
  type Cursor,
  type Epoch,
  type PlainDown,
  type PlainHubChannel,
  type PlainRequest,
  type Refused,
} from '@rejoin/core'
import { internal, tooSlow } from './answers.ts'
import { updatesOf } from './document.ts'
import { mayNotRead } from './greeting.ts'
import { type HubLog } from './log-event.ts'
import { type Marks } from './marks.ts'
import { type Landing, type Member } from './member.ts'
import { type HubCounts } from './metrics.ts'
import { admitPlain, type PlainCandidate } from './plain-admission.ts'
import { createNamespace } from './plain-creation.ts'
import { learnDeletions, readDocument, type PlainDocumentParts } from './plain-document.ts'
import { checkEpoch, epochChanged, epochFiller, withoutFiller } from './plain-epoch.ts'
import { plainReplicaOf } from './plain-identity.ts'
import { type Principal } from './principal.ts'
import { type Room } from './room.ts'
import { RoomReader, type RoomReaderParts } from './room-reader.ts'
import { Turns, within } from './waiting.ts'

export interface PlainSessionParts extends RoomReaderParts, PlainDocumentParts {
  readonly counts: HubCounts
  readonly log: HubLog
  readonly domains: ReadonlyMap<string, AnyDomain>
  readonly room: (namespace: string) => Room
}

/** What goes on where it is not allowed: the client may still read. */
const FORBIDDEN = 'FORBIDDEN'

export class PlainSession implements Member {
  readonly #channel: PlainHubChannel
  readonly #request: PlainRequest
  readonly #principal: Principal
  readonly #parts: PlainSessionParts
  #room: Room | null = null
  #stage: 'catchingUp' | 'live' | 'ended' = 'catchingUp'
  /** How far the client's document is, once it has received what was sent. */
  #sent: Cursor | null = null
  /** The epoch whose filler it was given, or has shown. */
  #epoch: Epoch | null = null
  /** Requests sent before it had the filler: their answers do not show it, and are followed by one that does. */
  #askedBefore = 0
  #isProved = false
  #unansweredBytes = 0
  #unanswered = 0
  #isWarned = false
  #catching: Promise<void> = Promise.resolve()
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
  }

  /** Runs until the channel is closed; never throws. */
  async run(): Promise<void> {
    void this.#channel.closed.then(() => this.#end())
    let release = (): void => {}
    try {
      const room = await this.#enter()
      release = room.deletions.hold()
      await this.#serve(room)
      await this.#turns.until(() => this.#stage === 'ended' || this.#unanswered === 0)
      this.#channel.close()
    } catch (error) {
      this.dismiss(internal(error, 'the session failed'))
    } finally {
      this.#end()
      release()
      this.#room?.leave(this)
    }
  }

  answer(answer: Ack | Refused): void {
    this.#unanswered--
    if (this.#unanswered === 0) this.#unansweredBytes = 0
    this.#turns.wake()
    if (answer.type === 'Ack') return
    const { code, message } = answer
    // It stays in its document all the same: whoever may only read goes on reading.
    if (code === FORBIDDEN) this.#deny(`${code}: ${message}`)
    else this.dismiss(new SyncError(code, message))
  }

  deliver({ prev, cursor, commits, own }: Landing): void {
    if (this.#stage !== 'live') return
    const isNext = prev === (this.#sent?.seq ?? 0) && this.#epoch === cursor.epoch
    if (!isNext || this.#channel.backlogBytes > limits.backlogBytesMax) return this.#fallBehind()
    const names = own.get(this)
    for (const { replica, counter, update } of commits) {
      if (names?.has(`${replica}:${counter}`) === true || update === null || update.length === 0) continue
      if (!this.#send({ type: 'Update', update })) return
    }
    this.#sent = cursor
  }

  deliverAwareness(update: Uint8Array): void {
    if (this.#stage === 'ended' || this.#channel.backlogBytes > limits.frameBytesMax) return
    this.#send({ type: 'Awareness', update })
  }

  look(): void {
    const head = this.#room?.head ?? null
    if (this.#stage === 'live' && (head?.seq !== this.#sent?.seq || head?.tag !== this.#sent?.tag))
      this.#fallBehind()
  }

  dismiss(error: SyncError): void {
    if (this.#stage === 'ended') return
    const { log, counts } = this.#parts
    const { code, message } = error
    log({
      level: 'info',
      namespace: this.#room?.namespace ?? null,
      message: `plain session closed: ${message}`,
      error,
    })
    counts.refused(code)
    if (!error.retryable || code === 'EPOCH_CHANGED' || code === 'CLIENT_TAKEN')
      this.#deny(`${code}: ${message}`)
    this.close(error)
  }

  /** The hub is closing: nothing more is taken, what is under way is logged. */
  warn(): void {
    this.#isWarned = true
  }

  close({ code, message }: SyncError): void {
    this.#end()
    this.#channel.close({ code, message })
  }

  /** @throws SyncError why it may not enter. */
  async #enter(): Promise<Room> {
    const namespace = checkNamespace(this.#request.namespace)
    this.#checkReadable(namespace)
    const room = this.#parts.room(namespace)
    room.join(this)
    this.#room = room
    await room.opened()
    return room
  }

  async #serve(room: Room): Promise<void> {
    const { clock } = this.#parts
    for (let isFirst = true; ; isFirst = false) {
      await this.#turns.until(
        () => this.#stage === 'ended' || this.#unansweredBytes <= limits.pushUnansweredBytesMax,
      )
      if (this.#channel.backlogBytes > limits.backlogBytesMax) await this.#ready(limits.backlogBytesMax)
      const next = this.#channel.receive()
      const message = isFirst ? await within(clock, limits.answerMsMax, next) : await next
      if (message === 'late')
        throw new SyncError('TIMED_OUT', `no SyncStep1 came within ${limits.answerMsMax} ms`)
      if (message === null || this.#isWarned || this.#hasEnded()) return
      this.#checkReadable(room.namespace)
      switch (message.type) {
        case 'SyncStep1':
          await this.#give(room, message.stateVector)
          break
        case 'SyncStep2':
          await this.#take(room, message.update, true)
          break
        case 'Update':
          await this.#take(room, message.update, false)
          break
        case 'Awareness':
          // What a provider echoes of others may be too large, and is no news; who only reads is shown to nobody.
          if (message.update.length > limits.awarenessBytesMax) break
          if (this.#principal.canWrite(room.namespace))
            room.presence.show(this, this.#principal.id, message.update)
          break
        case 'QueryAwareness':
          for (const update of room.presence.othersThan(this)) this.deliverAwareness(update)
          break
        default:
          unreachable(message)
      }
    }
  }

  /** Answers `SyncStep1`, and asks for what the client has in turn. */
  async #give(room: Room, stateVector: Uint8Array): Promise<void> {
    const clocks = this.#parts.updates.readStateVector(stateVector)
    // Whoever comes right after the document was made anew is not to be judged by what this room knew before.
    await room.look()
    await room.opened()
    const isFirst = this.#sent === null && this.#epoch === null
    if (room.marks === null) {
      this.#checkVector(room, clocks, null)
      this.#send({ type: 'SyncStep2', update: await this.#parts.heavy.diff([], stateVector) })
    } else {
      const { bytes, marks } = await readDocument(this.#parts, room)
      this.#checkVector(room, clocks, marks)
      const update = await this.#parts.heavy.diff(bytes, stateVector)
      await this.#ready(limits.tailBytesMax)
      if (this.#epoch === null) this.#mark(marks.epoch)
      if (marks.epoch !== this.#epoch) throw epochChanged(room.namespace)
      this.#parts.counts.snapshots++
      this.#send({ type: 'SyncStep2', update })
      if (this.#sent === null || marks.head.seq > this.#sent.seq) this.#sent = marks.head
    }
    if (this.#hasEnded()) return
    this.#stage = 'catchingUp'
    await this.#catchUp(room)
    if (!isFirst || this.#hasEnded()) return
    this.#ask(room)
    for (const update of room.presence.othersThan(this)) this.deliverAwareness(update)
  }

  /** @throws SyncError EPOCH_CHANGED or UPDATE_DISALLOWED */
  #checkVector({ namespace }: Room, clocks: ClientClocks, marks: Marks | null): void {
    if (clocks.size > (marks?.clocks.size ?? 0) + limits.healClientsMax)
      throw new SyncError('UPDATE_DISALLOWED', `a state vector names ${clocks.size} client ids`)
    checkEpoch(namespace, clocks, marks)
  }

  /** From here on its document shows of which epoch it is. */
  #mark(epoch: Epoch): void {
    const { client, length } = epochFiller(epoch)
    this.#epoch = epoch
    this.#send({ type: 'Update', update: this.#parts.updates.filler(client, length) })
  }

  #ask({ marks }: Room): void {
    const clocks = new Map(marks?.clocks)
    if (this.#epoch === null) this.#askedBefore++
    else {
      const { client, length } = epochFiller(this.#epoch)
      clocks.set(client, length)
    }
    this.#send({ type: 'SyncStep1', stateVector: this.#parts.updates.stateVector(clocks) })
  }

  /** One at a time: where it is behind while it asks anew, both would send the same. */
  #catchUp(room: Room): Promise<void> {
    const before = this.#catching
    this.#catching = before.catch(() => {}).then(() => this.#catchUpNow(room))
    return this.#catching
  }

  /** Up to the head, page by page. */
  async #catchUpNow(room: Room): Promise<void> {
    const reader = new RoomReader(room, this.#parts)
    try {
      for (;;) {
        await room.opened()
        const { head } = room
        if (this.#hasEnded()) return
        if (head === null) break
        if (this.#epoch === null) {
          this.#mark(head.epoch)
          this.#ask(room)
        }
        const seq = this.#sent?.seq ?? 0
        if (seq > head.seq) {
          await reader.reach(seq)
          continue
        }
        if (this.#epoch !== head.epoch) throw epochChanged(room.namespace)
        if (seq === head.seq) break
        await this.#sendPage(room, reader)
      }
      this.#stage = 'live'
    } finally {
      reader.end()
    }
  }

  async #sendPage(room: Room, reader: RoomReader): Promise<void> {
    await this.#ready(limits.tailBytesMax)
    const page = await reader.page(this.#sent)
    if (page.kind === 'gap')
      throw new SyncError('CHANNEL_CLOSED', `${room.namespace}: too much was missed; connect again`)
    this.#parts.counts.tails++
    for (const { record, seq, tag } of page.entries) {
      if (record.kind === 'rebuild' || record.epoch !== this.#epoch) throw epochChanged(room.namespace)
      for (const update of updatesOf(record)) this.#send({ type: 'Update', update })
      this.#sent = { epoch: record.epoch, seq, tag }
    }
  }

  async #take(room: Room, update: Uint8Array, isReply: boolean): Promise<void> {
    await room.opened()
    const { marks } = room
    // What it says before it has shown what it holds comes again with that.
    if (!isReply && !this.#isProved && marks !== null) return
    const said = this.#parts.updates.inspectState(update)
    if (isReply && this.#askedBefore > 0) {
      this.#askedBefore--
      if (marks !== null) return
    }
    const { state, isMarked } = withoutFiller(room.namespace, said, marks)
    const isNothing = state.sections.length === 0 && state.deleted.length === 0
    if (marks === null) {
      if (!isNothing) await this.#create(room, { ...this.#candidateOf(room, update, state), epoch: null })
      return
    }
    if (isReply && !this.#isProved) {
      if (!isMarked) throw unmarked()
      this.#isProved = true
    }
    if (isNothing) return
    if (!this.#principal.canWrite(room.namespace)) return this.#denyWriting(room, state, isReply)
    if (state.deleted.length > 0) await learnDeletions(this.#parts, room)
    if (this.#hasEnded()) return
    this.#unanswered++
    this.#unansweredBytes += update.length
    room.push(this, [{ ...this.#candidateOf(room, update, state), isMarked }])
  }

  /** Told of its edits, not of what it only tells again. */
  #denyWriting(room: Room, { sections }: PlainCandidate['state'], isReply: boolean): void {
    const isNew = sections.some(({ inserted }) => room.marks?.knows(inserted) !== true)
    if (isReply && !isNew) return
    this.#parts.counts.refused(FORBIDDEN)
    this.#deny(`${FORBIDDEN}: ${this.#principal.name} may not write to ${room.namespace}; ask for that scope`)
  }

  /** A document needs an epoch before its first bytes are taken; so its log begins with a record that holds none. */
  async #create(room: Room, candidate: PlainCandidate): Promise<void> {
    const { store, updates, clock } = this.#parts
    if (!this.#principal.canWrite(room.namespace)) return this.#denyWriting(room, candidate.state, false)
    const admission = admitPlain(candidate, null, updates, clock.now())
    if (admission.kind === 'refused') throw admission.error
    await createNamespace({ store, clock }, room, candidate.domain.name)
    await this.#catchUp(room)
  }

  #candidateOf(room: Room, update: Uint8Array, state: PlainCandidate['state']): PlainCandidate {
    const domain = this.#domainOf(room)
    return {
      namespace: room.namespace,
      principal: this.#principal,
      domain,
      domainVersion: this.#request.domainVersion ?? domain.version,
      replica: plainReplicaOf(this.#principal),
      epoch: this.#epoch,
      update,
      state,
      isMarked: false,
      deleted: () => room.deletions.known,
    }
  }

  /** @throws SyncError DOMAIN_UNKNOWN */
  #domainOf(room: Room): AnyDomain {
    const { domains } = this.#parts
    const only = domains.size === 1 ? [...domains.keys()][0] : undefined
    const name = this.#request.domain ?? room.domain ?? only
    const domain = name === undefined ? undefined : domains.get(name)
    if (domain !== undefined) return domain
    const known = [...domains.keys()].join(', ')
    const what = name === undefined ? 'say which with ?domain=' : `not ${name}`
    throw new SyncError('DOMAIN_UNKNOWN', `this hub knows the domains ${known}; ${what}`)
  }

  /** As with any session: one that is merely slow is waited for, one that takes nothing is closed. */
  async #ready(bytesMax: number): Promise<void> {
    for (;;) {
      const backlog = this.#channel.backlogBytes
      if (this.#hasEnded()) throw new SyncError('CHANNEL_CLOSED', 'the peer has gone')
      if (backlog < bytesMax) return
      const result = await within(this.#parts.clock, limits.backlogMsMax, this.#channel.drained())
      if (result === 'late' && this.#channel.backlogBytes >= backlog) throw tooSlow()
    }
  }

  #fallBehind(): void {
    const room = this.#room
    if (room === null) return
    this.#stage = 'catchingUp'
    const rejoin = async (): Promise<void> => {
      const drained = await within(this.#parts.clock, limits.backlogMsMax, this.#channel.drained())
      if (drained === 'late') throw tooSlow()
      await this.#catchUp(room)
    }
    rejoin().catch((error: unknown) => this.dismiss(internal(error, 'the session could not catch up')))
  }

  /** @throws SyncError FORBIDDEN, or why the sign-in has ended */
  #checkReadable(namespace: string): void {
    const ended = signInEnd(this.#principal, this.#parts.clock.now())
    if (ended !== null) throw ended
    if (!this.#principal.canRead(namespace)) throw mayNotRead(this.#principal, namespace)
  }

  /** Asked with every message, as with any session: false where nothing more may be sent. */
  #send(message: PlainDown): boolean {
    if (this.#stage === 'ended' || this.#room === null) return false
    try {
      this.#checkReadable(this.#room.namespace)
    } catch (error) {
      this.dismiss(internal(error, 'the session failed'))
      return false
    }
    this.#channel.send(message)
    return true
  }

  #deny(reason: string): void {
    this.#channel.send({ type: 'PermissionDenied', reason })
  }

  #hasEnded(): boolean {
    return this.#stage === 'ended'
  }

  #end(): void {
    this.#stage = 'ended'
    this.#turns.wake()
  }
}

function unmarked(): SyncError {
  const why = 'the document does not hold what it was given first'
  return new SyncError('UPDATE_DISALLOWED', `${why}: an update that was sent to it was not applied`)
}
