/** Typed reads of a document's tables: `tables.items.get(['a', 'b'])`. */
import { SyncError } from '../errors.ts'
import type { AnyDomain, TableLayout } from '../domain/domain.ts'
import { isTuple } from '../domain/register-schema.ts'
import type {
  FieldsOf,
  KeyOf,
  MapTable,
  RecordsTable,
  SingletonTable,
  Table,
  Tables,
  ValueOf,
} from '../domain/table.ts'
import type { Register } from '../entry.ts'
import type { KeyParts } from '../key.ts'
import { isParentVisible, isRowVisible, readRegister } from './read.ts'
import type { Registers } from './registers.ts'

/** A key, or for tuple keys its first parts. */
export type PrefixOf<T> = KeyOf<T> extends readonly string[] ? readonly string[] : never

export interface MapReads<T> {
  get(key: KeyOf<T>): ValueOf<T> | undefined
  has(key: KeyOf<T>): boolean
  /** Visible rows in key order; with `prefix`, those whose key starts with its parts. */
  entries(prefix?: PrefixOf<T>): Iterable<[KeyOf<T>, ValueOf<T>]>
  /** Number of visible rows. */
  readonly size: number
}

export interface RecordsReads<T> {
  get(key: KeyOf<T>): FieldsOf<T> | undefined
  has(key: KeyOf<T>): boolean
  entries(prefix?: PrefixOf<T>): Iterable<[KeyOf<T>, FieldsOf<T>]>
  readonly size: number
}

export interface SingletonReads<T> {
  get(): FieldsOf<T>
}

export type TableReads<T> = T extends MapTable
  ? MapReads<T>
  : T extends RecordsTable
    ? RecordsReads<T>
    : T extends SingletonTable
      ? SingletonReads<T>
      : never

export type TablesReads<T extends Tables> = { readonly [Name in keyof T]: TableReads<T[Name]> }

/** Live views: they read `registers` at the time of each call. */
export function readTables<D extends AnyDomain>(domain: D, registers: Registers): TablesReads<D['tables']> {
  const views = new Map<string, unknown>()
  for (const layout of domain.layouts.values()) views.set(layout.name, readsOf(layout, registers))
  // Each view is built from the very table that its type is inferred from.
  return Object.fromEntries(views) as TablesReads<D['tables']>
}

/** The parts of a row's key. @throws SyncError KEY_INVALID for anything but a string or an array of strings. */
export function rowParts(key: unknown): KeyParts {
  if (typeof key === 'string') return [key]
  if (Array.isArray(key) && key.every((part) => typeof part === 'string')) return key
  const what = Array.isArray(key) ? 'an array of something else' : typeof key
  throw new SyncError('KEY_INVALID', `a key is a string or an array of strings, not ${what}`)
}

/** A row's key as an app writes it: a string, or for tuple keys an array. */
export function rowKey(table: Table, row: KeyParts): unknown {
  return table.kind !== 'singleton' && isTuple(table.key) ? [...row] : row[0]
}

/** One of them. */
export function readsOf(layout: TableLayout, registers: Registers): unknown {
  switch (layout.table.kind) {
    case 'map':
      return new RowsView(layout, registers, (_, register) => readRegister(layout, null, register))
    case 'records':
      return new RowsView(layout, registers, (row) => fieldsOf(layout, registers, row))
    case 'singleton':
      return { get: () => fieldsOf(layout, registers, []) }
  }
}

/** The rows of a map or of records: both have one register that says that a row is there. */
class RowsView implements MapReads<unknown>, RecordsReads<unknown> {
  readonly #layout: TableLayout
  readonly #registers: Registers
  readonly #valueOf: (row: KeyParts, register: Register) => unknown

  constructor(
    layout: TableLayout,
    registers: Registers,
    valueOf: (row: KeyParts, register: Register) => unknown,
  ) {
    this.#layout = layout
    this.#registers = registers
    this.#valueOf = valueOf
  }

  get(key: unknown): never | undefined {
    const row = rowParts(key)
    const register = this.#registers.read(this.#layout.name, row)
    if (register.length === 0 || !isParentVisible(this.#registers, this.#layout, row)) return undefined
    return this.#valueOf(row, register) as never
  }

  has(key: unknown): boolean {
    return isRowVisible(this.#registers, this.#layout, rowParts(key))
  }

  *entries(prefix?: unknown): Iterable<[never, never]> {
    const { name, keyLength, table } = this.#layout
    const visible = parentVisibility(this.#registers, this.#layout)
    for (const register of this.#registers.scan(name, prefix === undefined ? [] : rowParts(prefix))) {
      const row = register[0]?.key ?? []
      // Between the rows of records stand their fields.
      if (row.length !== keyLength || !visible(row)) continue
      yield [rowKey(table, row), this.#valueOf(row, register)] as [never, never]
    }
  }

  get size(): number {
    const { name, keyLength, parent } = this.#layout
    const known = parent === null ? this.#registers.count?.(name, keyLength) : undefined
    return known ?? count(this.entries())
  }
}

function fieldsOf(layout: TableLayout, registers: Registers, row: KeyParts): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  if (layout.table.kind === 'map') return fields
  for (const field of Object.keys(layout.table.fields)) {
    const value = readRegister(layout, field, registers.read(layout.name, [...row, field]))
    if (value !== undefined) fields[field] = value
  }
  return fields
}

/** Rows come in key order, so those of one parent follow each other: its visibility is decided once. */
function parentVisibility(registers: Registers, layout: TableLayout): (row: KeyParts) => boolean {
  const { parent } = layout
  if (parent === null) return () => true
  let known: { row: KeyParts; visible: boolean } | null = null
  return (row) => {
    const parentRow = row.slice(0, parent.keyLength)
    if (known === null || !known.row.every((part, i) => part === parentRow[i])) {
      known = { row: parentRow, visible: isRowVisible(registers, parent, parentRow) }
    }
    return known.visible
  }
}

function count(rows: Iterable<unknown>): number {
  let number = 0
  for (const _ of rows) number++
  return number
}
