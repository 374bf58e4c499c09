/**
 * Tables: what an app declares its data as. `map` is key → value, `records` is id → fields with one register a field and
 * one for the row's own existence, `singleton` is one record without a key (DESIGN section 4).
 */
import { z } from 'zod'
import { SyncError } from '../errors.ts'

export type KeySchema = z.ZodType<string | readonly string[], string | readonly string[]>
export type FieldSchemas = Record<string, z.ZodType>

/**
 * How concurrent values of one key become one, instead of the latest being read and the rest listed as a conflict. A
 * function gets at least two values and must not depend on their order. Where it throws or makes what the schema forbids,
 * the latest is read and the rest listed after all.
 */
export type Merge<V = unknown> = 'max' | 'min' | 'union' | ((values: readonly V[]) => V)

export interface MapTable<K extends KeySchema = KeySchema, V extends z.ZodType = z.ZodType> {
  readonly kind: 'map'
  readonly key: K
  readonly value: V
  readonly under: string | null
  readonly merge: Merge | null
}

export interface RecordsTable<F extends FieldSchemas = FieldSchemas, K extends KeySchema = KeySchema> {
  readonly kind: 'records'
  readonly key: K
  readonly fields: F
  readonly under: string | null
  readonly merge: { readonly [Field in keyof F]?: Merge }
}

export interface SingletonTable<F extends FieldSchemas = FieldSchemas> {
  readonly kind: 'singleton'
  readonly fields: F
  readonly merge: { readonly [Field in keyof F]?: Merge }
}

export type Table = MapTable | RecordsTable | SingletonTable
export type Tables = Record<string, Table>

/** A plain id: 1 to 200 characters. */
export const Id = z.string().min(1).max(200)

/** `under` names the table of the parent, whose key is the first part or parts of this table's keys. */
export function map<K extends KeySchema, V extends z.ZodType>(options: {
  key: K
  value: V
  under?: string
  merge?: Merge<z.output<V>>
}): MapTable<K, V> {
  // A merge function over this table's values is stored as one over values of any table; it is only given its own.
  const merge = (options.merge ?? null) as Merge | null
  return { kind: 'map', key: options.key, value: options.value, under: options.under ?? null, merge }
}

export function records<F extends FieldSchemas, K extends KeySchema = typeof Id>(
  fields: F,
  options: { key?: K; under?: string; merge?: { [Field in keyof F]?: Merge<z.output<F[Field]>> } } = {},
): RecordsTable<F, K> {
  checkFieldNames(fields)
  return {
    kind: 'records',
    key: options.key ?? (Id as KeySchema as K),
    fields,
    under: options.under ?? null,
    merge: (options.merge ?? {}) as { [Field in keyof F]?: Merge },
  }
}

export function singleton<F extends FieldSchemas>(
  fields: F,
  options: { merge?: { [Field in keyof F]?: Merge<z.output<F[Field]>> } } = {},
): SingletonTable<F> {
  checkFieldNames(fields)
  return { kind: 'singleton', fields, merge: (options.merge ?? {}) as { [Field in keyof F]?: Merge } }
}

/** A field's name is part of its key, and the name under which an app reads it. */
function checkFieldNames(fields: FieldSchemas): void {
  for (const name of Object.keys(fields)) {
    if (name !== '__proto__' && name.isWellFormed() && !name.includes('\u0000')) continue
    const why = 'no field may be named __proto__, nor hold U+0000 or half a surrogate pair'
    throw new SyncError('DOMAIN_INVALID', `${JSON.stringify(name)} is no name of a field: ${why}`)
  }
}

export type KeyOf<T> = T extends { key: infer K extends z.ZodType } ? z.output<K> : never
export type ValueOf<T> = T extends MapTable<KeySchema, infer V> ? z.output<V> : never
/** A row's fields; each may be absent, since each is a register of its own. */
export type FieldsOf<T> = T extends { fields: infer F extends FieldSchemas }
  ? { [Field in keyof F]?: z.output<F[Field]> }
  : never
