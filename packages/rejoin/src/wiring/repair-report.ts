/** What a repair says: of each namespace what was wrong, what was done, and what is left to do. */
import { type Epoch, type SyncError, type Namespace } from '@rejoin/core'
import type { VerifyReport } from '@rejoin/hub'
import type { ReplicaVerifyReport } from '@rejoin/replica'
import type { HealedNamespace } from './healing-from.ts'
import type { SalvageFile } from './salvage-file.ts'

/**
 * `whole`: nothing was wrong. `repaired`. `needs discard`: nothing was changed, since something would have to be dropped.
 * `impossible`: nothing was changed, and `advice` says what to do instead.
 */
export type RepairOutcome = 'whole' | 'repaired' | 'needs discard' | 'impossible'

export interface RepairedNamespace {
  /** Null for the folder as a whole. */
  readonly namespace: Namespace | null
  readonly outcome: RepairOutcome
  /** What is wrong with it, each as a sentence. */
  readonly faults: readonly string[]
  /** What was done, or with `needs discard` what would be. */
  readonly steps: readonly string[]
  /** Names of commits that are, or would be, taken out though they can be read. */
  readonly commits: readonly string[]
  /** What to do now; null where nothing is left to do. */
  readonly advice: string | null
  /** As it is afterwards, where something was changed. */
  readonly verified: VerifyReport | ReplicaVerifyReport | null
}

export interface RepairReport {
  readonly folder: string
  readonly kind: 'hub' | 'replica'
  /** Milliseconds since 1970. */
  readonly at: number
  readonly isDiscarding: boolean
  readonly namespaces: readonly RepairedNamespace[]
  /** What a replica's folder brought back, where one was named. */
  readonly healed: readonly HealedNamespace[]
  /** Where this report is. */
  readonly report: string
  /** Where the values are that were taken out; null where none were. */
  readonly salvage: string | null
}

export interface RepairManner {
  /** Null: every namespace. */
  readonly only: Namespace | null
  readonly isDiscarding: boolean
  readonly salvage: SalvageFile
  /** Of a namespace, as a replica knows it that was named to bring back what is lost; null where none was, or it has none. */
  readonly placeOf: (
    namespace: Namespace,
  ) => Promise<{ readonly epoch: Epoch; readonly domain: string } | null>
}

/** Nothing of it was changed. */
export function impossible(namespace: Namespace | null, { message }: SyncError): RepairedNamespace {
  return {
    namespace,
    outcome: 'impossible',
    faults: [message],
    steps: [],
    commits: [],
    advice:
      'restore the folder from a backup, or begin anew in another one: what was exchanged comes back from hub and replicas',
    verified: null,
  }
}
