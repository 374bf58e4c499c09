/** What an op's writer gets: the tables' reads, and writes that go into a draft after their key and value were checked. */
import { SyncError } from '../errors.ts'
import { checkKey, type KeyParts } from '../key.ts'
import {
  readTables,
  rowParts,
  type MapReads,
  type RecordsReads,
  type SingletonReads,
} from '../reading/tables.ts'
import type { AnyDomain, TableLayout } from './domain.ts'
import type { Draft } from './draft.ts'
import { checkRowKey, checkValue, EXISTS, placeOf } from './register-schema.ts'
import type { FieldsOf, KeyOf, MapTable, RecordsTable, SingletonTable, Tables, ValueOf } from './table.ts'

export interface MapWriter<T> extends MapReads<T> {
  set(key: KeyOf<T>, value: ValueOf<T>): void
  /** Removes the row, and rows of other tables under it. */
  remove(key: KeyOf<T>): void
}

export interface RecordsWriter<T> extends RecordsReads<T> {
  /** Makes the row be there, with these fields; fields that are absent stay as they are. */
  add(key: KeyOf<T>, fields?: FieldsOf<T>): void
  /** Sets fields of a row; a field that is absent stays as it is. */
  set(key: KeyOf<T>, fields: FieldsOf<T>): void
  /** Removes single fields of a row. */
  clear(key: KeyOf<T>, ...fields: (keyof FieldsOf<T> & string)[]): void
  /** Removes the row with its fields, and rows of other tables under it. */
  remove(key: KeyOf<T>): void
}

export interface SingletonWriter<T> extends SingletonReads<T> {
  set(fields: FieldsOf<T>): void
  clear(...fields: (keyof FieldsOf<T> & string)[]): void
}

export type TableWriter<T> = T extends MapTable
  ? MapWriter<T>
  : T extends RecordsTable
    ? RecordsWriter<T>
    : T extends SingletonTable
      ? SingletonWriter<T>
      : never

export type TableWriters<T extends Tables> = { readonly [Name in keyof T]: TableWriter<T[Name]> }

/** Writers of every table over one draft. Each throws KEY_INVALID or VALUE_INVALID and then has written nothing. */
export function writeTables<D extends AnyDomain>(domain: D, draft: Draft): TableWriters<D['tables']> {
  const reads = new Map<string, unknown>(Object.entries(readTables(domain, draft)))
  const writers = new Map<string, unknown>()
  for (const layout of domain.layouts.values()) {
    writers.set(layout.name, Object.assign(readsOf(reads.get(layout.name)), writesOf(layout, draft)))
  }
  return Object.fromEntries(writers) as TableWriters<D['tables']>
}

function writesOf(layout: TableLayout, draft: Draft): object {
  const setFields = (row: KeyParts, fields: object): void => {
    for (const [field, value] of Object.entries(fields)) {
      if (value === undefined) continue
      const place = placeOf(layout, [...row, field])
      draft.set(place, checkValue(place, value))
    }
  }
  const clearFields = (row: KeyParts, fields: readonly string[]): void => {
    for (const field of fields) draft.remove(layout.name, [...placeOf(layout, [...row, field]).row, field])
  }
  switch (layout.table.kind) {
    case 'map':
      return {
        set: (key: unknown, value: unknown) => {
          const place = placeOf(layout, rowOf(layout, key))
          draft.set(place, checkValue(place, value))
        },
        remove: (key: unknown) => draft.removeRow(layout, rowOf(layout, key)),
      }
    case 'records':
      return {
        add: (key: unknown, fields: object = {}) => {
          const row = rowOf(layout, key)
          draft.set(placeOf(layout, row), EXISTS)
          setFields(row, fields)
        },
        set: (key: unknown, fields: object) => setFields(rowOf(layout, key), fields),
        clear: (key: unknown, ...fields: string[]) => clearFields(rowOf(layout, key), fields),
        remove: (key: unknown) => draft.removeRow(layout, rowOf(layout, key)),
      }
    case 'singleton':
      return {
        set: (fields: object) => setFields([], fields),
        clear: (...fields: string[]) => clearFields([], fields),
      }
  }
}

function rowOf(layout: TableLayout, key: unknown): KeyParts {
  const row = checkKey(rowParts(key), `key of ${layout.name}`)
  if (row.length !== layout.keyLength) {
    throw new SyncError(
      'KEY_INVALID',
      `a key of ${layout.name} has ${layout.keyLength} parts, got ${JSON.stringify(key)}`,
    )
  }
  checkRowKey(layout, row)
  return row
}

/** The reads of a view as own properties: its own live on its class and use private fields. */
function readsOf(view: unknown): object {
  // Every view has a part of these; which, its table's kind says.
  const reads = view as RecordsReads<never> & SingletonReads<never>
  return {
    get: (key: never) => reads.get(key),
    has: (key: never) => reads.has(key),
    entries: (prefix?: never) => reads.entries(prefix),
    get size() {
      return reads.size
    },
  }
}
