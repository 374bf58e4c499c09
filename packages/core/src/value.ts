/**
 * What a register may hold: JSON values in canonical form (object keys sorted, no `-0`), so that equal values have equal
 * bytes on every replica. Refuses what `HAZARDS.md` rows D1 to D9 show to break readers: NaN, infinities, bigints,
 * lone surrogates, `__proto__` as a name, deep nesting, oversize.
 */
import { SyncError } from './errors.ts'
import { limits } from './limits.ts'

export type Value = null | boolean | number | string | readonly Value[] | { readonly [name: string]: Value }

/**
 * The canonical copy of a value, frozen: the document and its readers share it. Fields that are `undefined` are left out, as
 * JSON does.
 * @param bytesMax largest UTF-8 size of the value's JSON.
 * @throws SyncError VALUE_INVALID with the path to the fault.
 */
export function canonicalValue(
  value: unknown,
  path = 'value',
  bytesMax: number = limits.valueBytesMax,
): Value {
  const size: Size = { path, bytesMax, parts: 0 }
  const result = canonical(value, path, 0, size)
  // A character takes at most three bytes, so only text that might be too long is measured exactly.
  const text = canonicalJson(result)
  if (text.length * 3 > bytesMax && utf8Length(text) > bytesMax) throw tooLarge(size)
  return result
}

/** Text of a canonical value: equal exactly when the values are equal. */
export function canonicalJson(value: Value): string {
  return JSON.stringify(value)
}

/** Whether two canonical values are the same. */
export function sameValue(a: Value, b: Value): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  return canonicalJson(a) === canonicalJson(b)
}

export function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1
  }
  return bytes
}

/** What a copy under way has come to. */
interface Size {
  readonly path: string
  readonly bytesMax: number
  /** Each takes a byte at least: so little that refers to itself often ends before it fills the memory. */
  parts: number
}

function canonical(value: unknown, path: string, depth: number, size: Size): Value {
  if (depth > limits.valueDepthMax)
    throw invalid(path, `is nested deeper than ${limits.valueDepthMax} levels`)
  if (++size.parts > size.bytesMax) throw tooLarge(size)
  switch (typeof value) {
    case 'boolean':
      return value
    case 'string':
      if (!value.isWellFormed()) throw invalid(path, 'holds half a surrogate pair')
      return value
    case 'number':
      if (!Number.isFinite(value)) throw invalid(path, `is ${value}, which JSON cannot hold`)
      return value === 0 ? 0 : value
    case 'object':
      if (value === null) return null
      try {
        return Array.isArray(value)
          ? canonicalArray(value, path, depth, size)
          : canonicalObject(value, path, depth, size)
      } catch (cause) {
        if (cause instanceof SyncError) throw cause
        throw invalid(path, 'cannot be read: a getter or a proxy of it threw', cause)
      }
    case 'undefined':
      throw invalid(path, 'is undefined, which JSON cannot hold')
    case 'bigint':
    case 'symbol':
    case 'function':
      throw invalid(path, `is a ${typeof value}, which JSON cannot hold`)
  }
}

/** By index: holes are found, and nobody's iterator is run. */
function canonicalArray(items: readonly unknown[], path: string, depth: number, size: Size): Value {
  const result: Value[] = []
  for (let i = 0; i < items.length; i++) result.push(canonical(items[i], `${path}[${i}]`, depth + 1, size))
  return Object.freeze(result)
}

function canonicalObject(value: object, path: string, depth: number, size: Size): Value {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw invalid(path, 'is an object of a class')
  const result: Record<string, Value> = {}
  for (const name of Object.keys(value).sort()) {
    if (name === '__proto__') throw invalid(path, 'has a field named __proto__')
    if (!name.isWellFormed()) throw invalid(path, 'has a field name with half a surrogate pair')
    const field: unknown = Reflect.get(value, name)
    if (field !== undefined) result[name] = canonical(field, `${path}.${name}`, depth + 1, size)
  }
  return Object.freeze(result)
}

function tooLarge({ path, bytesMax }: Size): SyncError {
  return invalid(path, `is larger than ${bytesMax} bytes`)
}

function invalid(path: string, why: string, cause?: unknown): SyncError {
  return new SyncError('VALUE_INVALID', `${path} ${why}`, { path, cause })
}
