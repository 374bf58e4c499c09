/** The door of `rejoin/testing`: proves that a domain of your own converges, with the real engines in one process. */
import {
  checkConvergence as check,
  type ConvergenceOptions as Options,
  type OpArbitraries,
} from '@rejoin/testkit'
import type { AnyDomain } from '@rejoin/core'
import { openEngineWorld } from './testing/engine-world.ts'
import type { WorldPorts } from './testing/ports.ts'

export { Chance } from './testing/simulation/chance.ts'
export {
  createWorld,
  WorldError,
  type CreateWorldOptions,
  type DomainWorld,
  type WorldReplica,
} from './testing/simulation/create-world.ts'
export { type HearHistory, type HistoryEvent, type HistoryValue } from './testing/simulation/history-event.ts'
export { type SimulatedDiskState } from './testing/simulation/simulated-disk.ts'
export { type SimulatedStep, type SimulatedStepKind } from './testing/simulation/step.ts'
export { stepLine } from './testing/simulation/step-line.ts'
export { openSimulatedWorld, type SimulatedWorld, type TakenStep } from './testing/simulation/world.ts'
export { type WorldCounts } from './testing/simulation/world-counts.ts'
export { type SimulatedNamespace, type SimulatedWorldOptions } from './testing/simulation/world-options.ts'
export { openEngineWorld } from './testing/engine-world.ts'
export { withMembers } from './testing/proxy.ts'
export { type WorldPorts } from './testing/ports.ts'
export {
  ConvergenceError,
  fc,
  VirtualClock,
  type OpArbitraries,
  type Step,
  type StepKind,
  type World,
} from '@rejoin/testkit'

export interface ConvergenceOptions extends Omit<Options, 'openWorld' | 'door'> {
  /** Adapters of your own in place of the defaults (stores in memory, Yjs, frames in memory); called for each story. */
  readonly ports?: () => Partial<WorldPorts>
}

/**
 * Drives replicas of `domain` through offline phases, live sessions, broken connections, crashes, compaction, rebuilds and
 * refusals with ops drawn from `arbitraries`, and checks the rules of `docs/SPEC.md`.
 * @throws ConvergenceError naming the broken rules, the shortest story found that breaks them, and how to replay it; or
 * the ops of which no story ever made a commit.
 * @throws SyncError INPUT_INVALID when `arbitraries` or `options` are not what they should be.
 */
export function checkConvergence<D extends AnyDomain>(
  domain: D,
  arbitraries: OpArbitraries<D>,
  options: ConvergenceOptions = {},
): Promise<void> {
  const { ports, ...rest } = options
  return check(domain, arbitraries, {
    ...rest,
    door: checkConvergence,
    openWorld: (replicas, chance) => openEngineWorld(domain, replicas, chance, ports?.()),
  })
}
