/**
 * The contract of `ReplicaStore` as tests: an adapter runs it in one call, and is a replica store when it passes. What each
 * step means is said once, by `replica-model.ts`; the cases compare stores with it.
 */
import { batchCases } from './replica-store/batch-cases.ts'
import { edgeCases } from './replica-store/edge-cases.ts'
import { identityCases } from './replica-store/identity-cases.ts'
import type { OpenReplicaStore } from './replica-store/opened.ts'
import { randomReplicaCases } from './replica-store/random-cases.ts'
import { stepCases } from './replica-store/step-cases.ts'
import { declareCases, type Cannot, type TestRunner } from './suite-cases.ts'

export interface ReplicaStoreSuiteOptions {
  readonly test: TestRunner
  /** Makes a new, empty store. */
  readonly open: OpenReplicaStore
  /** Cases left out, each with the reason. */
  readonly cannot?: Cannot
}

export function replicaStoreSuite({ test, open, cannot }: ReplicaStoreSuiteOptions): void {
  declareCases(
    test,
    {
      ...identityCases(open),
      ...stepCases(open),
      ...batchCases(open),
      ...edgeCases(open),
      ...randomReplicaCases(open),
    },
    cannot,
  )
}
