/**
 * The commits of a room that wait for their append, and the marks that they are held against. Each is admitted at once,
 * on top of everything that waits before it, so that pushes can be pipelined; and each is answered once: when the log
 * holds it, or when it is refused. Somebody else's record, or an append that failed, makes what waits be admitted anew.
 */
import {
  assert,
  limits,
  utf8Length,
  type Ack,
  type Clock,
  type CrdtUpdates,
  type Epoch,
  type ErrorCode,
  type HubStore,
  type Seq,
  type SyncError,
  type Tag,
} from '@rejoin/core'
import { admit, taken, type Admission, type Candidate } from './admission.ts'
import { admitPlain, isPlain, type PlainCandidate } from './plain-admission.ts'
import { refusalOf } from './answers.ts'
import { foldEntry } from './document.ts'
import { type DocumentBound } from './document-bound.ts'
import { type LogEntry } from './log.ts'
import { Marks } from './marks.ts'
import { type Member } from './member.ts'
import { type HubCounts } from './metrics.ts'
import { addOwn, LandedCommits, type OwnCommits } from './own-commits.ts'
import { type CommitsRecord, type LoggedCommit } from './record.ts'
import { PushGap } from './push-gap.ts'
import { newReplicaRefusal, type ReplicaLimits, type ReplicaRefusals } from './replica-bound.ts'

export interface IntakeParts {
  /** What an acknowledgement stands for is what it stands for there, for what was there before too. */
  readonly store: Pick<HubStore, 'durability'>
  readonly updates: CrdtUpdates
  readonly clock: Clock
  readonly counts: HubCounts
  readonly replicaLimits: ReplicaLimits
  readonly replicaRefusals: ReplicaRefusals
}

interface Waiting {
  readonly member: Member
  readonly candidate: Candidate | PlainCandidate
  /** 'unread': the marks are not known yet. */
  readonly admission: Exclude<Admission, { kind: 'refused' | 'taken' }> | { readonly kind: 'unread' }
}

export class Intake {
  readonly #parts: IntakeParts
  readonly #clientsMax: (waitingBytes: number) => number
  readonly #bound: DocumentBound
  #read = false
  /** What the log says; null while the namespace does not exist. */
  #logged: Marks | null = null
  /** The same with everything admitted folded in. */
  #staged: Marks | null = null
  /** In the order of arrival. Bounded by what each session may have unanswered. */
  #waiting: Waiting[] = []
  /** Of the updates among them that were admitted. */
  #waitingBytes = 0
  /** Whose replica id somebody else uses: nothing more is taken of them. */
  readonly #dismissed = new WeakSet<Member>()

  /** @param clientsMax as for `admit`, with so many bytes of updates waiting for their append. */
  constructor(parts: IntakeParts, clientsMax: (waitingBytes: number) => number, bound: DocumentBound) {
    this.#parts = parts
    this.#clientsMax = clientsMax
    this.#bound = bound
  }

  get marks(): Marks | null {
    return this.#logged
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** Takes in one push. */
  offerAll(member: Member, candidates: readonly (Candidate | PlainCandidate)[]): void {
    const gap = new PushGap()
    for (const candidate of candidates) {
      if (this.#dismissed.has(member)) return
      const error = gap.refusalOf(candidate)
      if (error !== null) this.#refuse(member, candidate, error)
      else gap.saw(candidate, this.#offer(member, candidate))
    }
  }

  /** Takes in one commit. Returns why it was refused at once; null: it was not. */
  #offer(member: Member, candidate: Candidate | PlainCandidate): ErrorCode | null {
    if (this.#dismissed.has(member)) return null
    if (!this.#read) {
      this.#waiting.push({ member, candidate, admission: { kind: 'unread' } })
      return null
    }
    const { updates, clock } = this.#parts
    if (isPlain(candidate)) return this.#offerPlain(member, candidate)
    const admission = admit(
      candidate,
      this.#staged,
      updates,
      clock.now(),
      this.#clientsMax(this.#waitingBytes),
    )
    switch (admission.kind) {
      case 'refused':
        return this.#refuse(member, candidate, admission.error)
      case 'taken':
        this.#dismiss(member, admission.error)
        return null
      case 'duplicate':
        // What it repeats may itself still wait for its append, and is not promised before (invariant 3).
        if (!this.#isLogged(candidate)) break
        this.#acknowledge(member, candidate, true)
        return null
      case 'admitted': {
        const full = this.#fullFor(candidate, admission)
        if (full !== null) return this.#refuse(member, candidate, full)
        this.#staged ??= Marks.begin(newEpoch(clock), candidate.domain.name)
        this.#staged.fold(admission.commit, admission.inserted)
        this.#waitingBytes += admission.commit.update.length
        break
      }
    }
    this.#waiting.push({ member, candidate, admission })
    return null
  }

  /** Its counter is drawn here, so it has one only once it is admitted, and another one whenever that is done anew. */
  #offerPlain(member: Member, candidate: PlainCandidate): ErrorCode | null {
    const { updates, clock, counts } = this.#parts
    const admission = admitPlain(
      candidate,
      this.#staged,
      updates,
      clock.now(),
      this.#clientsMax(this.#waitingBytes),
    )
    if (admission.kind === 'refused') return this.#refuse(member, candidate, admission.error)
    if (admission.kind === 'duplicate') {
      counts.duplicates++
      member.answer({ ...this.#ackAt(candidate), duplicate: true })
      return null
    }
    const full = this.#fullFor(candidate, admission)
    if (full !== null) return this.#refuse(member, candidate, full)
    assert(this.#staged !== null, 'what no document holds yet is not admitted')
    this.#staged.fold(admission.commit, admission.inserted)
    this.#waitingBytes += admission.commit.update.length
    this.#waiting.push({ member, candidate, admission })
    return null
  }

  /** Why there is no room for what passed every other check, or null. */
  #fullFor(
    candidate: Candidate | PlainCandidate,
    admission: Extract<Admission, { kind: 'admitted' }>,
  ): SyncError | null {
    const { replicaLimits, replicaRefusals } = this.#parts
    const full = newReplicaRefusal(candidate, this.#staged, replicaLimits)
    if (full === null) return this.#bound.refusalOf(admission, this.#waitingBytes)
    replicaRefusals.tell(candidate.namespace, full)
    return full
  }

  /** The next record: what waits, as far as it fits one tail message, but at least one commit. Not called while empty. */
  batch(): CommitsRecord {
    const commits = []
    let bytes = 0
    for (const { admission } of this.#waiting) {
      if (admission.kind !== 'admitted') continue
      bytes += admission.commit.update.length + utf8Length(admission.commit.opsJson)
      if (commits.length > 0 && bytes > limits.tailBytesMax) break
      commits.push(admission.commit)
    }
    assert(this.#staged !== null && commits.length > 0, 'where a duplicate waits, so does what it repeats')
    return { kind: 'commits', epoch: this.#staged.epoch, domain: this.#staged.domain, commits }
  }

  /** The batch was appended: acknowledges it. */
  landBatch(record: CommitsRecord, seq: Seq, tag: Tag): OwnCommits {
    const logged = (this.#logged ??= Marks.begin(record.epoch, record.domain))
    let folded = 0
    for (const { admission } of this.#waiting) {
      if (admission.kind !== 'admitted' || admission.commit !== record.commits[folded]) continue
      logged.fold(admission.commit, admission.inserted)
      folded++
    }
    assert(folded === record.commits.length, 'a batch is of what waits, in the same order')
    logged.moveTo(seq, tag)
    return this.#settle(record)
  }

  /** A record was found in the log: somebody else's, or one of ours whose append did not answer. */
  landFound(entry: LogEntry, record: CommitsRecord): OwnCommits {
    const { updates } = this.#parts
    this.#logged = foldEntry(this.#logged, entry, updates)
    // Whatever waited is staged, and may have been dismissed just now.
    const isStagedAsLogged = this.isEmpty
    const own = this.#settle(record)
    if (isStagedAsLogged && this.#staged !== null) foldEntry(this.#staged, entry, updates)
    else this.#restage()
    return own
  }

  /** The marks as they were just read from the store. */
  start(marks: Marks | null): void {
    this.#read = true
    this.#logged = marks
    this.#restage()
  }

  /** The marks may be behind the store: until they are read anew, nothing is admitted. */
  stop(): void {
    this.#read = false
  }

  refuseAll(error: SyncError): void {
    const waiting = this.#waiting
    this.drop()
    for (const { member, candidate } of waiting) this.#refuse(member, candidate, error)
  }

  /** Leaves what waits unanswered: its sessions end, and its authors keep it. */
  drop(): void {
    this.#waiting = []
    this.#waitingBytes = 0
  }

  #settle(record: CommitsRecord): OwnCommits {
    const landed = new LandedCommits(record.commits)
    const own = new Map<Member, number[]>()
    const waiting = this.#waiting
    this.#waiting = []
    // The place in the record of the next commit that waits: ours alone, and in the same order, it is found without a search.
    let next = 0
    for (const each of waiting) {
      const { member, candidate, admission } = each
      if (admission.kind === 'admitted' && admission.commit === record.commits[next]) {
        addOwn(own, member, next++)
        if (isPlain(candidate)) this.#acknowledgePlain(member, candidate, admission.commit)
        else this.#acknowledge(member, candidate, false)
        continue
      }
      if (isPlain(candidate)) {
        this.#settlePlain({ member, candidate, admission }, landed, own)
        continue
      }
      if (!this.#isLogged(candidate)) {
        this.#waiting.push(each)
        continue
      }
      const place = landed.placeOf({ replica: candidate.replica, counter: candidate.commit.counter })
      const logged = record.commits[place]
      if (logged !== undefined && logged.hlc !== candidate.commit.hlc) {
        this.#dismiss(member, taken(candidate))
        continue
      }
      if (logged !== undefined && sameBytes(logged.update, candidate.commit.update))
        addOwn(own, member, place)
      this.#acknowledge(member, candidate, admission.kind === 'duplicate' || logged === undefined)
    }
    this.#waitingBytes = this.#waiting.reduce((sum, { admission }) => sum + bytesOf(admission), 0)
    return own
  }

  /** Another commit under its id is not it, but one that came by another hub: then it is admitted anew. */
  #settlePlain(
    waiting: Waiting & { readonly candidate: PlainCandidate },
    landed: LandedCommits,
    own: Map<Member, number[]>,
  ): void {
    const { member, candidate, admission } = waiting
    const commit = admission.kind === 'admitted' ? admission.commit : null
    const place = commit === null ? -1 : landed.placeOf(commit.id)
    const logged = landed.commits[place]
    if (commit === null || logged === undefined || !sameBytes(logged.update, commit.update)) {
      this.#waiting.push(waiting)
      return
    }
    addOwn(own, member, place)
    this.#acknowledgePlain(member, candidate, commit)
  }

  #acknowledgePlain(member: Member, candidate: PlainCandidate, { id }: LoggedCommit): void {
    this.#parts.counts.acks++
    member.answer({ ...this.#ackAt(candidate), counter: id.counter })
  }

  #ackAt({ replica }: PlainCandidate): Ack {
    const { durability } = this.#parts.store
    const seq = this.#logged?.head.seq ?? 0
    // A counter is at least 1, also where nothing was ever logged.
    const counter = this.#logged?.counterOf(replica) ?? 1
    return { type: 'Ack', counter, seq, duplicate: false, durability }
  }

  #restage(): void {
    this.#staged = this.#logged?.clone() ?? null
    const waiting = this.#waiting
    this.drop()
    for (const { member, candidate } of waiting) this.#offer(member, candidate)
  }

  #isLogged({ replica, commit }: Candidate): boolean {
    return this.#logged !== null && commit.counter <= this.#logged.counterOf(replica)
  }

  #acknowledge(member: Member, { commit }: Candidate, duplicate: boolean): void {
    assert(this.#logged !== null, 'what is acknowledged is in the log')
    this.#parts.counts[duplicate ? 'duplicates' : 'acks']++
    const seq = this.#logged.head.seq
    const { durability } = this.#parts.store
    member.answer({ type: 'Ack', counter: commit.counter, seq, duplicate, durability })
  }

  /** A later commit may name the other one as `prev`, and would then fit: none is looked at. They stay with their author. */
  #dismiss(member: Member, error: SyncError): void {
    this.#dismissed.add(member)
    member.dismiss(error)
  }

  #refuse(member: Member, candidate: Candidate | PlainCandidate, error: SyncError): ErrorCode {
    this.#parts.counts.refused(error.code)
    member.answer(refusalOf(error, isPlain(candidate) ? null : candidate.commit.counter))
    return error.code
  }
}

/** 48 random bits: two hubs that create a namespace at once, or create it anew, do not draw the same. */
export function newEpoch(clock: Clock): Epoch {
  return clock.random(6).reduce((epoch, byte) => epoch * 256 + byte, 0) || 1
}

function bytesOf(admission: Waiting['admission']): number {
  return admission.kind === 'admitted' ? admission.commit.update.length : 0
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && a.every((byte, i) => byte === b[i]))
}
