/** What a declared domain is: its tables with what follows from their places, and its ops. */
import type { OpDeclarations, OpOfDeclarations, Upcasters } from './op.ts'
import type { Merge, Table, Tables } from './table.ts'

/** A table with what follows from its place in the domain. */
export interface TableLayout {
  readonly name: string
  readonly table: Table
  /** How many parts a row's key has; 0 for a singleton. */
  readonly keyLength: number
  readonly parent: TableLayout | null
  readonly children: readonly TableLayout[]
}

export interface Domain<T extends Tables = Tables, O extends OpDeclarations = OpDeclarations> {
  readonly name: string
  readonly version: number
  readonly tables: T
  readonly ops: O
  readonly upcast: Upcasters
  readonly layouts: ReadonlyMap<string, TableLayout>
  /**
   * Tables that this version does not use any more. What is in them is kept, commits of older versions may still write to
   * them, and nothing of it is read.
   */
  readonly retired: ReadonlyMap<string, TableLayout>
}

/** A domain whose tables and ops are not known to the compiler here. */
export type AnyDomain = Domain<Tables, OpDeclarations>

/** Every op of a domain: `OpOf<typeof todo>`. */
export type OpOf<D extends AnyDomain> = OpOfDeclarations<D['ops']>

/** How concurrent values of a register merge, or null where the latest is read. `field` is null outside of records. */
export function mergeOf(table: Table, field: string | null): Merge | null {
  if (table.kind === 'map') return table.merge
  if (field === null || !Object.hasOwn(table.merge, field)) return null
  return table.merge[field] ?? null
}
