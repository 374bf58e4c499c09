/** The door of `@rejoin/persistence-level/browser`: replicas in IndexedDB. */
export { type BrowserSync } from './browser/browser-gate.ts'
export {
  openReplicaDatabase,
  type ReplicaDatabase,
  type ReplicaDatabaseOptions,
} from './browser/replica-database.ts'
