/**
 * Reads the folder of a hub that is not running, wholly, as the hub would: it opens without repair and has no fault, and what a
 * crash cut off LevelDB's files held nothing that was acknowledged.
 */
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { readLog, verifyNamespace } from '@rejoin/hub'
import { openHubFolder, type FolderFinding } from '@rejoin/persistence-level/node'
import type { CommitLedger } from './commit-ledger.ts'

export interface HubFolderState {
  readonly head: number
  readonly floor: number
  /** Of the content; null while there is no namespace. */
  readonly digest: string | null
}

export async function checkHubFolder(data: string, ledger: CommitLedger): Promise<HubFolderState> {
  const folder = await openHubFolder(data)
  const { store } = folder
  try {
    checkCrash(folder.found)
    if ((await store.state('support')) !== 'present') {
      ledger.checkAckedLogged(0)
      return { head: 0, floor: 0, digest: null }
    }
    const { faults, head, floor, digest } = await verifyNamespace(store, yjsCrdt.updates, 'support')
    if (faults.length > 0) throw new Error(`faults in the log: ${JSON.stringify(faults)}`)
    await ledger.readLog(readLog(store, 'support'))
    ledger.checkAckedLogged(floor)
    return { head, floor, digest }
  } finally {
    await folder.close()
  }
}

/** @throws where it was found as no crash of a process that syncs each batch leaves it. */
export function checkCrash({ batchesLost, logFaults }: FolderFinding): void {
  const wrong = logFaults.filter((fault) => fault.kind !== 'cut' || fault.mayHold === 'anything')
  if (batchesLost === 0 && wrong.length === 0) return
  throw new Error(`after a crash ${batchesLost} batches are lost, and in the logs: ${JSON.stringify(wrong)}`)
}
