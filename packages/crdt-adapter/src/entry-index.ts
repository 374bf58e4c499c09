/**
 * Finds the live entries of a document by key. It points to the very arrays that Yjs holds and keeps the item's id beside
 * each (never an Item: Yjs merges and splits those), so most keys cost one small object. Order is kept once it was asked
 * for: a scan costs what it yields.
 */
import sortedBtree from 'sorted-btree'
import {
  assert,
  compareEntries,
  keyText,
  prefixText,
  type KeyParts,
  type KeyText,
  type Register,
  type Registers,
} from '@rejoin/core'
import { entryOf, keyLengthOf, keyTextOf, tableOf, type Element } from './element.ts'
import type { ItemId } from './update-reader.ts'

// A CommonJS module with a `default`: Node hands over its exports, most bundlers and test runners the default itself.
const BTree = 'default' in sortedBtree ? sortedBtree.default : (sortedBtree as never)
type KeyOrder = InstanceType<typeof BTree<KeyText, undefined>>

/** Keys that a scan takes from the order at a time: small, so that one who stops early pays little. */
const SCAN_KEYS = 64

/** A live entry: its element and the id of the item that holds it. */
export interface LiveEntry extends ItemId {
  readonly element: Element
}

/** The live entries of one key: nearly always one; several are kept newest first. */
type Slot = LiveEntry | LiveEntry[]

interface TableIndex {
  readonly slots: Map<KeyText, Slot>
  /** Null until the first scan. */
  order: KeyOrder | null
  /** How many keys there are, by their number of parts. */
  readonly counts: number[]
}

/** Hears of a key before its live entries change. */
export type TouchListener = (table: string, key: KeyText) => void

export class EntryIndex implements Registers {
  readonly #tables = new Map<string, TableIndex>()
  readonly #contested = new Set<LiveEntry[]>()
  readonly #onTouch: TouchListener

  constructor(onTouch: TouchListener) {
    this.#onTouch = onTouch
  }

  add(live: LiveEntry): void {
    const name = tableOf(live.element)
    const key = keyTextOf(live.element)
    this.#onTouch(name, key)
    const table = this.#tableOf(name)
    const slot = table.slots.get(key)
    if (slot === undefined) {
      table.slots.set(key, live)
      table.order?.set(key, undefined)
      count(table, live.element, 1)
    } else if (Array.isArray(slot)) {
      slot.splice(placeIn(slot, live), 0, live)
    } else {
      const both = [slot]
      both.splice(placeIn(both, live), 0, live)
      table.slots.set(key, both)
      this.#contested.add(both)
    }
  }

  remove(element: Element, id: ItemId): void {
    const name = tableOf(element)
    const key = keyTextOf(element)
    const table = this.#tableOf(name)
    const slot = table.slots.get(key)
    assert(slot !== undefined, 'what is deleted was live')
    this.#onTouch(name, key)
    if (!Array.isArray(slot)) {
      table.slots.delete(key)
      table.order?.delete(key)
      count(table, element, -1)
      return
    }
    const at = slot.findIndex((live) => live.client === id.client && live.clock === id.clock)
    assert(at >= 0, 'what is deleted was live')
    slot.splice(at, 1)
    const [only] = slot
    if (slot.length === 1 && only !== undefined) {
      table.slots.set(key, only)
      this.#contested.delete(slot)
    }
  }

  live(table: string, key: KeyText): readonly LiveEntry[] {
    const slot = this.#tables.get(table)?.slots.get(key)
    if (slot === undefined) return []
    return Array.isArray(slot) ? slot : [slot]
  }

  register(table: string, key: KeyText): Register {
    return registerOf(this.#tables.get(table)?.slots.get(key))
  }

  read(table: string, key: KeyParts): Register {
    return this.register(table, keyText(key))
  }

  /** May be interleaved with writes: a key that comes after the last one yielded is seen if it is there by then. */
  *scan(tableName: string, prefix: KeyParts): Iterable<Register> {
    const table = this.#tables.get(tableName)
    if (table === undefined) return
    const start = prefixText(prefix)
    const order = (table.order ??= new BTree(
      [...table.slots.keys()].sort().map((key) => [key, undefined]),
      compareTexts,
    ))
    let after: KeyText | null = null
    for (;;) {
      const keys = keysFrom(order, start, after)
      for (const key of keys) {
        const register = registerOf(table.slots.get(key))
        if (register.length > 0) yield register
      }
      if (keys.length < SCAN_KEYS) return
      after = keys.at(-1) ?? null
    }
  }

  count(table: string, parts: number): number {
    return this.#tables.get(table)?.counts[parts] ?? 0
  }

  *contested(): Iterable<Register> {
    for (const slot of this.#contested) yield registerOf(slot)
  }

  *tableNames(): Iterable<string> {
    for (const [name, table] of this.#tables) if (table.slots.size > 0) yield name
  }

  #tableOf(name: string): TableIndex {
    let table = this.#tables.get(name)
    if (table === undefined) this.#tables.set(name, (table = { slots: new Map(), order: null, counts: [] }))
    return table
  }
}

function count(table: TableIndex, element: Element, change: 1 | -1): void {
  const parts = keyLengthOf(element)
  table.counts[parts] = (table.counts[parts] ?? 0) + change
}

function registerOf(slot: Slot | undefined): Register {
  if (slot === undefined) return []
  return Array.isArray(slot) ? slot.map((live) => entryOf(live.element)) : [entryOf(slot.element)]
}

/** The next keys that start with `start`, after the key `after`. */
function keysFrom(order: KeyOrder, start: string, after: KeyText | null): readonly KeyText[] {
  const keys: KeyText[] = []
  for (const key of order.keys(after ?? start)) {
    if (!key.startsWith(start) || keys.length === SCAN_KEYS) break
    if (key !== after) keys.push(key)
  }
  return keys
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Where `live` belongs in a slot that is newest first: by halves, since a stranger may write one key very often. */
function placeIn(slot: readonly LiveEntry[], live: LiveEntry): number {
  const entry = entryOf(live.element)
  let from = 0
  let to = slot.length
  while (from < to) {
    const middle = (from + to) >> 1
    const other = slot[middle]
    assert(other !== undefined, 'the middle lies within')
    if (compareEntries(entryOf(other.element), entry) <= 0) from = middle + 1
    else to = middle
  }
  return from
}
