/**
 * The form of an entry inside the document: one flat array `[table, ...key parts, value, hlc]`. It costs no field names,
 * and the array that Yjs holds anyway is what the index points to.
 */
import * as Y from 'yjs'
import {
  checkKey,
  isHlc,
  keyText,
  SyncError,
  type Entry,
  type Hlc,
  type KeyText,
  type Value,
} from '@rejoin/core'

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

/**
 * An entry of parts that were read from bytes.
 * @throws SyncError KEY_INVALID or VALUE_INVALID; sizes of values are the domain's check.
 */
export function checkEntry(table: unknown, key: readonly unknown[], value: Value, hlc: unknown): Entry {
  if (typeof table !== 'string' || table === '' || table.length > TABLE_CHARS_MAX) {
    throw new SyncError(
      'KEY_INVALID',
      `an entry starts with a table's name of 1 to ${TABLE_CHARS_MAX} characters`,
    )
  }
  if (!key.every((part) => typeof part === 'string')) {
    throw new SyncError('KEY_INVALID', 'the key of an entry has a part that is no string')
  }
  if (!isHlc(hlc)) throw new SyncError('VALUE_INVALID', 'an entry ends with an HLC stamp of 14 characters')
  return { table, key: checkKey(key), value, hlc }
}

/** The elements of an item of the array `root`, or none for deleted and foreign items. */
export function elementsOf(struct: Y.AbstractStruct, root: Y.Array<unknown>): readonly unknown[] {
  if (!(struct instanceof Y.Item) || struct.parent !== root) return []
  return struct.content instanceof Y.ContentAny ? struct.content.arr : []
}
