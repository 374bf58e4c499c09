/** The door of `rejoin`: everything an app needs, wired for Node. */
export { openClient, type Client, type ClientOptions } from './wiring/client.ts'
export { startHub, type HubOptions, type RunningHub } from './wiring/hub.ts'
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
  type ErrorCode,
  type OpOf,
  type RejectedCommit,
} from '@rejoin/core'
export {
  openReplica,
  type Change,
  type OutboxCommit,
  type Receipt,
  type Replica,
  type ReplicaStatus,
  type Resolution,
  type SyncReport,
} from '@rejoin/replica'
export { intents } from '@rejoin/intents'
