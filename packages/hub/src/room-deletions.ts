/**
 * Which items are deleted in a room's document, known while a plain Yjs client is there: read once with the document, and
 * followed with what is logged. Two that begin at once read it once.
 */
import { type CrdtUpdates, type ItemRange } from '@rejoin/core'
import { DeletedItems } from './deleted-items.ts'
import { updatesOf } from './document.ts'
import { type CommitsRecord } from './record.ts'

export class RoomDeletions {
  readonly #updates: CrdtUpdates
  #readers = 0
  /** What landed since the reading began, and what it found. */
  #items: DeletedItems | null = null
  #reading: Promise<void> | null = null
  #isWhole = false

  constructor(updates: CrdtUpdates) {
    this.#updates = updates
  }

  /** Null where they are not known. */
  get known(): DeletedItems | null {
    return this.#isWhole ? this.#items : null
  }

  /** Follows them until the returned function is called. Idempotent. */
  hold(): () => void {
    this.#readers++
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      if (--this.#readers === 0) this.forget()
    }
  }

  /** @param read gives the deletions of the document as it is when it is called, or later. */
  async learn(read: () => Promise<readonly ItemRange[]>): Promise<void> {
    if (this.#isWhole) return
    await (this.#reading ??= this.#learn(read))
  }

  landed(record: CommitsRecord): void {
    if (this.#items === null) return
    for (const update of updatesOf(record)) this.#items.add(this.#updates.inspectState(update).deleted)
  }

  /** The log is not where it was: what is read just now counts no more. */
  forget(): void {
    this.#items = null
    this.#reading = null
    this.#isWhole = false
  }

  async #learn(read: () => Promise<readonly ItemRange[]>): Promise<void> {
    const items = (this.#items = new DeletedItems())
    try {
      const ranges = await read()
      if (this.#items !== items) return
      items.add(ranges)
      this.#isWhole = true
    } finally {
      if (this.#items === items) this.#reading = null
    }
  }
}
