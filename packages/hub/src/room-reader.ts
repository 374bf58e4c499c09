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
  type Hello,
  type HubStore,
  type LoggedRebuild,
  type LogView,
  type Namespace,
  type Seq,
} from '@rejoin/core'
import { type CatchUpSnapshot, type CatchUpSource } from './catch-up.ts'
import { type OpenedLog } from './opening.ts'
import { readCheckpoint } from './document.ts'
import { readPage, rebuildAt, tagAt, type LogPage, type TagAt } from './log.ts'
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

  async view(cursor: Cursor | null): Promise<LogView | null> {
    // The replica may have been at another hub of this store, which has read further. Where nobody has, the plan says so.
    if (cursor !== null) await this.#lookUntil(() => cursor.seq <= (this.head?.seq ?? 0))
    const { marks, range } = await this.#opened()
    const head = marks?.head ?? null
    if (head === null) return null
    const checkpointSeq = range.checkpoint?.seq ?? null
    const found = await this.#tagAt(cursor, head)
    // Somebody may have trimmed since the room heard of it: the store's own answer says which floor it was read above.
    const floor = found.kind === 'gap' ? Math.max(range.floor, found.floor) : range.floor
    const tagAtCursor = found.kind === 'gap' ? null : found.tag
    const rebuild = await this.#rebuild(cursor, marks)
    return { epoch: head.epoch, head, floor, checkpointSeq, tagAtCursor, rebuild }
  }

  /**
   * Whether a replica that greets can have been served by this log: one that was lost and written anew is refused, whatever
   * path its cursor would take.
   * @throws SyncError HISTORY_DIVERGED or STORE_UNAVAILABLE
   */
  async checkHistory({ cursor, ackedCounter, replica }: Hello): Promise<void> {
    const counter = (): number => this.#room.marks?.counterOf(replica) ?? 0
    if (!(await this.#lookUntil(() => ackedCounter <= counter()))) {
      const what = `commit ${ackedCounter} of the replica was acknowledged, the log knows it up to ${counter()}`
      throw diverged(this.namespace, what)
    }
    if (cursor === null) return
    // Every older epoch ended before this one began; where there is no log at all, the plan says so.
    const isStrange = (marks: Marks | null): marks is Marks =>
      marks !== null && cursor.epoch !== marks.epoch && cursor.seq >= marks.began
    await this.#lookUntil(() => !isStrange(this.#room.marks))
    const { marks } = this.#room
    if (isStrange(marks)) {
      const what = `epoch ${marks.epoch} began at ${marks.began}, the replica has ${cursor.seq} of ${cursor.epoch}`
      throw diverged(this.namespace, what)
    }
  }

  page(at: Cursor | null): Promise<LogPage> {
    const { store, clock } = this.#parts
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

  async snapshot(): Promise<CatchUpSnapshot> {
    const { store, clock, checkpoint } = this.#parts
    let found = await retrying(clock, () => readCheckpoint(store, this.namespace))
    if (found === null) {
      await checkpoint(this.namespace)
      found = await retrying(clock, () => readCheckpoint(store, this.namespace))
    }
    if (found === null)
      throw new SyncError('STORE_UNAVAILABLE', `${this.namespace}: its checkpoint cannot be read yet`)
    const snapshot = await retrying(clock, found.snapshot)
    const { head, domainVersion } = found.stored.marks
    return { cursor: head, snapshot: checkSnapshot(snapshot, found.stored, found.where), domainVersion }
  }

  async reach(seq: Seq): Promise<void> {
    if (await this.#lookUntil(() => (this.head?.seq ?? 0) >= seq)) return
    throw this.#behind(seq)
  }

  /**
   * What the open room knows, read in one turn: between two, somebody may find that it has to be opened anew.
   * @throws SyncError why it cannot be opened
   */
  async #opened(): Promise<{ readonly marks: Marks | null; readonly range: OpenedLog }> {
    for (let attempt = 1; attempt <= limits.storeAttemptsMax; attempt++) {
      await this.#room.opened()
      const { marks, range } = this.#room
      if (range !== null) return { marks, range }
    }
    throw new SyncError('STORE_UNAVAILABLE', `${this.namespace}: its log is being read anew; try again`)
  }

  /**
   * Reads on until `known` holds; false where the store says again and again that there is nothing more.
   * @throws SyncError STORE_UNAVAILABLE where it does not say.
   */
  async #lookUntil(known: () => boolean): Promise<boolean> {
    const { store, clock } = this.#parts
    for (let attempt = 1; !known(); attempt++) {
      await this.#room.look()
      await this.#room.opened()
      if (known()) return true
      // A look leaves a store that is away for later; here it must have answered before anybody is refused.
      const range = (await retrying(clock, () => store.heads([this.namespace]))).get(this.namespace)
      const isLast = attempt === limits.storeAttemptsMax
      if (isLast && (range?.head ?? 0) > (this.head?.seq ?? 0)) throw this.#behind(range?.head ?? 0)
      if (isLast) return false
      await clock.sleep(storeRetryMs(attempt))
    }
    return true
  }

  /** Of interest to a replica of the epoch before alone, so nobody else costs a read. */
  async #rebuild(cursor: Cursor | null, marks: Marks | null): Promise<LoggedRebuild | null> {
    if (cursor === null || marks === null || cursor.epoch !== marks.epoch - 1) return null
    const { store, clock } = this.#parts
    return await retrying(clock, () => rebuildAt(store, this.namespace, marks.epoch, marks.began))
  }

  #behind(seq: Seq): SyncError {
    const known = this.head?.seq ?? 0
    const what = `${this.namespace}: known up to ${known}, but not ${seq}`
    return new SyncError('STORE_UNAVAILABLE', `${what}; try again`)
  }

  async #tagAt(cursor: Cursor | null, head: Cursor): Promise<Exclude<TagAt, { kind: 'end' }>> {
    if (cursor === null || cursor.epoch !== head.epoch || cursor.seq > head.seq)
      return { kind: 'tag', tag: null }
    if (cursor.seq === head.seq) return { kind: 'tag', tag: head.tag }
    return await retrying(this.#parts.clock, async () => {
      const found = await tagAt(this.#parts.store, this.namespace, cursor.seq)
      if (found.kind === 'end') throw this.#behind(head.seq)
      return found
    })
  }
}

/** The replica holds what this log does not, whatever its cursor says: here or there, history was lost. */
function diverged(namespace: Namespace, what: string): SyncError {
  return new SyncError(
    'HISTORY_DIVERGED',
    `${namespace}: ${what}; this hub was restored from an older backup, or it is another one; nothing was changed`,
  )
}
