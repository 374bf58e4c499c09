/** What an op's writer gets: the tables' reads, and writes that go into a draft after their key and value were checked. */
import { SyncError } from '../errors.ts'
import { checkKey, type KeyParts } from '../key.ts'
import {
  readsOf,
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
  let tables = classes.get(domain)
  if (tables === undefined) classes.set(domain, (tables = tablesOf(domain)))
  return new tables(draft) as TableWriters<D['tables']>
}

type TablesClass = new (draft: Draft) => object

/** One a domain: its writers are made for every commit that a hub checks, and each of them only when it is used. */
const classes = new WeakMap<AnyDomain, TablesClass>()

function tablesOf(domain: AnyDomain): TablesClass {
  class DraftTables {
    readonly #draft: Draft
    readonly #writers: (object | undefined)[] = []

    constructor(draft: Draft) {
      this.#draft = draft
    }

    static writer(tables: DraftTables, place: number, layout: TableLayout): object {
      return (tables.#writers[place] ??= writerOf(layout, tables.#draft))
    }
  }
  for (const [place, layout] of [...domain.layouts.values()].entries()) {
    Object.defineProperty(DraftTables.prototype, layout.name, {
      enumerable: true,
      get(this: DraftTables) {
        return DraftTables.writer(this, place, layout)
      },
    })
  }
  return DraftTables
}

function writerOf(layout: TableLayout, draft: Draft): object {
  switch (layout.table.kind) {
    case 'map':
      return new MapDraft(layout, draft)
    case 'records':
      return new RecordsDraft(layout, draft)
    case 'singleton':
      return new SingletonDraft(layout, draft)
  }
}

/** What the writers of all kinds of tables do; which of it is seen, the table's type says. */
class TableDraft {
  protected readonly layout: TableLayout
  protected readonly draft: Draft
  #reads: (RecordsReads<never> & SingletonReads<never>) | null = null

  constructor(layout: TableLayout, draft: Draft) {
    this.layout = layout
    this.draft = draft
  }

  /** Every view has a part of these; which, its table's kind says. */
  protected get reads(): RecordsReads<never> & SingletonReads<never> {
    return (this.#reads ??= readsOf(this.layout, this.draft) as RecordsReads<never> & SingletonReads<never>)
  }

  protected setFields(row: KeyParts, fields: object): void {
    checkFields(this.layout, fields)
    for (const [field, value] of Object.entries(fields)) {
      if (value === undefined) continue
      const place = placeOf(this.layout, [...row, field])
      this.draft.set(place, checkValue(place, value))
    }
  }

  protected clearFields(row: KeyParts, fields: readonly string[]): void {
    const { layout, draft } = this
    for (const field of fields) draft.remove(layout.name, [...placeOf(layout, [...row, field]).row, field])
  }
}

class RowsDraft extends TableDraft {
  get size(): number {
    return this.reads.size
  }

  get(key: never): unknown {
    return this.reads.get(key)
  }

  has(key: never): boolean {
    return this.reads.has(key)
  }

  entries(prefix?: never): Iterable<unknown> {
    return this.reads.entries(prefix)
  }

  remove(key: unknown): void {
    this.draft.removeRow(this.layout, rowOf(this.layout, key))
  }
}

class MapDraft extends RowsDraft {
  set(key: unknown, value: unknown): void {
    const place = placeOf(this.layout, rowOf(this.layout, key))
    this.draft.set(place, checkValue(place, value))
  }
}

class RecordsDraft extends RowsDraft {
  add(key: unknown, fields: object = {}): void {
    const row = rowOf(this.layout, key)
    this.draft.set(placeOf(this.layout, row), EXISTS)
    this.setFields(row, fields)
  }

  set(key: unknown, fields: object): void {
    this.setFields(rowOf(this.layout, key), fields)
  }

  clear(key: unknown, ...fields: string[]): void {
    this.clearFields(rowOf(this.layout, key), fields)
  }
}

class SingletonDraft extends TableDraft {
  get(): unknown {
    return this.reads.get()
  }

  set(fields: object): void {
    this.setFields([], fields)
  }

  clear(...fields: string[]): void {
    this.clearFields([], fields)
  }
}

/** Writers are also called from JavaScript. @throws SyncError VALUE_INVALID */
function checkFields({ name }: TableLayout, fields: unknown): asserts fields is object {
  if (typeof fields === 'object' && fields !== null && !Array.isArray(fields)) return
  throw new SyncError(
    'VALUE_INVALID',
    `\`set\` and \`add\` of table ${name} take an object of fields, such as { field: value }, got ${shown(fields)}`,
    { path: name },
  )
}

function shown(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : `a ${typeof value}`
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
