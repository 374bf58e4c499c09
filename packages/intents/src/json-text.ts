/**
 * Reads JSON text from a stranger: says line and column where it is no JSON, and refuses what would not survive being
 * stored: the name `__proto__`, half surrogate pairs, numbers too large to be one, deep nesting.
 */
import { limits, type Value } from '@rejoin/core'
import { InputError, jsonPath } from './input-error.ts'
import { findJsonFault } from './json-fault.ts'

/** @throws InputError */
export function parseJson(text: string, file: string): Value {
  const json = text.startsWith('\uFEFF') ? text.slice(1) : text
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    const { offset, reason } = findJsonFault(json)
    throw new InputError(file, placeOf(json, offset), reason, { cause })
  }
  checkPlain(value, file, [])
  // What JSON.parse makes is JSON.
  return value as Value
}

/** Line and column, both from 1, the column in characters. */
function placeOf(text: string, offset: number): string {
  const before = text.slice(0, offset).split(/\r\n|\r|\n/)
  return `line ${before.length}, column ${Array.from(before.at(-1) ?? '').length + 1}`
}

function checkPlain(value: unknown, file: string, path: readonly PropertyKey[]): void {
  const refuse = (reason: string): never => {
    throw new InputError(file, jsonPath(path), reason)
  }
  if (path.length > limits.valueDepthMax) refuse(`nested deeper than ${limits.valueDepthMax} levels`)
  if (typeof value === 'string' && !value.isWellFormed()) refuse('holds half a surrogate pair')
  if (typeof value === 'number' && !Number.isFinite(value)) refuse('the number is too large')
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      // Most items of large files are plain text: no path is built for those that are in order.
      if (typeof item !== 'string' || !item.isWellFormed()) checkPlain(item, file, [...path, i])
    }
    return
  }
  for (const [name, field] of Object.entries(value)) {
    if (name === '__proto__') refuse('has a field named __proto__')
    if (!name.isWellFormed()) refuse('has a field name with half a surrogate pair')
    checkPlain(field, file, [...path, name])
  }
}
