/** The door of `@rejoin/replica`: the app's side of a namespace. */
export { openReplica } from './open.ts'
export { type Replica, type ReplicaOptions } from './replica.ts'
export { type AnyChange, type Change } from './changes.ts'
export { type Persistence } from './pending-writes.ts'
export { type Receipt } from './receipt.ts'
export { type Resolution } from './resolution.ts'
export { type ReplicaStatus } from './status.ts'
export { type SyncReport } from './sync-once.ts'
