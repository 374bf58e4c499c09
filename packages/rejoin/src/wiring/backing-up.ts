/** A backup of a hub's folder: asked of the hub that has it open, or made here where none has. */
import { examineHubFolder, type HubBackup } from '@rejoin/persistence-level/node'
import { askForBackup } from './control-client.ts'
import { besideStore, type HubBackupOptions } from './backup-desk.ts'
import { systemClock } from './system-clock.ts'

export interface FolderBackup extends HubBackup {
  readonly by: 'running hub' | 'this process'
}

/** @throws SyncError INPUT_INVALID where the place is not free, STORE_LOCKED, STORE_FULL, and as for opening a folder */
export async function backUpFolder(
  data: string,
  place: string,
  options: HubBackupOptions = {},
): Promise<FolderBackup> {
  const asked = await askForBackup(data, place, options)
  if (asked !== null) return { ...asked, by: 'running hub' }
  const folder = await examineHubFolder(data)
  try {
    if (folder.fault !== null) throw folder.fault
    const backup = await folder.backUp(place, {
      ...options,
      at: systemClock.now(),
      beside: besideStore,
    })
    return { ...backup, by: 'this process' }
  } finally {
    await folder.close()
  }
}
