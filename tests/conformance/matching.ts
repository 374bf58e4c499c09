/**
 * Patterns of messages. An object matches when each of its members does; a list when it is as long and each place matches.
 * Instead of a value: `{ "$save": NAME }` matches anything and remembers it, `{ "$saved": NAME }` is what was remembered,
 * `{ "$saved": NAME, "plus": 1 }` a number beside it, `{ "$any": true }` anything that is there, `{ "$least": N }` and
 * `{ "$most": N }` a number.
 */
import { isDeepStrictEqual } from 'node:util'

export type Saved = Map<string, unknown>

/** Null where it matches, else what does not. */
export function mismatch(pattern: unknown, value: unknown, saved: Saved, path = ''): string | null {
  const differs = (): string => `${path || 'it'} is ${show(value)}, not ${show(pattern)}`
  if (typeof pattern !== 'object' || pattern === null) {
    return isDeepStrictEqual(pattern, value) ? null : differs()
  }
  if (Array.isArray(pattern)) {
    if (!Array.isArray(value) || value.length !== pattern.length) return differs()
    return first(pattern.map((each, i) => mismatch(each, value[i], saved, `${path}[${i}]`)))
  }
  const fields = pattern as Readonly<Record<string, unknown>>
  if ('$any' in fields) return value === undefined ? differs() : null
  if ('$save' in fields) {
    saved.set(String(fields['$save']), value)
    return value === undefined ? differs() : null
  }
  if ('$least' in fields) return Number(value) >= Number(fields['$least']) ? null : differs()
  if ('$most' in fields) return Number(value) <= Number(fields['$most']) ? null : differs()
  if ('$saved' in fields) {
    const meant = resolved(fields, saved)
    return isDeepStrictEqual(meant, value) ? null : `${path} is ${show(value)}, not ${show(meant)}`
  }
  if (typeof value !== 'object' || value === null) return differs()
  const members = value as Readonly<Record<string, unknown>>
  return first(
    Object.entries(fields).map(([name, each]) => mismatch(each, members[name], saved, `${path}.${name}`)),
  )
}

/** The same pattern with what was remembered in its place: for what is sent. */
export function resolved(pattern: unknown, saved: Saved): unknown {
  if (typeof pattern !== 'object' || pattern === null) return pattern
  if (pattern instanceof Uint8Array) return pattern
  if (Array.isArray(pattern)) return pattern.map((each) => resolved(each, saved))
  const fields = pattern as Readonly<Record<string, unknown>>
  if ('$saved' in fields) {
    const name = String(fields['$saved'])
    if (!saved.has(name)) throw new Error(`nothing was saved as ${name}`)
    const value = saved.get(name)
    return 'plus' in fields ? Number(value) + Number(fields['plus']) : value
  }
  return Object.fromEntries(Object.entries(fields).map(([name, each]) => [name, resolved(each, saved)]))
}

/** Whether the patterns are among the values in their order; null, or the first that is not. */
export function missing(
  patterns: readonly unknown[],
  values: readonly unknown[],
  saved: Saved,
): string | null {
  let at = 0
  for (const pattern of patterns) {
    let last = 'nothing more came'
    for (;;) {
      if (at >= values.length) return `${show(pattern)} is not among ${show(values)} (${last})`
      const why = mismatch(pattern, values[at++], saved)
      if (why === null) break
      last = why
    }
  }
  return null
}

/** What a message says, with bytes as their number. */
export function viewOf(message: object): Record<string, unknown> {
  return JSON.parse(
    JSON.stringify(message, (_, value: unknown) =>
      value instanceof Uint8Array ? { bytes: value.length } : value,
    ),
  ) as Record<string, unknown>
}

function first(reasons: readonly (string | null)[]): string | null {
  return reasons.find((reason) => reason !== null) ?? null
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'not there'
  return text.length > 1_500 ? `${text.slice(0, 1_500)}…` : text
}
