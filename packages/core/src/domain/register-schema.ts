/**
 * Which registers a domain has and what each may hold. The same check serves an app's writes and what a hub is sent, so
 * that nothing the schema forbids can ever be read (invariant 12).
 */
import { z } from 'zod'
import { SyncError, type ErrorCode } from '../errors.ts'
import { checkKey, keyText, type KeyParts } from '../key.ts'
import { canonicalValue, sameValue, type Value } from '../value.ts'
import type { AnyDomain, TableLayout } from './domain.ts'
import type { KeySchema } from './table.ts'

/** Where a register's key leads: a row of a table, and the field where the row has fields. */
export interface RegisterPlace {
  readonly layout: TableLayout
  readonly row: KeyParts
  /** Null for a map's value and for a record's own existence. */
  readonly field: string | null
}

/** Reads the value of a record's own existence. */
export const EXISTS = true

export function layoutOf(domain: AnyDomain, table: string): TableLayout {
  const layout = domain.layouts.get(table)
  if (layout === undefined) {
    throw new SyncError(
      'TABLE_UNKNOWN',
      `domain ${domain.name} has no table ${JSON.stringify(table.slice(0, 64))}`,
      { path: 'table' },
    )
  }
  return layout
}

/** @throws SyncError KEY_INVALID when the key has too few or too many parts, or names no field. */
export function placeOf(layout: TableLayout, key: KeyParts): RegisterPlace {
  const place = findPlace(layout, key)
  if (place !== null) return place
  throw new SyncError('KEY_INVALID', `${JSON.stringify(key)} is no key of table ${layout.name}`, {
    path: 'key',
  })
}

export function findPlace(layout: TableLayout, key: KeyParts): RegisterPlace | null {
  const { table, keyLength } = layout
  if (key.length === keyLength && table.kind !== 'singleton') return { layout, row: key, field: null }
  const field = key[keyLength]
  if (
    table.kind !== 'map' &&
    key.length === keyLength + 1 &&
    field !== undefined &&
    Object.hasOwn(table.fields, field)
  ) {
    return { layout, row: key.slice(0, keyLength), field }
  }
  return null
}

/**
 * Checks a register's key and value against the domain and returns the value in canonical form.
 * @throws SyncError TABLE_UNKNOWN, KEY_INVALID or VALUE_INVALID, with the path to the fault.
 */
export function checkRegister(domain: AnyDomain, table: string, key: KeyParts, value: unknown): Value {
  const place = placeOf(layoutOf(domain, table), checkKey(key))
  checkRowKey(place.layout, place.row)
  return checkValue(place, value)
}

/** @throws SyncError KEY_INVALID */
export function checkRowKey(layout: TableLayout, row: KeyParts): void {
  if (layout.table.kind === 'singleton') return
  const what = `key of ${layout.name}`
  const key = row.length === 1 && !isTuple(layout.table.key) ? row[0] : row
  const parsed = parse(layout.table.key, key, 'KEY_INVALID', what)
  // A schema that trims or lowers would let one row be written under several keys.
  if (parsed !== key && keyText([parsed].flat()) !== keyText(row)) {
    const why = `is not as its schema makes it, ${JSON.stringify(parsed)}`
    throw new SyncError('KEY_INVALID', `${what}: ${JSON.stringify(key)} ${why}`, { path: what })
  }
}

/** @throws SyncError VALUE_INVALID */
export function checkValue(place: RegisterPlace, value: unknown): Value {
  const { table, name } = place.layout
  const what = place.field === null ? `value of ${name}` : `${name}.${place.field}`
  const canonical = canonicalValue(value, what)
  if (place.field === null && table.kind === 'records') {
    if (canonical === EXISTS) return EXISTS
    throw new SyncError('VALUE_INVALID', `a row of ${name} exists or does not`, { path: what })
  }
  const schema = table.kind === 'map' ? table.value : table.fields[place.field ?? '']
  if (schema === undefined)
    throw new SyncError('KEY_INVALID', `table ${name} has no field ${String(place.field)}`)
  // Zod drops unknown fields of objects; what is stored must be exactly what the schema lets through.
  const parsed: unknown = parse(schema, canonical, 'VALUE_INVALID', what)
  if (parsed !== canonical && !sameValue(canonicalValue(parsed, what), canonical)) {
    throw new SyncError('VALUE_INVALID', `${what} holds more than its schema allows`, { path: what })
  }
  return canonical
}

export function isTuple(schema: KeySchema): boolean {
  return schema instanceof z.ZodTuple
}

/** Runs a zod schema and turns its first fault into one of our codes, with zod's path. */
export function parse<S extends z.ZodType>(
  schema: S,
  input: unknown,
  code: ErrorCode,
  what: string,
): z.output<S> {
  const result = safeParse(schema, input, code, what)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const path = what + (issue === undefined ? '' : pathText(issue.path))
  throw new SyncError(code, `${path}: ${issue?.message ?? 'invalid'}`, { path })
}

/** Zod gives its findings; what it throws comes from a getter in the input, or from a refinement of the schema. */
function safeParse<S extends z.ZodType>(
  schema: S,
  input: unknown,
  code: ErrorCode,
  path: string,
): z.ZodSafeParseResult<z.output<S>> {
  try {
    return schema.safeParse(input)
  } catch (cause) {
    throw new SyncError(code, `${path} cannot be checked: it, or its schema, throws when it is read`, {
      path,
      cause,
    })
  }
}

function pathText(path: readonly PropertyKey[]): string {
  return path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('')
}
