/** What a message brought, for the report of an exchange, and for what is to be mended after it. */
import type { Counter } from '@rejoin/core'

export interface Brought {
  /** Commits received. */
  readonly pulled: number
  /** Commits of others that are new here. */
  readonly applied: number
  /** Commits of ours that the log went past without: another copy of this folder withdrew them, or had them refused. */
  readonly passed: readonly Counter[]
}

export const broughtNothing: Brought = { pulled: 0, applied: 0, passed: [] }

export function sumOf(parts: readonly Brought[]): Brought {
  return {
    pulled: parts.reduce((sum, { pulled }) => sum + pulled, 0),
    applied: parts.reduce((sum, { applied }) => sum + applied, 0),
    passed: parts.flatMap(({ passed }) => passed),
  }
}
