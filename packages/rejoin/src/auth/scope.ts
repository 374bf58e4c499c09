/**
 * Scopes: `read`, `write` or `admin`, each for the namespaces of a pattern. `admin` holds `write`, and `write` holds `read`.
 * A pattern is compared with the whole name, byte by byte; `*` stands for any characters, also none. No pattern means `*`.
 */
import { limits, SyncError, type Namespace } from '@rejoin/core'

export const rights = ['read', 'write', 'admin'] as const
export type Right = (typeof rights)[number]

export interface Scope {
  readonly right: Right
  readonly pattern: string
}

/** `write:support-*`, or null where it is no scope of ours. */
export function parseScope(text: string): Scope | null {
  const [, name, pattern = '*'] = /^([a-z]+)(?::([a-z0-9._*-]+))?$/.exec(text) ?? []
  const right = rights.find((each) => each === name)
  return right === undefined || pattern.length > limits.namespaceCharsMax ? null : { right, pattern }
}

/** @throws SyncError INPUT_INVALID */
export function scopeOf(text: string): Scope {
  const scope = parseScope(text)
  if (scope !== null) return scope
  throw new SyncError(
    'INPUT_INVALID',
    `${JSON.stringify(text.slice(0, 200))} is no scope: give read, write or admin, with a pattern of namespaces if you like, e.g. write:support-*`,
  )
}

export function scopeText({ right, pattern }: Scope): string {
  return `${right}:${pattern}`
}

/** Of the texts those that are scopes; the others are some other program's, and grant nothing here. */
export function knownScopes(texts: readonly string[]): readonly Scope[] {
  return texts.map(parseScope).filter((scope) => scope !== null)
}

export function allows(scopes: readonly Scope[], right: Right, namespace: Namespace): boolean {
  const least = rights.indexOf(right)
  return scopes.some((scope) => rights.indexOf(scope.right) >= least && matches(scope.pattern, namespace))
}

/** Takes the parts between stars from left to right, each at its first place: no pattern makes it slow. */
function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*')
  const [first = '', ...others] = parts
  const last = others.pop()
  if (last === undefined) return name === pattern
  if (!name.startsWith(first)) return false
  let at = first.length
  for (const part of others) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return name.length - last.length >= at && name.endsWith(last)
}
