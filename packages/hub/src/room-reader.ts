/**
 * What a session reads of its room's log to catch up. Reads of the store may be stale, never wrong (St4): where they are
 * behind what the room or the replica knows, they are repeated, with a bound.
 */
import {
  limits,
  SyncError,
  ZERO_TAG,
  type Clock,
  type Cursor,
  type HubStore,
  type LogView,
  type Namespace,
  type Seq,
} from '@rejoin/core'
import { type CatchUpSnapshot, type CatchUpSource } from './catch-up.ts'
import { type OpenedLog } from './opening.ts'
import { readCheckpoint } from './document.ts'
import { readPage, tagAt, type LogPage, type TagAt } from './log.ts'
import { type LogReader } from './log-readers.ts'
import { viewLog, type ReplicaStanding } from './log-view.ts'
import { type Marks } from './marks.ts'
import { type Room } from './room.ts'
import { checkSnapshot } from './stored-marks.ts'
import { retrying, storeRetryMs } from './waiting.ts'

export interface RoomReaderParts {
  readonly store: HubStore
  readonly clock: Clock
  /** Folds a namespace's log now. @throws SyncError why it cannot */
  readonly checkpoint: (namespace: Namespace) => Promise<unknown>
}

export class RoomReader implements CatchUpSource {
  readonly #room: Room
  readonly #parts: RoomReaderParts
  /** What comes after it is not trimmed. */
  #place: LogReader | null = null

  constructor(room: Room, parts: RoomReaderParts) {
    this.#room = room
    this.#parts = parts
  }

  get namespace(): Namespace {
    return this.#room.namespace
  }

  get head(): Cursor | null {
    return this.#room.head
  }

  /** It needs nothing more. Idempotent. */
  end(): void {
    this.#place?.end()
  }

  async view(standing: ReplicaStanding): Promise<LogView | null> {
    this.#readFrom(standing.cursor?.seq ?? 0)
    // The replica may have been at another hub of this store, which has read further. Where nobody has, the plan says so.
    await this.#lookUntil(() => this.#isOurs(standing))
    const { marks, range } = await this.#opened()
    const { store, clock } = this.#parts
    const found = await this.#tagAt(standing.cursor, marks?.head ?? null)
    // What is being dropped just now is gone for whoever begins to read.
    const floor = Math.max(range.floor, this.#room.log.readers.dropping)
    const opened = { marks, floor, checkpoint: range.checkpoint }
    return await retrying(clock, () => viewLog(store, this.namespace, opened, standing, found))
  }

  page(at: Cursor | null): Promise<LogPage> {
    const { store, clock } = this.#parts
    this.#readFrom(at?.seq ?? 0)
    return retrying(clock, async () => {
      const page = await readPage(store, this.namespace, at ?? { seq: 0, tag: ZERO_TAG })
      if (page.kind === 'gap') return page
      const known = this.head?.seq ?? 0
      const entries = page.entries.filter(({ seq }) => seq <= known)
      if (entries.length > 0) return { ...page, entries }
      throw new SyncError(
        'STORE_UNAVAILABLE',
        `${this.namespace}: known up to ${known}, but reads stay behind; try again`,
      )
    })
  }

  async snapshot(atLeast: Seq): Promise<CatchUpSnapshot> {
    const { store, clock, checkpoint } = this.#parts
    let found = await retrying(clock, () => readCheckpoint(store, this.namespace))
    // One that was being built just now may have begun before.
    for (let attempt = 1; attempt <= 2 && (found === null || found.seq < atLeast); attempt++) {
      await checkpoint(this.namespace)
      found = await retrying(clock, () => readCheckpoint(store, this.namespace))
    }
    if (found === null || found.seq < atLeast)
      throw new SyncError('STORE_UNAVAILABLE', `${this.namespace}: its checkpoint cannot be read yet`)
    this.#readFrom(found.seq)
    const snapshot = await retrying(clock, found.snapshot)
    const { head, domainVersion } = found.stored.marks
    return { cursor: head, snapshot: checkSnapshot(snapshot, found.stored, found.where), domainVersion }
  }

  async reach(seq: Seq): Promise<void> {
    if (await this.#lookUntil(() => (this.head?.seq ?? 0) >= seq)) return
    throw this.#behind(seq)
  }

  #readFrom(seq: Seq): void {
    if (this.#place === null) this.#place = this.#room.log.readers.begin(seq)
    else this.#place.moveTo(seq)
  }

  /**
   * What the open room knows, read in one turn: between two, somebody may find that it has to be opened anew.
   * @throws SyncError why it cannot be opened
   */
  async #opened(): Promise<{ readonly marks: Marks | null; readonly range: OpenedLog }> {
    for (let attempt = 1; attempt <= limits.storeAttemptsMax; attempt++) {
      await this.#room.opened()
      const { marks } = this.#room
      const { range } = this.#room.log
      if (range !== null) return { marks, range }
    }
    throw new SyncError('STORE_UNAVAILABLE', `${this.namespace}: its log is being read anew; try again`)
  }

  /**
   * Reads on until `known` holds; false where the store says again and again that there is nothing more.
   * @throws SyncError STORE_UNAVAILABLE where it does not say.
   */
  async #lookUntil(known: () => boolean): Promise<boolean> {
    for (let attempt = 1; !known(); attempt++) {
      const round = await this.#room.rounds.look()
      if (known()) return true
      // A look leaves a store that is away for later; here it must have answered before anybody is refused.
      const storeHead = await round.storeHead()
      const isLast = attempt === limits.storeAttemptsMax
      if (isLast && storeHead > (this.head?.seq ?? 0)) throw this.#behind(storeHead)
      if (isLast) return false
      await this.#parts.clock.sleep(storeRetryMs(attempt))
    }
    return true
  }

  /** Whether what the room has read of the log accounts for all that the replica has of it. */
  #isOurs({ cursor, ackedCounter, replica }: ReplicaStanding): boolean {
    const { marks } = this.#room
    if (ackedCounter > (marks?.counterOf(replica) ?? 0)) return false
    if (cursor === null) return true
    if (marks === null || cursor.seq > marks.head.seq) return false
    return cursor.epoch === marks.epoch || cursor.seq < marks.began
  }

  #behind(seq: Seq): SyncError {
    const known = this.head?.seq ?? 0
    const what = `${this.namespace}: known up to ${known}, but not ${seq}`
    return new SyncError('STORE_UNAVAILABLE', `${what}; try again`)
  }

  async #tagAt(cursor: Cursor | null, head: Cursor | null): Promise<Exclude<TagAt, { kind: 'end' }>> {
    if (cursor === null || head === null || cursor.epoch !== head.epoch || cursor.seq > head.seq)
      return { kind: 'tag', tag: null }
    if (cursor.seq === head.seq) return { kind: 'tag', tag: head.tag }
    return await retrying(this.#parts.clock, async () => {
      const found = await tagAt(this.#parts.store, this.namespace, cursor.seq)
      if (found.kind === 'end') throw this.#behind(head.seq)
      return found
    })
  }
}
