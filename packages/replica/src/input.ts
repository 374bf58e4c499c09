/**
 * What an app hands over, at the edge: where no compiler has looked, what is wrong is refused with a code and a word of what
 * was expected, at once and not when it is used.
 */
import {
  canonicalValue,
  limits,
  SyncError,
  type AnyDomain,
  type AnyOp,
  type OpOf,
  type Value,
} from '@rejoin/core'

/**
 * Fields of an object as plain JSON: what a getter or a proxy says later is never heard.
 * @param what its name and an example, for messages.
 * @param names which; all of them where there are none given.
 * @throws SyncError INPUT_INVALID for anything but an object that holds JSON there.
 */
export function plainFields(
  what: { readonly name: string; readonly example: string },
  input: unknown,
  names?: readonly string[],
): Readonly<Record<string, Value | undefined>> {
  if (typeof input !== 'object' || input === null)
    throw new SyncError(
      'INPUT_INVALID',
      `a ${what.name} is an object such as ${what.example}, not ${textOf(input)}`,
    )
  try {
    const fields = (names ?? Object.keys(input)).map((name) => [name, Reflect.get(input, name)])
    // A copy of an object is one.
    return canonicalValue(Object.fromEntries(fields), what.name, limits.commitBytesMax) as Record<
      string,
      Value
    >
  } catch (cause) {
    const why =
      cause instanceof SyncError
        ? cause.message
        : `the ${what.name} cannot be read: a getter or a proxy of it threw`
    throw new SyncError('INPUT_INVALID', why, { cause })
  }
}

/** @throws SyncError OP_INVALID for what cannot even be looked at: a proxy that was revoked. */
export function listOf<D extends AnyDomain>(ops: OpOf<D> | readonly OpOf<D>[]): readonly AnyOp[] {
  try {
    return Array.isArray(ops) ? (ops as readonly AnyOp[]) : [ops as AnyOp]
  } catch (cause) {
    throw new SyncError('OP_INVALID', 'ops: neither an op nor a list of ops', { cause, path: 'ops' })
  }
}

/** @throws SyncError INPUT_INVALID: told later, what is no function would end the process. */
export function checkListener(listener: unknown): void {
  if (typeof listener === 'function') return
  throw new SyncError('INPUT_INVALID', `a listener is a function, not ${textOf(listener)}`)
}

function textOf(input: unknown): string {
  if (typeof input === 'string') return JSON.stringify(input.slice(0, 64))
  // An object may have no text, and a function has all of its source.
  return (typeof input === 'object' && input !== null) || typeof input === 'function'
    ? typeof input
    : String(input)
}
