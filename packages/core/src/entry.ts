/** Entries: the written values of a document, and the register that the live entries of one key make. */
import type { Hlc } from './hlc.ts'
import type { KeyParts } from './key.ts'
import { canonicalJson, type Value } from './value.ts'

/** One written value. Its place in the document means nothing. */
export interface Entry {
  readonly table: string
  readonly key: KeyParts
  readonly value: Value
  readonly hlc: Hlc
}

/** The live entries of one key, newest first; more than one means that they were written concurrently. */
export type Register = readonly Entry[]

/** Newest first: by HLC, and among equal stamps by value, so that every replica orders alike. */
export function compareEntries(a: Entry, b: Entry): number {
  if (a.hlc !== b.hlc) return a.hlc > b.hlc ? -1 : 1
  const valueA = canonicalJson(a.value)
  const valueB = canonicalJson(b.value)
  return valueA === valueB ? 0 : valueA > valueB ? -1 : 1
}

/** One line of text per entry: what digests hash and canonical forms sort by. */
export function entryLine(entry: Entry): string {
  return JSON.stringify([entry.table, entry.key, entry.value, entry.hlc])
}
