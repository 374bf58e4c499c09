/** Digests of readable content: equal on everyone who holds the same live entries, whatever their history. */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { allEntries, entryLine, type Entry, type Registers } from '@rejoin/core'

/** Hexadecimal SHA-256 of all live entries of a document. */
export function digestOf(registers: Registers): string {
  return digestEntries(allEntries(registers))
}

export function digestEntries(entries: Iterable<Entry>): string {
  return digestOfLines(sortedEntries(entries))
}

export function digestOfLines(sorted: readonly { line: string }[]): string {
  const hash = sha256.create()
  for (const { line } of sorted) hash.update(utf8ToBytes(`${line}\n`))
  return bytesToHex(hash.digest())
}

/** Entries with their lines, in the order of digests and canonical forms. */
export function sortedEntries(entries: Iterable<Entry>): readonly { entry: Entry; line: string }[] {
  return Array.from(entries, (entry) => ({ entry, line: entryLine(entry) })).sort((a, b) =>
    a.line < b.line ? -1 : a.line > b.line ? 1 : 0,
  )
}
