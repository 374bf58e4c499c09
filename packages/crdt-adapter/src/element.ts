/**
 * The form of an entry inside the document: one flat array `[table, ...key parts, value, hlc]`. It costs no field names,
 * and the array that Yjs holds anyway is what the index points to.
 */
import * as Y from 'yjs'
import { isHlc, keyText, SyncError, type Entry, type Hlc, type KeyText, type Value } from '@rejoin/core'
import { EntryContent } from './entry-content.ts'

/** Name of the one root array. */
export const ROOT = 'entries'

declare const elementBrand: unique symbol
/** An array of the form above. */
export type Element = readonly unknown[] & { readonly [elementBrand]: true }

/** A table, a key of one part, a value and a stamp. */
const LENGTH_MIN = 4
const TABLE_CHARS_MAX = 64

export function elementOf(entry: Entry): Element {
  // The brand is earned here: the parts are typed and stand in their order.
  return [entry.table, ...entry.key, entry.value, entry.hlc] as readonly unknown[] as Element
}

/** Whether something found in an array is an entry; what is not is never read (invariant 12). */
export function isElement(content: unknown): content is Element {
  if (!Array.isArray(content)) return false
  const items: readonly unknown[] = content
  if (items.length < LENGTH_MIN || !isHlc(items.at(-1))) return false
  for (let i = 0; i < items.length - 2; i++) if (typeof items[i] !== 'string') return false
  return true
}

export function tableOf(element: Element): string {
  return element[0] as string
}

export function keyTextOf(element: Element): KeyText {
  if (element.length === LENGTH_MIN) return element[1] as string
  return keyText(element.slice(1, -2) as string[])
}

/** Number of the key's parts. */
export function keyLengthOf(element: Element): number {
  return element.length - LENGTH_MIN + 1
}

export function hlcOf(element: Element): Hlc {
  return element[element.length - 1] as Hlc
}

export function entryOf(element: Element): Entry {
  return {
    table: tableOf(element),
    key: element.slice(1, -2) as string[],
    value: element[element.length - 2] as Value,
    hlc: hlcOf(element),
  }
}

/** Readers are given the very value that the document holds: whoever changed it would change the document's bytes. */
export function freezeValue(element: Element): void {
  freeze(element[element.length - 2])
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  for (const part of Object.values(value)) freeze(part)
  Object.freeze(value)
}

/** @throws SyncError KEY_INVALID */
export function checkTable(table: string): string {
  if (table !== '' && table.length <= TABLE_CHARS_MAX) return table
  const why = `an entry starts with a table's name of 1 to ${TABLE_CHARS_MAX} characters`
  throw new SyncError('KEY_INVALID', why)
}

/** @throws SyncError VALUE_INVALID */
export function checkStamp(hlc: string): Hlc {
  if (isHlc(hlc)) return hlc
  throw new SyncError('VALUE_INVALID', 'an entry ends with an HLC stamp of 14 characters')
}

/** The elements of an item of the array `root`, or none for deleted and foreign items. */
export function elementsOf(struct: Y.AbstractStruct, root: Y.Array<unknown>): readonly unknown[] {
  if (!(struct instanceof Y.Item) || struct.parent !== root) return []
  const { content } = struct
  return content instanceof EntryContent || content instanceof Y.ContentAny ? content.getContent() : []
}

/** Gives a live item of the array a content that is cheap to cut and join; its bytes stay the same. */
export function holdInPieces(struct: Y.AbstractStruct, root: Y.Array<unknown>): void {
  if (!(struct instanceof Y.Item) || struct.parent !== root || struct.deleted) return
  if (struct.content instanceof Y.ContentAny) {
    struct.content = EntryContent.of(struct.content.arr)
  }
}
