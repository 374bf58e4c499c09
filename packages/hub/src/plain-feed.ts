/**
 * What a plain Yjs client gets of a room's document: the epoch's filler before anything else, what it lacks by its state vector,
 * and from then on the log's updates, live or page by page. A document of another epoch gets nothing, and is told.
 */
import { limits, SyncError, type ClientClocks, type Cursor, type Epoch } from '@rejoin/core'
import { internal } from './answers.ts'
import { updatesOf } from './document.ts'
import { type Marks } from './marks.ts'
import { type Landing, type Member } from './member.ts'
import { type HubCounts } from './metrics.ts'
import { readDocument, type PlainDocumentParts } from './plain-document.ts'
import { checkEpoch, epochChanged, epochFiller } from './plain-epoch.ts'
import { type PlainOutlet } from './plain-outlet.ts'
import { type Room } from './room.ts'
import { RoomReader, type RoomReaderParts } from './room-reader.ts'

export interface PlainFeedParts extends RoomReaderParts, PlainDocumentParts {
  readonly counts: HubCounts
}

export class PlainFeed {
  readonly #room: Room
  readonly #outlet: PlainOutlet
  readonly #parts: PlainFeedParts
  readonly #failed: (error: SyncError) => void
  #isLive = false
  /** How far the client's document is, once it has received what was sent. */
  #sent: Cursor | null = null
  /** Whose filler it was given; null while the namespace does not exist. */
  #epoch: Epoch | null = null
  #unmarkedQuestions = 0
  #catching: Promise<void> = Promise.resolve()

  constructor(room: Room, outlet: PlainOutlet, parts: PlainFeedParts, failed: (error: SyncError) => void) {
    this.#room = room
    this.#outlet = outlet
    this.#parts = parts
    this.#failed = failed
  }

  /** Whether this answers a question from before it had the filler, and so cannot show it: another answer follows. */
  takeUnmarkedAnswer(): boolean {
    if (this.#unmarkedQuestions === 0) return false
    this.#unmarkedQuestions--
    return true
  }

  /** Answers `SyncStep1`, and the first time asks for what the client has in turn. */
  async answer(stateVector: Uint8Array): Promise<void> {
    const clocks = this.#parts.updates.readStateVector(stateVector)
    // Whoever comes right after the document was made anew is not to be judged by what this room knew before.
    await this.#room.look()
    await this.#room.opened()
    const isFirst = this.#sent === null && this.#epoch === null
    if (this.#room.marks === null) {
      this.#checkVector(clocks, null)
      this.#outlet.send({ type: 'SyncStep2', update: await this.#parts.heavy.diff([], stateVector) })
    } else await this.#sendLacking(clocks, stateVector)
    this.#isLive = false
    await this.catchUp()
    if (!isFirst || this.#outlet.isOver) return
    this.#ask()
  }

  /** One at a time: where it is behind while it asks anew, both would send the same. */
  catchUp(): Promise<void> {
    const before = this.#catching
    this.#catching = before.catch(() => {}).then(() => this.#catchUp())
    return this.#catching
  }

  deliver({ prev, cursor, commits, own }: Landing, to: Member): void {
    if (!this.#isLive) return
    const isNext = prev === (this.#sent?.seq ?? 0) && this.#epoch === cursor.epoch
    if (!isNext || this.#outlet.isBehind) return this.#fallBehind()
    const places = new Set(own.get(to))
    for (const [place, { update }] of commits.entries()) {
      if (places.has(place) || update === null || update.length === 0) continue
      if (!this.#outlet.send({ type: 'Update', update })) return
    }
    this.#sent = cursor
  }

  /** The room's log is not where it was. */
  look(): void {
    const { head } = this.#room
    if (this.#isLive && (head?.seq !== this.#sent?.seq || head?.tag !== this.#sent?.tag)) this.#fallBehind()
  }

  async #sendLacking(clocks: ClientClocks, stateVector: Uint8Array): Promise<void> {
    const { bytes, marks } = await readDocument(this.#parts, this.#room)
    this.#checkVector(clocks, marks)
    const update = await this.#parts.heavy.diff(bytes, stateVector)
    await this.#outlet.ready(limits.tailBytesMax)
    if (this.#epoch === null) this.#mark(marks.epoch)
    if (marks.epoch !== this.#epoch) throw epochChanged(this.#room.namespace)
    this.#parts.counts.snapshots++
    this.#outlet.send({ type: 'SyncStep2', update })
    if (this.#sent === null || marks.head.seq > this.#sent.seq) this.#sent = marks.head
  }

  /** @throws SyncError EPOCH_CHANGED or UPDATE_DISALLOWED */
  #checkVector(clocks: ClientClocks, marks: Marks | null): void {
    if (clocks.size > (marks?.clocks.size ?? 0) + limits.healClientsMax)
      throw new SyncError('UPDATE_DISALLOWED', `a state vector names ${clocks.size} client ids`)
    checkEpoch(this.#room.namespace, clocks, marks)
  }

  /** From here on its document shows of which epoch it is. */
  #mark(epoch: Epoch): void {
    const { client, length } = epochFiller(epoch)
    this.#epoch = epoch
    this.#outlet.send({ type: 'Update', update: this.#parts.updates.filler(client, length) })
  }

  #ask(): void {
    const clocks = new Map(this.#room.marks?.clocks)
    if (this.#epoch === null) this.#unmarkedQuestions++
    else {
      const { client, length } = epochFiller(this.#epoch)
      clocks.set(client, length)
    }
    this.#outlet.send({ type: 'SyncStep1', stateVector: this.#parts.updates.stateVector(clocks) })
  }

  /** Up to the head, page by page. */
  async #catchUp(): Promise<void> {
    const reader = new RoomReader(this.#room, this.#parts)
    try {
      for (;;) {
        await this.#room.opened()
        const { head } = this.#room
        if (this.#outlet.isOver) return
        if (head === null) break
        if (this.#epoch === null) {
          this.#mark(head.epoch)
          this.#ask()
        }
        const seq = this.#sent?.seq ?? 0
        if (seq > head.seq) {
          await reader.reach(seq)
          continue
        }
        if (this.#epoch !== head.epoch) throw epochChanged(this.#room.namespace)
        if (seq === head.seq) break
        await this.#sendPage(reader)
      }
      this.#isLive = true
    } finally {
      reader.end()
    }
  }

  async #sendPage(reader: RoomReader): Promise<void> {
    const { namespace } = this.#room
    await this.#outlet.ready(limits.tailBytesMax)
    const page = await reader.page(this.#sent)
    if (page.kind === 'gap')
      throw new SyncError('CHANNEL_CLOSED', `${namespace}: too much was missed; connect again`)
    this.#parts.counts.tails++
    for (const { record, seq, tag } of page.entries) {
      if (record.kind === 'rebuild' || record.epoch !== this.#epoch) throw epochChanged(namespace)
      for (const update of updatesOf(record)) this.#outlet.send({ type: 'Update', update })
      this.#sent = { epoch: record.epoch, seq, tag }
    }
  }

  #fallBehind(): void {
    this.#isLive = false
    const rejoin = async (): Promise<void> => {
      await this.#outlet.drained()
      await this.catchUp()
    }
    rejoin().catch((error: unknown) => this.#failed(internal(error, 'the session could not catch up')))
  }
}
