/** The door of `@rejoin/persistence-level`: stores on any `abstract-level` database. Folders are behind `./node`. */
export { type BatchWitness } from './batch-witness.ts'
export { openHubStore, type HubStoreOptions } from './hub/store-opening.ts'
export { type LevelHubStore } from './hub/hub-store.ts'
export { openReplicaStore, type LevelReplicaStore } from './replica/replica-store.ts'
export { type LevelDatabase } from './level-database.ts'
