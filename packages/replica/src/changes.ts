/**
 * Change events: what an app can see that it could not before, typed by table and once per transaction. A row that comes
 * or goes takes the rows under it along, also where their own registers did not change.
 */
import {
  entryLine,
  findPlace,
  isParentVisible,
  isRowVisible,
  keyText,
  readRegister,
  rowKey,
  rowParts,
  sameValue,
  type AnyDomain,
  type ChangeOrigin,
  type FieldsOf,
  type KeyOf,
  type KeyParts,
  type MapTable,
  type RecordsTable,
  type Register,
  type RegisterChange,
  type Registers,
  type SingletonTable,
  type TableLayout,
  type Value,
  type ValueOf,
} from '@rejoin/core'

/** A visible value before and after; undefined where there is none. */
export type Change<D extends AnyDomain> = {
  [Name in keyof D['tables'] & string]: TableChange<Name, D['tables'][Name]>
}[keyof D['tables'] & string]

type TableChange<Name, T> = T extends MapTable
  ? Changed<Name, KeyOf<T>, null, ValueOf<T>>
  : T extends RecordsTable
    ?
        | /** The row itself came or went. */ Changed<Name, KeyOf<T>, null, true>
        | FieldChange<Name, KeyOf<T>, FieldsOf<T>>
    : T extends SingletonTable
      ? FieldChange<Name, null, FieldsOf<T>>
      : never

type FieldChange<Name, K, F> = {
  [Field in keyof F & string]-?: Changed<Name, K, Field, NonNullable<F[Field]>>
}[keyof F & string]

interface Changed<Name, K, Field, V> {
  readonly table: Name
  /** The row's key as the table's reads take it; null for a singleton. */
  readonly key: K
  readonly field: Field
  readonly before: V | undefined
  readonly after: V | undefined
  readonly origin: ChangeOrigin
}

/** A change whose domain is not known to the compiler here. */
export interface AnyChange {
  readonly table: string
  readonly key: unknown
  readonly field: string | null
  readonly before: Value | undefined
  readonly after: Value | undefined
  readonly origin: ChangeOrigin
}

/** What a transaction changed for readers; `after` is the document as it is now. */
export function visibleChanges(
  domain: AnyDomain,
  changed: readonly RegisterChange[],
  after: Registers,
  origin: ChangeOrigin,
): readonly AnyChange[] {
  const before = registersBefore(changed, after)
  const seen = new Set<string>()
  const found: AnyChange[] = []
  const compare = (layout: TableLayout, key: KeyParts): void => {
    const name = registerName(layout.name, key)
    if (seen.has(name)) return
    seen.add(name)
    const change = compareRegister(layout, key, before, after, origin)
    if (change !== null) found.push(change)
  }
  for (const { table, key } of changed) {
    const layout = domain.layouts.get(table)
    if (layout !== undefined) compare(layout, key)
  }
  for (const { table, key, before: was, after: is } of changed) {
    const layout = domain.layouts.get(table)
    if (layout === undefined || key.length !== layout.keyLength || was.length > 0 === is.length > 0) continue
    for (const dependent of dependents(layout, key, after)) compare(dependent.layout, dependent.key)
  }
  return found
}

/** The net difference of two documents in the domain's tables, register by register. */
export function registerDifference(
  domain: AnyDomain,
  before: Registers,
  after: Registers,
): readonly RegisterChange[] {
  const found: RegisterChange[] = []
  for (const table of domain.layouts.keys()) {
    const gone = new Map<string, Register>()
    for (const register of before.scan(table, [])) gone.set(keyText(register[0]?.key ?? []), register)
    for (const register of after.scan(table, [])) {
      const key = register[0]?.key ?? []
      const was = gone.get(keyText(key)) ?? []
      gone.delete(keyText(key))
      if (!isSameRegister(was, register)) found.push({ table, key, before: was, after: register })
    }
    for (const was of gone.values()) found.push({ table, key: was[0]?.key ?? [], before: was, after: [] })
  }
  return found
}

/** The key's parts of the register that a change is of. */
export function changedRegister({ key, field }: AnyChange): KeyParts {
  const row = key === null ? [] : rowParts(key)
  return field === null ? row : [...row, field]
}

export function registerName(table: string, key: KeyParts): string {
  return `${table}\u0001${keyText(key)}`
}

/** Visibility is decided by reads of single keys. */
type KeyReads = Pick<Registers, 'read'>

function registersBefore(changed: readonly RegisterChange[], after: KeyReads): KeyReads {
  const registers = new Map<string, Register>()
  for (const { table, key, before } of changed) registers.set(registerName(table, key), before)
  return { read: (table, key) => registers.get(registerName(table, key)) ?? after.read(table, key) }
}

function compareRegister(
  layout: TableLayout,
  key: KeyParts,
  before: KeyReads,
  after: KeyReads,
  origin: ChangeOrigin,
): AnyChange | null {
  const place = findPlace(layout, key)
  if (place === null) return null
  const was = visibleValue(layout, place.field, place.row, key, before)
  const is = visibleValue(layout, place.field, place.row, key, after)
  if (was === is || (was !== undefined && is !== undefined && sameValue(was, is))) return null
  return {
    table: layout.name,
    key: rowKey(layout.table, place.row) ?? null,
    field: place.field,
    before: was,
    after: is,
    origin,
  }
}

function visibleValue(
  layout: TableLayout,
  field: string | null,
  row: KeyParts,
  key: KeyParts,
  registers: KeyReads,
): Value | undefined {
  const register = registers.read(layout.name, key)
  if (register.length === 0) return undefined
  const visible =
    field === null ? isParentVisible(registers, layout, row) : isRowVisible(registers, layout, row)
  return visible ? readRegister(layout, field, register) : undefined
}

/** The registers whose visibility hangs on a row: its own fields, and every row under it with theirs. */
function* dependents(
  layout: TableLayout,
  row: KeyParts,
  registers: Registers,
): Iterable<{ layout: TableLayout; key: KeyParts }> {
  if (layout.table.kind === 'records') yield* under(layout, row, registers)
  for (const descendant of descendants(layout)) {
    yield { layout: descendant, key: row }
    // Keys of every table below start with the same row.
    yield* under(descendant, row, registers)
  }
}

function* descendants(layout: TableLayout): Iterable<TableLayout> {
  for (const child of layout.children) {
    yield child
    yield* descendants(child)
  }
}

function* under(
  layout: TableLayout,
  row: KeyParts,
  registers: Registers,
): Iterable<{ layout: TableLayout; key: KeyParts }> {
  for (const register of registers.scan(layout.name, row)) {
    const key = register[0]?.key
    if (key !== undefined) yield { layout, key }
  }
}

function isSameRegister(a: Register, b: Register): boolean {
  return a.length === b.length && a.every((entry, i) => entryLine(entry) === entryLine(b[i] ?? entry))
}
