/**
 * A value that an app selects from the tables by a function. It notes what each run reads, down to registers and prefixes,
 * the rows above included, since those decide what is visible; so it need not run again before one of these changes.
 */
import {
  readTables,
  SyncError,
  type AnyDomain,
  type KeyParts,
  type Registers,
  type TablesReads,
} from '@rejoin/core'
import { prefixInterest, registerInterest, type Interest } from './interests.ts'

export class SelectedValue<V> {
  readonly #tables: TablesReads<AnyDomain['tables']>
  readonly #select: (tables: TablesReads<AnyDomain['tables']>) => V
  #reads = new Set<Interest>()

  constructor(
    domain: AnyDomain,
    registers: Registers,
    select: (tables: TablesReads<AnyDomain['tables']>) => V,
  ) {
    this.#tables = readTables(
      domain,
      tracked(registers, (interest) => this.#reads.add(interest)),
    )
    this.#select = select
  }

  /** What the last run read, also one that threw: whatever made it throw is among it. */
  get reads(): ReadonlySet<Interest> {
    return this.#reads
  }

  /** @throws what the app's function throws; SyncError INPUT_INVALID where it returns an iterator. */
  run(): V {
    this.#reads = new Set()
    const value = this.#select(this.#tables)
    // It would read only after the run, unseen, and be empty the second time.
    if (typeof value === 'object' && value !== null && 'next' in value && Symbol.iterator in value) {
      throw new SyncError('INPUT_INVALID', 'a selector returned an iterator: return [...rows], not rows')
    }
    return value
  }
}

/**
 * Whether two selected values are the same for an app: deeply, whatever the order of an object's fields, and with a field
 * that is undefined as good as absent. Anything but JSON, such as a `Map`, is the same only as itself.
 */
export function isSameSelected(a: unknown, b: unknown): boolean {
  if (a === b || Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false
    return a.every((item, i) => isSameSelected(item, b[i]))
  }
  if (!isPlain(a) || !isPlain(b)) return false
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  for (const name of names) if (!isSameSelected(Reflect.get(a, name), Reflect.get(b, name))) return false
  return true
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function tracked(registers: Registers, note: (interest: Interest) => void): Registers {
  return {
    read: (table: string, key: KeyParts) => {
      note(registerInterest(table, key))
      return registers.read(table, key)
    },
    count: (table: string, parts: number) => {
      note(prefixInterest(table, []))
      return registers.count?.(table, parts)
    },
    scan: (table: string, prefix: KeyParts) => {
      note(prefixInterest(table, prefix))
      return registers.scan(table, prefix)
    },
    contested: () => registers.contested(),
    tableNames: () => registers.tableNames(),
  }
}
