/**
 * The reading half of a document: live entries by key. Everything typed (tables, conflicts, digests) is decided on top of
 * this, so a document implementation knows nothing of domains.
 */
import type { Entry, Register } from '../entry.ts'
import type { KeyParts } from '../key.ts'

export interface Registers {
  /** The live entries of one key, newest first (`compareEntries`); empty where there are none. */
  read(table: string, key: KeyParts): Register
  /** The registers of every key that starts with the parts of `prefix`, in key order. Costs what it yields. */
  scan(table: string, prefix: KeyParts): Iterable<Register>
  /**
   * How many keys of so many parts have live entries, where that is known without a walk; undefined, or no such method:
   * scan.
   */
  count?(table: string, parts: number): number | undefined
  /** Registers with more than one live entry, in no particular order. */
  contested(): Iterable<Register>
  /** The names of tables that have live entries, in no particular order; may name tables the domain does not know. */
  tableNames(): Iterable<string>
}

/** A document without entries: what a hub runs an op's writer against to learn what the op may set. */
export const noRegisters: Registers = {
  read: () => [],
  scan: () => [],
  contested: () => [],
  tableNames: () => [],
}

/** Every live entry, table by table in name order, keys in order, newest first. */
export function* allEntries(registers: Registers): Iterable<Entry> {
  for (const table of [...registers.tableNames()].sort()) {
    for (const register of registers.scan(table, [])) yield* register
  }
}
