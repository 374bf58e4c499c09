/**
 * One document's place in a hub: admit, append, ack, fan out. In this order, because an ack is a promise that only the
 * log can keep (invariant 3), and because what others see must never be less durable than what its author was promised.
 * A room holds no document: only marks, its sessions, and the commits that wait for the append. One append is under way
 * at a time, carrying everything that waits; whoever is told that the log has moved reads on, and admits again.
 */
import {
  assert,
  limits,
  SyncError,
  ZERO_TAG,
  type Clock,
  type CrdtUpdates,
  type Cursor,
  type HubSignals,
  type HubStore,
  type Namespace,
  type Seq,
} from '@rejoin/core'
import { type Candidate } from './admission.ts'
import { internal } from './answers.ts'
import { DocumentBound } from './document-bound.ts'
import { type HeavyWork } from './heavy-work.ts'
import { Intake } from './intake.ts'
import { KnownLog } from './known-log.ts'
import { LogGap, walkLog, type LogEntry } from './log.ts'
import { LookRounds } from './look-rounds.ts'
import { type HubLog } from './log-event.ts'
import { type Marks } from './marks.ts'
import { type Member } from './member.ts'
import { type HubCounts } from './metrics.ts'
import { openLog, type OpenedLog } from './opening.ts'
import { type OwnCommits } from './own-commits.ts'
import { type PlainCandidate } from './plain-admission.ts'
import { Presence } from './presence.ts'
import { encodeRecord, type CommitsRecord } from './record.ts'
import { type ReplicaLimits, type ReplicaRefusals } from './replica-bound.ts'
import { RoomDeletions } from './room-deletions.ts'
import { RoomJobs } from './room-jobs.ts'
import { type RoomStatus } from './room-status.ts'
import { retrying, storeRetryMs } from './waiting.ts'

export interface RoomParts {
  readonly store: HubStore
  readonly updates: CrdtUpdates
  readonly heavy: HeavyWork
  readonly clock: Clock
  readonly signals: HubSignals
  readonly counts: HubCounts
  readonly log: HubLog
  /** @throws SyncError STORE_CORRUPT where the namespace's checkpoint is known to be no document. */
  checkReadable(namespace: Namespace, opened: OpenedLog): void
  /** The log has grown: a checkpoint may be due. */
  grown(room: Room): void
  /** How large a document may become. */
  readonly documentBytesMax: number
  /** How many replica ids it may know. */
  readonly replicaLimits: ReplicaLimits
  readonly replicaRefusals: ReplicaRefusals
  /** Something was refused since the document is that large: folding its log may make room. */
  full(room: Room): void
  /** A catch-up has read what it needed: what it kept may be trimmed. */
  released(room: Room): void
  /** Nobody is here and nothing is under way. */
  idle(room: Room): void
}

export class Room {
  readonly namespace: Namespace
  readonly presence: Presence
  readonly deletions: RoomDeletions
  /** Not known until it was opened: then nothing is admitted. */
  readonly log: KnownLog
  /** Looks that are shared by all who wait for what others may have appended. */
  readonly rounds: LookRounds
  readonly #parts: RoomParts
  readonly #intake: Intake
  readonly #members = new Set<Member>()
  readonly #jobs = new RoomJobs()
  #openError: SyncError | null = null
  #lookDue = false
  #movedInARow = 0
  #running: Promise<void> | null = null

  constructor(namespace: Namespace, parts: RoomParts) {
    this.namespace = namespace
    this.#parts = parts
    this.presence = new Presence(this.#members, parts)
    this.deletions = new RoomDeletions(parts.updates)
    this.log = new KnownLog(() => parts.released(this))
    this.rounds = new LookRounds(this, parts)
    const bound = new DocumentBound(namespace, this.log, parts.documentBytesMax, () => parts.full(this))
    this.#intake = new Intake(parts, (waitingBytes) => this.log.clientsMax(waitingBytes), bound)
  }

  get head(): Cursor | null {
    return this.#intake.marks?.head ?? null
  }

  get domain(): string | null {
    return this.#intake.marks?.domain ?? null
  }

  get status(): Omit<RoomStatus, 'checkpointing'> {
    return {
      namespace: this.namespace,
      sessions: this.#members.size,
      head: this.head,
      domain: this.domain,
      checkpointSeq: this.log.range?.checkpoint?.seq ?? null,
      bytesAfterCheckpoint: this.log.bytesAfterCheckpoint,
    }
  }

  get isIdle(): boolean {
    return this.#members.size === 0 && this.#running === null
  }

  /** What the log says, as far as it was read; null while the namespace does not exist. */
  get marks(): Marks | null {
    return this.#intake.marks
  }

  join(member: Member): void {
    this.#members.add(member)
  }

  leave(member: Member): void {
    this.#members.delete(member)
    this.presence.forget(member)
    if (this.isIdle) this.#parts.idle(this)
  }

  /** Resolves when the room knows its log. @throws SyncError why it cannot. */
  async opened(): Promise<void> {
    if (this.log.range === null) await this.#run()
    if (this.log.range === null)
      throw this.#openError ?? new SyncError('HUB_INTERNAL', 'the room did not open')
  }

  /** Takes in commits of one session, in order. Each is answered once, through the session. */
  push(member: Member, candidates: readonly (Candidate | PlainCandidate)[]): void {
    this.#intake.offerAll(member, candidates)
    if (!this.#intake.isEmpty) void this.#run()
  }

  /** Reads what others may have appended. Resolves when that is done, or has failed and was logged. */
  look(): Promise<void> {
    this.#lookDue = true
    return this.#run()
  }

  /** Does work while nothing is appended here. @throws SyncError why the room could not be opened, or what `work` throws */
  between<T>(work: () => Promise<T>): Promise<T> {
    void this.#run()
    return this.#jobs.add(work)
  }

  /** The store says something that does not follow from what we know: everything is read anew. */
  reopen(): Promise<void> {
    this.#unknown()
    return this.#run()
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (this.#running !== null) await this.#running
  }

  /** Tells every session that this room cannot be served. */
  dismissAll(error: SyncError): void {
    for (const member of this.#members) member.dismiss(error)
  }

  #run(): Promise<void> {
    return (this.#running ??= this.#work())
  }

  async #work(): Promise<void> {
    // Commits that arrive in the same turn share the append.
    await Promise.resolve()
    try {
      for (;;) {
        if (this.log.range === null) {
          if (!(await this.#open())) break
        } else if (this.#lookDue) await this.#look()
        else if (!this.#jobs.isEmpty) {
          await this.#jobs.doNext()
          // It may have appended, also where it failed.
          this.#lookDue = true
        } else if (!this.#intake.isEmpty) await this.#append()
        else break
      }
    } finally {
      this.#running = null
    }
    if (this.isIdle) this.#parts.idle(this)
  }

  /** Reads the marks. Where that fails, what waits is refused, and the next push or look tries again. */
  async #open(): Promise<boolean> {
    const { store, updates, heavy, clock } = this.#parts
    try {
      const opened = await retrying(clock, () => openLog(store, updates, this.namespace, heavy))
      this.#parts.checkReadable(this.namespace, opened)
      this.log.opened(opened)
      this.#intake.start(opened.marks)
    } catch (error) {
      this.#giveUp(error, 'its log could not be opened')
      return false
    }
    this.#openError = null
    this.#lookDue = false
    for (const member of this.#members) member.look()
    this.#parts.grown(this)
    return true
  }

  /** Reads on from the head, and fans out what it finds. */
  async #look(): Promise<void> {
    this.#lookDue = false
    const { store, log } = this.#parts
    try {
      for await (const entry of walkLog(store, this.namespace, this.head ?? { seq: 0, tag: ZERO_TAG })) {
        // A new epoch, whose marks are in a checkpoint; or what was lost came back, which no tail brings.
        if (entry.record.kind !== 'commits') return this.#unknown()
        this.#land(entry, entry.record, this.#intake.landFound(entry, entry.record))
      }
    } catch (error) {
      const away = error instanceof SyncError && error.code === 'STORE_UNAVAILABLE'
      // Trimmed below where we stand, or damaged: opening tells which.
      if (!away) this.#unknown()
      if (!(error instanceof LogGap))
        log({ level: 'warn', namespace: this.namespace, message: 'the log could not be read', error })
    }
  }

  async #append(): Promise<void> {
    const { store, clock, counts, signals } = this.#parts
    const record = this.#intake.batch()
    const head = this.head
    const prev = { seq: head?.seq ?? 0, tag: head?.tag ?? ZERO_TAG }
    const at = clock.now()
    const { bytes, tag } = encodeRecord(prev.tag, record, at)
    let seq: Seq
    try {
      // St8: after an unknown outcome the same append, verbatim, happens at most once; had it happened, the log has moved.
      const result = await retrying(clock, () => store.append(this.namespace, prev.seq, bytes))
      if (result.kind === 'moved') return await this.#moved(prev.seq)
      seq = result.seq
    } catch (error) {
      return this.#giveUp(error, 'the append failed')
    }
    counts.records++
    counts.commits += record.commits.length
    counts.bytesLogged += bytes.length
    const own = this.#intake.landBatch(record, seq, tag)
    this.#land({ seq, prev, tag, record, at, bytes: bytes.length }, record, own)
    signals.publish(this.namespace)
  }

  /** Somebody else appended: what waits is admitted again on top of it. */
  async #moved(after: Seq): Promise<void> {
    await this.#look()
    if (this.log.range === null || (this.head?.seq ?? 0) !== after) return
    // A read that finds nothing proves nothing (St8): it may be stale, or the namespace was removed, which opening tells.
    this.#movedInARow++
    if (this.#movedInARow >= limits.storeAttemptsMax) {
      throw new SyncError(
        'STORE_UNAVAILABLE',
        `${this.namespace}: the log has moved on, but what follows ${after} cannot be read yet; try again`,
      )
    }
    this.#unknown()
    await this.#parts.clock.sleep(storeRetryMs(this.#movedInARow))
  }

  /** After the acks, which the intake has sent: then the others see it. */
  #land(entry: LogEntry, record: CommitsRecord, own: OwnCommits): void {
    const head = this.head
    assert(head?.seq === entry.seq, 'a record that landed is the head')
    this.#movedInARow = 0
    this.log.landed(entry.bytes)
    this.deletions.landed(record)
    const commits = record.commits.map(({ id, update }) => ({ ...id, update }))
    const landing = { prev: entry.prev.seq, cursor: head, commits, own }
    for (const member of this.#members) member.deliver(landing)
    this.#parts.grown(this)
  }

  /**
   * What waits may be in the log or not. It is refused as what may be tried again, since a commit is not to blame for a
   * store; unless the room is gone for good, which each session is told once while its author keeps what it has.
   */
  #giveUp(cause: unknown, what: string): void {
    const error = internal(cause, `${this.namespace}: ${what}`)
    this.#parts.log({ level: 'error', namespace: this.namespace, message: what, error })
    this.#unknown()
    this.#openError = error
    this.#movedInARow = 0
    this.#jobs.refuseAll(error)
    if (error.retryable) this.#intake.refuseAll(error)
    else {
      this.#intake.drop()
      this.dismissAll(error)
    }
  }

  #unknown(): void {
    this.log.forget()
    this.deletions.forget()
    this.#intake.stop()
  }
}
