/**
 * What a version of the domain knows of a document that a newer one writes to. Entries that it does not know (another
 * table, another field, a value that its schema forbids) stay in the document and are left out here, so that nothing can
 * be read that the app was not written for (invariant 12).
 */
import type { AnyDomain } from '../domain/domain.ts'
import { checkRegister } from '../domain/register-schema.ts'
import type { Entry, Register } from '../entry.ts'
import { SyncError } from '../errors.ts'
import type { RegisterChange } from '../ports/crdt.ts'
import type { Registers } from './registers.ts'

/** `isNewer`: whether the document holds commits of a newer version by now. While it does not, reads cost what they cost. */
export function knownRegisters(domain: AnyDomain, registers: Registers, isNewer: () => boolean): Registers {
  return {
    read: (table, key) => {
      const register = registers.read(table, key)
      return isNewer() ? knownOf(domain, register) : register
    },
    scan: (table, prefix) => {
      const scanned = registers.scan(table, prefix)
      return isNewer() ? eachKnown(domain, scanned, 1) : scanned
    },
    count: (table, parts) => (isNewer() ? undefined : registers.count?.(table, parts)),
    contested: () => {
      const contested = registers.contested()
      return isNewer() ? eachKnown(domain, contested, 2) : contested
    },
    tableNames: () => registers.tableNames(),
  }
}

/** The same of what a transaction changed. */
export function knownChanges(
  domain: AnyDomain,
  changes: readonly RegisterChange[],
): readonly RegisterChange[] {
  return changes.map((change) => ({
    ...change,
    before: knownOf(domain, change.before),
    after: knownOf(domain, change.after),
  }))
}

function* eachKnown(
  domain: AnyDomain,
  registers: Iterable<Register>,
  entriesMin: number,
): Iterable<Register> {
  for (const register of registers) {
    const known = knownOf(domain, register)
    if (known.length >= entriesMin) yield known
  }
}

function knownOf(domain: AnyDomain, register: Register): Register {
  return register.every((entry) => isKnown(domain, entry))
    ? register
    : register.filter((entry) => isKnown(domain, entry))
}

function isKnown(domain: AnyDomain, { table, key, value }: Entry): boolean {
  try {
    checkRegister(domain, table, key, value)
    return true
  } catch (error) {
    if (error instanceof SyncError) return false
    throw error
  }
}
