/** Peers have one string a key, so several become one, as an app would do it. */
const SEPARATOR = '\u0000'

export function joined(key: readonly string[]): string {
  return key.join(SEPARATOR)
}

/** What the keys whose first string is `first` start with. */
export function startOf(first: string): string {
  return first + SEPARATOR
}
