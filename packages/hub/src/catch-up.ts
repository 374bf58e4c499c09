/**
 * Serving what a replica lacks: the plan of core's `planCatchUp`, carried out page by page until nothing is missing.
 * Whoever catches up gets nothing live meanwhile; the step to live happens in the very turn in which the head is found
 * reached, so that there is neither a gap nor a duplicate between the two.
 */
import {
  assert,
  limits,
  planCatchUp,
  SyncError,
  unreachable,
  type CatchUpPath,
  type CatchUpPlan,
  type Cursor,
  type DownMessage,
  type Durability,
  type Epoch,
  type HealPlan,
  type LoggedRebuild,
  type LogView,
  type Namespace,
  type Offers,
  type Seq,
  type TailCommit,
} from '@rejoin/core'
import { type LogPage } from './log.ts'
import { type ReplicaStanding } from './log-view.ts'

/** What is read of the room. */
export interface CatchUpSource {
  readonly namespace: Namespace
  /** The newest record that the room knows, or null while the namespace does not exist. */
  readonly head: Cursor | null
  view(standing: ReplicaStanding): Promise<LogView | null>
  /** The log after `at`, up to `head`; not called where that is nothing. */
  page(at: Cursor | null): Promise<LogPage>
  /** The newest checkpoint, built where there is none yet or it is older than that. */
  snapshot(atLeast: Seq): Promise<CatchUpSnapshot>
  /** Resolves when the room knows the log at least up to `seq`. @throws SyncError STORE_UNAVAILABLE */
  reach(seq: Seq): Promise<void>
}

export interface CatchUpSnapshot {
  readonly cursor: Cursor
  readonly snapshot: Uint8Array
  /** The newest version of the domain in it: another hub may have made it, which has read further than the room. */
  readonly domainVersion: number
}

/** Where it goes. */
export interface CatchUpOutlet {
  /** What it stands for that something is in this hub's log. */
  readonly durability: Durability
  /** What the replica takes. */
  readonly offers: Offers
  /** Whether the replica has no cursor although commits of an older epoch are its own. */
  readonly outlived: boolean
  /**
   * Asks the replica for what the log lost, and has it logged. 'moved': others have changed meanwhile what is to be asked;
   * 'left': the replica went, or comes again with what is wanted.
   * @throws SyncError where that cannot be
   */
  heal(plan: HealPlan): Promise<Seq | 'moved' | 'left'>
  /** Whether it has said that it has this commit, which its cursor does not cover. */
  has(update: Uint8Array): boolean
  /** The same packed, where it takes that and it saves; else null. */
  pack(found: CatchUpSnapshot): Promise<Uint8Array | null>
  /** Resolves when there is room for another message. @throws SyncError PEER_TOO_SLOW or CHANNEL_CLOSED */
  ready(): Promise<void>
  /** `at`: how far the replica is after this message. */
  send(message: DownMessage, at: Cursor | null): void
  /** What is sent next holds commits of this version of the domain. */
  holds(domainVersion: number): void
  /** Everything up to `at` was sent; `told` where a `Welcome` was, so that `CaughtUp` must follow. */
  arrive(at: Cursor | null, told: boolean): void
}

/**
 * @param why 'greeting' answers a `Hello`; 'behind' continues a session that fell behind, which is told of it only where
 * it needs more than a tail.
 * @returns 'left' where the replica will not get any further on this channel.
 * @throws SyncError HISTORY_DIVERGED where the replica holds history that the log does not, or what `outlet` throws.
 */
export async function catchUp(
  source: CatchUpSource,
  outlet: CatchUpOutlet,
  from: ReplicaStanding,
  why: 'greeting' | 'behind',
): Promise<'arrived' | 'left'> {
  const course = new Course(source, outlet, from.cursor)
  for (let tries = 1; ; tries++) {
    const view = await source.view(from)
    const plan =
      from.cursor === null && outlet.outlived ? outlivedPlan : planCatchUp(from, view, outlet.offers)
    if (plan.path !== 'heal') {
      await course.take(plan, why)
      break
    }
    if (tries > limits.healTriesMax) {
      const others = `${source.namespace}: others bring back the same that was lost`
      throw new SyncError('STORE_UNAVAILABLE', `${others}; come again`)
    }
    if (tries === 1) course.welcome('heal', plan.why)
    const healed = await outlet.heal(plan)
    if (healed === 'left') return 'left'
    if (healed === 'moved') continue
    await course.goOnAt(healed)
    break
  }
  await course.sendTail()
  return 'arrived'
}

type OrdinaryPlan = Exclude<CatchUpPlan, HealPlan>

/** What a replica without a base has made builds on items that a rebuild replaced. */
const outlivedPlan: OrdinaryPlan = {
  path: 'reset',
  why: 'the document was rebuilt since the replica pushed to it',
}

class Course {
  readonly #source: CatchUpSource
  readonly #outlet: CatchUpOutlet
  /** The epoch of its document when this begins. */
  readonly #standsIn: Epoch | null
  #at: Cursor | null
  #told = false
  /** A document came: it is taken with all that follows, and nothing of that is left out. */
  #isWhole = false

  constructor(source: CatchUpSource, outlet: CatchUpOutlet, from: Cursor | null) {
    this.#source = source
    this.#outlet = outlet
    this.#at = from
    this.#standsIn = from?.epoch ?? null
  }

  /** All of it but the tail. @throws SyncError HISTORY_DIVERGED */
  async take(plan: OrdinaryPlan, why: 'greeting' | 'behind'): Promise<void> {
    switch (plan.path) {
      case 'diverged':
        throw diverged(this.#source.namespace, plan.why)
      case 'unknown':
      case 'live':
      case 'tail':
        if (why === 'greeting') this.welcome(plan.path, plan.why)
        return
      case 'snapshot':
        this.welcome('snapshot', plan.why)
        return await this.sendSnapshot(plan.gap, plan.atLeast)
      case 'reset':
        return await this.reset(plan.why)
      case 'rebuild':
        this.welcome('rebuild', plan.why)
        return this.sendRebuild(plan.rebuild)
      default:
        unreachable(plan)
    }
  }

  /** What the hub had lost is in its log: all of that is in a snapshot at `seq`, or behind it. */
  async goOnAt(seq: Seq): Promise<void> {
    // Whoever is on the way to another epoch stands in its own until it arrives.
    const isMoving = this.#standsIn !== null && this.#at !== null && this.#at.epoch !== this.#standsIn
    this.welcome(isMoving ? 'reset' : 'snapshot', `what the hub had lost is there again, up to ${seq}`)
    await this.sendSnapshot(null, seq)
  }

  welcome(path: CatchUpPath, why: string): void {
    const { durability } = this.#outlet
    this.#outlet.send({ type: 'Welcome', path, why, durability }, this.#at)
    this.#told = true
  }

  async sendSnapshot(gap: { cursor: Seq; floor: Seq; head: Seq } | null, atLeast: Seq = 0): Promise<void> {
    const found = await this.#source.snapshot(atLeast)
    const { cursor } = found
    // Trimmed behind a rebuild that this room has not read yet: bytes of two epochs never mix.
    if (this.#at !== null && this.#at.epoch !== cursor.epoch) {
      this.welcome(
        'reset',
        `the document was rebuilt: epoch ${cursor.epoch}, the replica's is ${this.#at.epoch}`,
      )
    } else if (gap !== null) this.#outlet.send({ type: 'RevisionGap', ...gap }, this.#at)
    await this.#send(found)
  }

  sendRebuild({ to, digest }: LoggedRebuild): void {
    this.#at = to
    this.#isWhole = true
    this.#outlet.send({ type: 'Rebuild', cursor: to, digest }, to)
  }

  async reset(why: string): Promise<void> {
    this.welcome('reset', why)
    await this.#send(await this.#source.snapshot(0))
  }

  /** Sends page after page until the head is reached; it may move on meanwhile. */
  async sendTail(): Promise<void> {
    for (;;) {
      const head = this.#source.head
      const seq = this.#at?.seq ?? 0
      if (seq > (head?.seq ?? 0)) {
        // The checkpoint was made by another hub, which has read further than we have.
        await this.#source.reach(seq)
      } else if (this.#at !== null && head !== null && this.#at.epoch !== head.epoch) {
        await this.reset(`the document was rebuilt: epoch ${head.epoch}, the replica's is ${this.#at.epoch}`)
      } else if (seq === (head?.seq ?? 0)) {
        return this.#outlet.arrive(this.#at, this.#told)
      } else {
        await this.#outlet.ready()
        await this.#sendPage(await this.#source.page(this.#at))
      }
    }
  }

  async #send(found: CatchUpSnapshot): Promise<void> {
    const { cursor, snapshot, domainVersion } = found
    const packed = await this.#outlet.pack(found)
    await this.#outlet.ready()
    this.#outlet.holds(domainVersion)
    this.#at = cursor
    this.#isWhole = true
    const as = packed === null ? { snapshot } : { snapshot: packed, inflatesTo: snapshot.length }
    this.#outlet.send({ type: 'Snapshot', cursor, ...as }, cursor)
  }

  async #sendPage(page: LogPage): Promise<void> {
    if (page.kind === 'gap') {
      // Trimmed since the plan was made.
      const why = `the log was trimmed up to ${page.floor} meanwhile`
      if (!this.#told) this.welcome('snapshot', why)
      const cursor = this.#at?.seq ?? null
      return await this.sendSnapshot(cursor === null ? null : { cursor, floor: page.floor, head: page.head })
    }
    const first = page.entries[0]
    assert(first !== undefined, 'a page up to a head that is further on is not empty')
    const commits: TailCommit[] = []
    let cursor: Cursor | null = null
    for (const { record, seq, tag } of page.entries) {
      // Bytes of two epochs never mix: behind a rebuild only a snapshot goes on.
      if (record.kind === 'rebuild' || record.epoch !== first.record.epoch) break
      // What came back is no commits: whose it is, and which of them, only the mark tells.
      if (record.kind === 'heal' && record.healed !== null) break
      if (record.kind === 'commits')
        for (const { id, update } of record.commits)
          commits.push({ ...id, update: this.#isLeftOut(update) ? null : update })
      cursor = { epoch: record.epoch, seq, tag }
    }
    if (cursor === null) {
      if (first.record.kind !== 'heal') return await this.reset('the document was rebuilt meanwhile')
      return await this.goOnAt(first.seq)
    }
    this.#at = cursor
    this.#outlet.send({ type: 'Tail', cursor, commits }, cursor)
  }

  #isLeftOut(update: Uint8Array): boolean {
    return !this.#isWhole && this.#outlet.has(update)
  }
}

/** Here or there history was lost. */
function diverged(namespace: Namespace, what: string): SyncError {
  const told = `${namespace}: ${what}; this hub was restored from an older backup, or it is another one`
  return new SyncError('HISTORY_DIVERGED', `${told}; nothing was changed here or there`)
}
