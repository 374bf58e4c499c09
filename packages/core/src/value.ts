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
  const size: Size = { path, steps: [], bytesMax, parts: 0, chars: 0 }
  const result = canonical(value, 0, size)
  // Only what might be too large is measured exactly.
  const mostBytes = size.parts * PART_BYTES_MAX + size.chars * CHAR_BYTES_MAX
  if (mostBytes > bytesMax && utf8Length(canonicalJson(result)) > bytesMax) throw tooLarge(size)
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

/** Of JSON: a number with its comma, or the quotes, colon, comma and brackets around something else. */
const PART_BYTES_MAX = 32
/** An escape. */
const CHAR_BYTES_MAX = 6

/** What a copy under way has come to. */
interface Size {
  /** Of the whole. */
  readonly path: string
  /** From there to the part that is being copied: what is there is told only where it is wrong. */
  readonly steps: (string | number)[]
  readonly bytesMax: number
  /** Each takes a byte at least: so little that refers to itself often ends before it fills the memory. */
  parts: number
  /** Of its texts, the names of fields included. */
  chars: number
}

function canonical(value: unknown, depth: number, size: Size): Value {
  if (depth > limits.valueDepthMax)
    throw invalid(size, `is nested deeper than ${limits.valueDepthMax} levels`)
  if (++size.parts > size.bytesMax) throw tooLarge(size)
  switch (typeof value) {
    case 'boolean':
      return value
    case 'string':
      if (!value.isWellFormed()) throw invalid(size, 'holds half a surrogate pair')
      size.chars += value.length
      return value
    case 'number':
      if (!Number.isFinite(value)) throw invalid(size, `is ${value}, which JSON cannot hold`)
      return value === 0 ? 0 : value
    case 'object':
      if (value === null) return null
      return canonicalParts(value, depth, size)
    case 'undefined':
      throw invalid(size, 'is undefined, which JSON cannot hold')
    case 'bigint':
    case 'symbol':
    case 'function':
      throw invalid(size, `is a ${typeof value}, which JSON cannot hold`)
  }
}

function canonicalParts(value: object, depth: number, size: Size): Value {
  const { length } = size.steps
  try {
    return Array.isArray(value) ? canonicalArray(value, depth, size) : canonicalObject(value, depth, size)
  } catch (cause) {
    if (cause instanceof SyncError) throw cause
    // What threw is the object itself, and not the part that was looked at.
    size.steps.length = length
    throw invalid(size, 'cannot be read: a getter or a proxy of it threw', cause)
  }
}

/** By index: holes are found, and nobody's iterator is run. */
function canonicalArray(items: readonly unknown[], depth: number, size: Size): Value {
  const result: Value[] = []
  for (let i = 0; i < items.length; i++) {
    size.steps.push(i)
    result.push(canonical(items[i], depth + 1, size))
    size.steps.pop()
  }
  return Object.freeze(result)
}

function canonicalObject(value: object, depth: number, size: Size): Value {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw invalid(size, 'is an object of a class')
  const result: Record<string, Value> = {}
  for (const name of sortedNames(value)) {
    if (name === '__proto__') throw invalid(size, 'has a field named __proto__')
    if (!name.isWellFormed()) throw invalid(size, 'has a field name with half a surrogate pair')
    size.chars += name.length
    const field: unknown = Reflect.get(value, name)
    if (field === undefined) continue
    size.steps.push(name)
    result[name] = canonical(field, depth + 1, size)
    size.steps.pop()
  }
  return Object.freeze(result)
}

/** In place, and few at a time without `sort`, which makes two lists and a call for each comparison. */
function sortedNames(value: object): readonly string[] {
  const names = Object.keys(value)
  if (names.length > 16) return names.sort()
  for (let i = 1; i < names.length; i++) {
    const name = names[i] ?? ''
    let place = i
    for (let before = names[place - 1] ?? ''; place > 0 && before > name; before = names[place - 1] ?? '') {
      names[place--] = before
    }
    names[place] = name
  }
  return names
}

function tooLarge({ path, bytesMax }: Size): SyncError {
  return new SyncError('VALUE_INVALID', `${path} is larger than ${bytesMax} bytes`, { path })
}

function invalid(size: Size, why: string, cause?: unknown): SyncError {
  const path = size.steps.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}.${step}`),
    size.path,
  )
  return new SyncError('VALUE_INVALID', `${path} ${why}`, { path, cause })
}
