/** A planted bug: it lives in an adapter or in a domain, misbehaves in one precise way, and must be found. */
import type fc from 'fast-check'
import type { AnyDomain, AnyOp } from '@rejoin/core'
import type { WorldPorts } from 'rejoin/testing'

export interface Mutant {
  readonly name: string
  /** Rules of `docs/SPEC.md`, of which one at least must be found broken. */
  readonly foundBy: readonly number[]
  /** Stories within which it must be found; default 200. */
  readonly runsMax?: number
  /** Anew for each world: what a bug remembers ends with its world. */
  readonly ports?: () => Partial<WorldPorts>
  /** Default: the todo domain. */
  readonly domain?: {
    readonly domain: AnyDomain
    readonly ops: Record<string, fc.Arbitrary<Omit<AnyOp, 'type'>>>
  }
}
