/**
 * The one root array of a Yjs document, with its index. Writes cost what they change: a client's new entries follow its own
 * last item (decision 0002), deletes go by item id, and what a transaction changed is read from its state vectors and
 * delete set, never from Yjs events, which walk the whole array.
 */
import * as Y from 'yjs'
import { assert, keyText, type Entry, type Hlc, type Write } from '@rejoin/core'
import { buryRun } from './burying.ts'
import { deleteRun, runsOf } from './deleting.ts'
import {
  elementOf,
  elementsOf,
  entryOf,
  freezeValue,
  hlcOf,
  holdInPieces,
  isElement,
  ROOT,
} from './element.ts'
import { EntryContent } from './entry-content.ts'
import { EntryIndex, type LiveEntry, type TouchListener } from './entry-index.ts'
import type { ItemId } from './update-reader.ts'

/** What Yjs keeps of one client, by clock. */
type Structs = (Y.GC | Y.Item)[]

export class EntryArray {
  readonly doc: Y.Doc
  readonly index: EntryIndex
  readonly #root: Y.Array<unknown>
  readonly #watched: boolean
  #newestHlc: Hlc | null = null

  /**
   * Follows `doc` from now on; `onTouch` hears of every key whose live entries are about to change.
   * @param watched whether others listen to Yjs's own events of `doc`, which show the items that a transaction deleted.
   */
  constructor(doc: Y.Doc, watched: boolean, onTouch: TouchListener) {
    this.doc = doc
    this.#watched = watched
    this.#root = doc.getArray(ROOT)
    this.index = new EntryIndex(onTouch)
    for (const [client, structs] of doc.store.clients) this.#addFrom(client, structs, 0)
    doc.on('afterTransaction', this.#absorb)
  }

  get newestHlc(): Hlc | null {
    return this.#newestHlc
  }

  detach(): void {
    this.doc.off('afterTransaction', this.#absorb)
  }

  /** The update that holds the effect of `writes`, or null where nothing changed. Writes name each key once. */
  write(writes: readonly Write[], hlc: Hlc, seen?: (entry: Entry) => boolean): Uint8Array | null {
    const sets = writes.filter((write) => write.kind === 'set')
    const replaced = this.#replacedBy(writes, hlc, seen)
    if (sets.length === 0 && replaced.length === 0) return null
    let update: Uint8Array | null = null
    const capture = (bytes: Uint8Array): void => {
      update = bytes
    }
    this.doc.on('update', capture)
    try {
      this.doc.transact((transaction) => {
        for (const run of runsOf(replaced)) {
          if (this.#watched) deleteRun(transaction, run)
          else buryRun(transaction, run, this.#forget)
        }
        if (sets.length > 0)
          this.#append(
            transaction,
            sets.map(({ table, key, value }) => elementOf({ table, key, value, hlc })),
          )
      })
    } finally {
      this.doc.off('update', capture)
    }
    assert(update !== null, 'a transaction that touched something gives an update')
    return update
  }

  /** Entries that a write has seen; those newer than it, and those its author had not seen, stay. */
  #replacedBy(writes: readonly Write[], hlc: Hlc, seen?: (entry: Entry) => boolean): LiveEntry[] {
    const replaced: LiveEntry[] = []
    for (const { table, key } of writes) {
      for (const live of this.index.live(table, keyText(key))) {
        if (hlcOf(live.element) <= hlc && seen?.(entryOf(live.element)) !== false) replaced.push(live)
      }
    }
    return replaced
  }

  /** As Yjs inserts into lists, but with a remembered left neighbour and no right one: no index walk, no conflict scan. */
  #append(transaction: Y.Transaction, elements: readonly unknown[]): void {
    const { clientID, store } = this.doc
    const clock = Y.getState(store, clientID)
    const left =
      clock === 0
        ? lastItem(this.#root)
        : Y.getItemCleanEnd(transaction, store, Y.createID(clientID, clock - 1))
    const origin = left === null ? null : left.lastId
    const content = EntryContent.of(elements)
    new Y.Item(Y.createID(clientID, clock), left, origin, null, null, this.#root, null, content).integrate(
      transaction,
      0,
    )
  }

  /** What `buryRun` took out of an item: no item of the transaction shows it to `#absorb`. */
  readonly #forget = (elements: readonly unknown[], { client, clock }: ItemId): void => {
    for (const [offset, element] of elements.entries()) {
      if (isElement(element)) this.index.remove(element, { client, clock: clock + offset })
    }
  }

  readonly #absorb = (transaction: Y.Transaction): void => {
    const { beforeState, afterState, deleteSet } = transaction
    const { clients } = this.doc.store
    for (const [client, ranges] of deleteSet.clients) {
      const before = beforeState.get(client) ?? 0
      const structs = clients.get(client) ?? []
      for (const { clock, len } of ranges)
        this.#removeRange(client, structs, clock, Math.min(clock + len, before))
    }
    for (const [client, after] of afterState) {
      const before = beforeState.get(client) ?? 0
      if (after > before) this.#addFrom(client, clients.get(client) ?? [], before)
    }
  }

  /** Structs still hold what was deleted: Yjs collects only after this. */
  #removeRange(client: number, structs: Structs, start: number, end: number): void {
    if (start >= end) return
    for (let i = Y.findIndexSS(structs, start); i < structs.length; i++) {
      const struct = structs[i]
      if (struct === undefined || struct.id.clock >= end) return
      for (const [offset, element] of elementsOf(struct, this.#root).entries()) {
        if (isElement(element)) this.index.remove(element, { client, clock: struct.id.clock + offset })
      }
    }
  }

  #addFrom(client: number, structs: Structs, start: number): void {
    if (structs.length === 0) return
    for (let i = Y.findIndexSS(structs, start); i < structs.length; i++) {
      const struct = structs[i]
      if (struct === undefined) return
      const { clock } = struct.id
      for (const [offset, element] of elementsOf(struct, this.#root).entries()) {
        if (clock + offset < start || !isElement(element)) continue
        const hlc = hlcOf(element)
        if (this.#newestHlc === null || hlc > this.#newestHlc) this.#newestHlc = hlc
        if (struct.deleted) continue
        freezeValue(element)
        this.index.add({ element, client, clock: clock + offset })
      }
      // Before Yjs joins what a transaction leaves, which it does after this.
      holdInPieces(struct, this.#root)
    }
  }
}

/** Walks the array: only the first write of a client needs it. */
function lastItem(root: Y.Array<unknown>): Y.Item | null {
  let last = root._start
  while (last !== null && last.right !== null) last = last.right
  return last
}
