/** The door of `rejoin/testing`: proves that a domain of your own converges, with the real engines in one process. */
import { checkConvergence as check, type ConvergenceOptions, type OpArbitraries } from '@rejoin/testkit'
import type { AnyDomain } from '@rejoin/core'
import { openEngineWorld } from './testing/engine-world.ts'

export { openEngineWorld } from './testing/engine-world.ts'
export { VirtualClock, type OpArbitraries, type World } from '@rejoin/testkit'

/**
 * Drives replicas of `domain` through offline phases, broken connections, crashes and compaction with ops drawn from
 * `arbitraries`, and checks the invariants of `docs/SPEC.md`.
 * @throws Error naming the broken invariant, the shortest story that breaks it, and the seed that replays it.
 */
export function checkConvergence<D extends AnyDomain>(
  domain: D,
  arbitraries: OpArbitraries<D>,
  options: Omit<ConvergenceOptions, 'openWorld'> = {},
): Promise<void> {
  return check(domain, arbitraries, {
    ...options,
    openWorld: (replicas) => openEngineWorld(domain, replicas),
  })
}
