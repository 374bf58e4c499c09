/** The door of `@rejoin/persistence-level/node`: data folders with LevelDB on disk. */
export { openHubFolder, refuseBackup, type HubFolder, type HubFolderOptions } from './folder/hub-folder.ts'
export { type BackupOptions, type HubBackup } from './folder/hub-backup.ts'
export { restoreHub, type RestoredHub, type RestoreOptions } from './folder/hub-restore.ts'
export { examineHubFolder, type ExaminedHubFolder } from './folder/hub-examination.ts'
export { type CopyProgress } from './folder/database-copy.ts'
export { partialOf, putInPlace } from './folder/folder-copy.ts'
export {
  noMisfits,
  planHubRepair,
  type FoundRecord,
  type HubFindings,
  type HubRepairPlan,
  type Misfits,
} from './hub/hub-findings.ts'
export { type HubMending } from './hub/hub-mending.ts'
export { examineReplicaFolder, type ExaminedReplicaFolder } from './folder/replica-examination.ts'
export {
  planReplicaRepair,
  type ReplicaFault,
  type ReplicaFindings,
  type ReplicaPart,
  type ReplicaRepairPlan,
} from './replica/replica-findings.ts'
export { whileRepairing } from './folder/repair-lock.ts'
export { folderKind } from './folder/folder-kind.ts'
export { mendFiles, type MendedFile } from './folder/folder-mending.ts'
export { endRebuilding, rebuildFolder, rebuildReadable, type RebuiltFolder } from './folder/rebuilding.ts'
export {
  openReplicaFolder,
  type ReplicaFolder,
  type ReplicaFolderFinding,
  type ReplicaFolderOptions,
} from './folder/replica-folder.ts'
export { type Unreadable } from './folder/readable-copy.ts'
export { type DataFolderOptions, type FolderFinding } from './folder/data-folder.ts'
export { logFaultText, type LogFault } from './folder/log-faults.ts'
export { type BatchHead, type GapKind } from './log/log-reading.ts'
export { type SyncPolicy } from './gate/sync-policy.ts'
export { parsedJson, syncFolder } from './folder/durable-files.ts'
