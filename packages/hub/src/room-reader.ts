/**
 * What a session reads of its room's log to catch up. Reads of the store may be stale, never wrong (St4): where they are
 * behind what the room or the replica knows, they are repeated, with a bound.
 */
import {
  SyncError,
  ZERO_TAG,
  type Clock,
  type Cursor,
  type HubStore,
  type LogView,
  type Namespace,
  type Seq,
} from '@rejoin/core'
import { type CatchUpSource } from './catch-up.ts'
import { readCheckpoint } from './document.ts'
import { readPage, tagAt, type LogPage } from './log.ts'
import { type Room } from './room.ts'
import { checkSnapshot } from './stored-marks.ts'
import { retrying } from './waiting.ts'

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
    if (cursor !== null && cursor.seq > (this.head?.seq ?? 0)) await this.reach(cursor.seq).catch(() => {})
    await this.#room.opened()
    const { head } = this
    const range = this.#room.range
    if (head === null || range === null) return null
    const checkpointSeq = range.checkpoint?.seq ?? null
    return {
      epoch: head.epoch,
      head,
      floor: range.floor,
      checkpointSeq,
      tagAtCursor: await this.#tagAt(cursor, head),
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

  async snapshot(): Promise<{ readonly cursor: Cursor; readonly snapshot: Uint8Array }> {
    const { store, clock, checkpoint } = this.#parts
    let found = await retrying(clock, () => readCheckpoint(store, this.namespace))
    if (found === null) {
      await checkpoint(this.namespace)
      found = await retrying(clock, () => readCheckpoint(store, this.namespace))
    }
    if (found === null)
      throw new SyncError('STORE_UNAVAILABLE', `${this.namespace}: its checkpoint cannot be read yet`)
    const snapshot = await retrying(clock, found.snapshot)
    return { cursor: found.stored.marks.head, snapshot: checkSnapshot(snapshot, found.stored, found.where) }
  }

  reach(seq: Seq): Promise<void> {
    return retrying(this.#parts.clock, async () => {
      await this.#room.look()
      await this.#room.opened()
      const known = this.head?.seq ?? 0
      if (known >= seq) return
      throw new SyncError(
        'STORE_UNAVAILABLE',
        `${this.namespace}: known up to ${known}, but not ${seq}; try again`,
      )
    })
  }

  async #tagAt(cursor: Cursor | null, head: Cursor): Promise<string | null> {
    if (cursor === null || cursor.epoch !== head.epoch || cursor.seq > head.seq) return null
    if (cursor.seq === head.seq) return head.tag
    return await retrying(this.#parts.clock, () => tagAt(this.#parts.store, this.namespace, cursor.seq))
  }
}
