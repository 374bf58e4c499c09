/** The door of `rejoin/browser`: everything a page needs. */
export { openBrowserClient, type BrowserClient, type BrowserClientOptions } from './browser/browser-client.ts'
export { type StoragePersistence } from './browser/persistent-storage.ts'
export { type NoteStorage } from './browser/platform.ts'
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
  type Change,
  type FoldingTrouble,
  type OutboxCommit,
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
export { type BrowserSync } from '@rejoin/persistence-level/browser'
export { type TokenSource } from '@rejoin/transport'
export { intents } from '@rejoin/intents'
