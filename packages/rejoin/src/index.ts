/** The door of `rejoin`: everything an app needs, wired for Node. */
export { openClient, type Client, type ClientOptions } from './wiring/client.ts'
export { type ReceivedQueryLog } from './gateway/thin-clients.ts'
export { startHub, type HubOptions, type RunningHub } from './wiring/hub.ts'
export { type SyncChoice } from './wiring/sync-choice.ts'
export { restoreBackup, type RestoreReport } from './wiring/restoring.ts'
export { verifyFolder, type FolderReport } from './wiring/verifying.ts'
export { repairFolder, type RepairOptions } from './wiring/repairing.ts'
export { type RepairReport, type RepairedNamespace } from './wiring/repair-report.ts'
export { systemClock } from './wiring/system-clock.ts'
export {
  defineDomain,
  Id,
  limits,
  map,
  records,
  singleton,
  SyncError,
  upcastOps,
  type AnyOp,
  type Commit,
  type Conflict,
  type Domain,
  type Durability,
  type ErrorCode,
  type OpOf,
  type RejectedCommit,
} from '@rejoin/core'
export {
  openReplica,
  type Change,
  type OutboxCommit,
  type FoldingTrouble,
  type Persistence,
  type Receipt,
  type Replica,
  type ReplicaStatus,
  type ReplicaWitness,
  type Resolution,
  type SessionBill,
  type SyncReport,
  UnsavedError,
} from '@rejoin/replica'
export { type FolderFinding, type LogFault } from '@rejoin/persistence-level/node'
export { anyone, type Principal, type Retention } from '@rejoin/hub'
export { type TokenSource } from '@rejoin/transport'
export { tokenOf, type Authenticate, type HubRequest, type PeerLimits } from '@rejoin/transport/server'
export { type JwtOptions } from './auth/token-verifier.ts'
export { intents } from '@rejoin/intents'
