/** The door of `@rejoin/persistence-level/node`: data folders with LevelDB on disk. */
export { openHubFolder, type HubFolder, type HubFolderOptions } from './folder/hub-folder.ts'
export { openReplicaFolder, type ReplicaFolder, type ReplicaFolderOptions } from './folder/replica-folder.ts'
export { type DataFolderOptions, type FolderFinding } from './folder/data-folder.ts'
export { type SyncPolicy } from './gate/sync-policy.ts'
