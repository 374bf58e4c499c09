/**
 * The contract of `HubStore` as tests: an adapter runs it in one call, and is a hub store when it passes. Cases name the
 * promise they check (DESIGN section 6, St1 to St10). Nothing here counts seqs: they rise, and gaps are allowed.
 */
import { logCases } from './hub-store/log-cases.ts'
import { hubLifeCases } from './hub-store/life-cases.ts'
import { checkpointCases } from './hub-store/checkpoint-cases.ts'
import { concurrentCases } from './hub-store/concurrent-cases.ts'
import { failingCases } from './hub-store/failing-cases.ts'
import { randomCases } from './hub-store/random-cases.ts'
import { tailCases } from './hub-store/tail-cases.ts'
import { twoHubsCases } from './hub-store/two-hubs-cases.ts'
import type { OpenHubStore } from './hub-store/opened.ts'
import { declareCases, type Cannot, type TestRunner } from './suite-cases.ts'

export interface HubStoreSuiteOptions {
  readonly test: TestRunner
  /** Makes a new, empty store. */
  readonly open: OpenHubStore
  /** Cases left out, each with the reason. */
  readonly cannot?: Cannot
}

export function hubStoreSuite({ test, open, cannot }: HubStoreSuiteOptions): void {
  const cases = {
    ...logCases(open),
    ...tailCases(open),
    ...checkpointCases(open),
    ...hubLifeCases(open),
    ...concurrentCases(open),
    ...failingCases(open),
    ...twoHubsCases(open),
    ...randomCases(open),
  }
  declareCases(test, cases, cannot)
}
