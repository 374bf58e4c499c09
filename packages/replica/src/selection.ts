/** Parts of the tables that a subscriber may pick, typed by the domain, and the changes that are then told. */
import {
  checkKey,
  layoutOf,
  placeOf,
  rowParts,
  SyncError,
  type AnyDomain,
  type FieldsOf,
  type KeyOf,
  type KeyParts,
  type PrefixOf,
  type TableLayout,
} from '@rejoin/core'
import type { Change } from './changes.ts'
import { plainFields } from './input.ts'
import { prefixInterest, registerInterest, type Interest } from './interests.ts'

/**
 * A table: `{ table: 'items' }`; one row with its fields: `{ table: 'items', key: ['groceries', 'milk'] }`; the rows whose
 * keys start so: `{ table: 'items', prefix: ['groceries'] }`; or one field: `{ table: 'lists', key: 'groceries', field:
 * 'title' }`, of a singleton without a key.
 */
export type Part<D extends AnyDomain> = {
  [Name in keyof D['tables'] & string]: PartOfTable<Name, D['tables'][Name]>
}[keyof D['tables'] & string]

type PartOfTable<Name, T> =
  | { readonly table: Name; readonly key?: never; readonly prefix?: never; readonly field?: never }
  | (T extends { key: unknown } ? PartOfRows<Name, T> : never)
  | (T extends { kind: 'singleton' }
      ? {
          readonly table: Name
          readonly field: keyof FieldsOf<T> & string
          readonly key?: never
          readonly prefix?: never
        }
      : never)

type PartOfRows<Name, T> =
  | {
      readonly table: Name
      readonly key: Readonly<KeyOf<T>>
      readonly field?: T extends { fields: unknown } ? keyof FieldsOf<T> & string : never
      readonly prefix?: never
    }
  | { readonly table: Name; readonly prefix: PrefixOf<T>; readonly key?: never; readonly field?: never }

/** The changes that a part's listener is told. */
export type ChangeIn<D extends AnyDomain, P extends Part<D>> = Extract<
  Change<D>,
  P extends { readonly field: infer Field }
    ? { readonly table: P['table']; readonly field: Field }
    : { readonly table: P['table'] }
>

/** A part whose domain is not known here: what it names is checked. */
interface NamedPart {
  readonly table: string
  readonly key: unknown
  readonly prefix: unknown
  readonly field: string | undefined
}

/**
 * @param part whatever the app has handed over.
 * @throws SyncError TABLE_UNKNOWN or KEY_INVALID for a part that the domain does not have; INPUT_INVALID for what is none.
 */
export function partInterests(domain: AnyDomain, part: unknown): readonly Interest[] {
  const { table, key, prefix, field } = namedPart(part)
  const layout = layoutOf(domain, table)
  if (field !== undefined) return [registerInterest(table, fieldRegister(layout, key, field))]
  if (key !== undefined) {
    const row = rowOf(layout, key)
    return [registerInterest(table, row), prefixInterest(table, row)]
  }
  const start = prefix === undefined ? [] : startOf(layout, prefix)
  // The start of a key may be all of it.
  return start.length === 0
    ? [prefixInterest(table, [])]
    : [registerInterest(table, start), prefixInterest(table, start)]
}

const partNames: ReadonlySet<string> = new Set(['table', 'key', 'prefix', 'field'])

function namedPart(part: unknown): NamedPart {
  const fields = plainFields({ name: 'part', example: "{ table: 'lists' }" }, part)
  const { table, key, prefix, field } = fields
  const strange = Object.keys(fields).find((name) => !partNames.has(name))
  if (strange !== undefined)
    throw invalid(`a part has a table, a key, a prefix or a field, and no ${JSON.stringify(strange)}`)
  if (typeof table !== 'string') throw invalid("a part has the name of a table, such as { table: 'lists' }")
  if (prefix !== undefined && key !== undefined)
    throw invalid(`a part of ${table} has a key or a prefix, not both`)
  if (prefix !== undefined && field !== undefined)
    throw invalid(`a part of ${table} has a prefix or a field, not both`)
  if (field !== undefined && typeof field !== 'string')
    throw invalid(`a field of ${table} is named by a string`)
  return { table, key, prefix, field }
}

function fieldRegister(layout: TableLayout, key: unknown, field: string): KeyParts {
  if (key === undefined && layout.table.kind !== 'singleton')
    throw invalid(`a field of ${layout.name} is one of a row: give the row's key too`)
  const row = key === undefined ? [] : rowOf(layout, key)
  return [...placeOf(layout, [...row, field]).row, field]
}

function rowOf(layout: TableLayout, key: unknown): KeyParts {
  const row = checkKey(rowParts(key))
  if (placeOf(layout, row).field === null) return row
  throw noKey(`${JSON.stringify(key)} is no key of table ${layout.name}`)
}

function startOf({ name, keyLength }: TableLayout, prefix: unknown): KeyParts {
  const start = rowParts(prefix)
  if (start.length > keyLength)
    throw noKey(
      `a key of table ${name} has ${keyLength} parts, so none starts with ${JSON.stringify(prefix)}`,
    )
  return start.length === 0 ? start : checkKey(start, 'prefix')
}

function noKey(why: string): SyncError {
  return new SyncError('KEY_INVALID', why, { path: 'key' })
}

function invalid(why: string): SyncError {
  return new SyncError('INPUT_INVALID', why)
}
