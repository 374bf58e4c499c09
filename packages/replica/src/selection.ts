/** Parts of the tables that a subscriber may pick, typed by the domain, and the changes that are then told. */
import {
  layoutOf,
  placeOf,
  rowParts,
  SyncError,
  type AnyDomain,
  type FieldsOf,
  type KeyOf,
  type PrefixOf,
} from '@rejoin/core'
import type { Change } from './changes.ts'
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

/** A part whose domain is not known to the compiler here. */
export interface AnyPart {
  readonly table: string
  readonly key?: unknown
  readonly prefix?: unknown
  readonly field?: string
}

/** @throws SyncError TABLE_UNKNOWN or KEY_INVALID for a part that the domain does not have; INPUT_INVALID. */
export function partInterests(domain: AnyDomain, part: AnyPart): readonly Interest[] {
  const { table, key, prefix, field } = part
  const layout = layoutOf(domain, table)
  if (key !== undefined && prefix !== undefined) {
    throw new SyncError('INPUT_INVALID', `a part of ${table} has a key or a prefix, not both`)
  }
  if (field !== undefined) {
    const register = [...rowParts(key ?? []), field]
    placeOf(layout, register)
    return [registerInterest(table, register)]
  }
  if (key === undefined && prefix === undefined) return [prefixInterest(table, [])]
  const start = rowParts(key ?? prefix)
  if (key !== undefined && placeOf(layout, start).field !== null) {
    throw new SyncError('KEY_INVALID', `${JSON.stringify(key)} is no key of table ${table}`, { path: 'key' })
  }
  return [registerInterest(table, start), prefixInterest(table, start)]
}
