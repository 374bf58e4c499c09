/** What a repair says: of each namespace what was wrong, what was done, and what is left to do. */
import type { AnyDomain, Epoch, Namespace, Seq, SyncError } from '@rejoin/core'
import type { VerifyReport } from '@rejoin/hub'
import type { ReplicaVerifyReport } from '@rejoin/replica'
import type { HearFinding } from './finding.ts'
import type { HealedNamespace } from './healing-from.ts'
import type { SalvageFile } from './salvage-file.ts'

/**
 * `whole`: nothing was wrong. `repaired`: and sound, as it was verified afterwards. `needs discard`: nothing was changed, since
 * something would have to be dropped. `impossible`: nothing was changed, or it is not sound afterwards; `advice` says what to do.
 */
export type RepairOutcome = 'whole' | 'repaired' | 'needs discard' | 'impossible'

/** Seqs from `from` to `to`, both included; `to` is less where nobody knows up to where it went. */
export interface LostSeqs {
  readonly from: Seq
  readonly to: Seq
}

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
  /** What is, or would be, gone from a hub's log; null where nothing is, or of a replica. */
  readonly lost: LostSeqs | null
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
  /**
   * What the folders tell to whoever opens them first: that a crash cut a write short, that batches went with the power. And
   * what nobody can say: what was in that which LevelDB cannot read.
   */
  readonly remarks: readonly string[]
}

export interface RepairManner {
  /** Null: every namespace. */
  readonly only: Namespace | null
  readonly isDiscarding: boolean
  readonly salvage: SalvageFile
  /** Hears how each folder was found that is opened. */
  readonly hear: HearFinding
  /** Hears what the report says beside the namespaces. */
  readonly remark: (text: string) => void
  /** That a replica may be of which cannot say it itself. */
  readonly domains: readonly AnyDomain[]
  /** Of a namespace, as a replica knows it that was named to bring back what is lost; null where none was, or it has none. */
  readonly placeOf: (
    namespace: Namespace,
  ) => Promise<{ readonly epoch: Epoch; readonly domain: string } | null>
}

/** Nothing of it was changed. */
export function impossible(namespace: Namespace | null, { code, message }: SyncError): RepairedNamespace {
  return {
    namespace,
    outcome: 'impossible',
    faults: [message],
    steps: [],
    commits: [],
    lost: null,
    advice:
      code === 'FORMAT_TOO_NEW'
        ? 'repair it with the Rejoin that wrote it, or a newer one'
        : 'restore the folder from a backup; or move it away and begin with a new one: what was exchanged comes back from the hub, or to a hub from its replicas, the one that has most of it first',
    verified: null,
  }
}

/** Nothing was wrong with it, and nothing was done: what others are made of. */
export function untouched(namespace: Namespace | null): RepairedNamespace {
  return {
    namespace,
    outcome: 'whole',
    faults: [],
    steps: [],
    commits: [],
    lost: null,
    advice: null,
    verified: null,
  }
}
