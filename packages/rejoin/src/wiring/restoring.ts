/** A hub's folder made of a backup: with an incarnation of its own, every log told that it may have lost its end, and verified. */
import { randomUUID } from 'node:crypto'
import { asSyncError, checkNamespace, type Namespace } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { verifyNamespace, type VerifyReport } from '@rejoin/hub'
import { restoreHub, type CopyProgress, type RestoredHub } from '@rejoin/persistence-level/node'
import { besideStore } from './backup-desk.ts'
import { systemClock } from './system-clock.ts'
import { tellLogs } from './telling.ts'

export interface RestoreReport extends RestoredHub {
  readonly namespaces: readonly VerifyReport[]
  /** Namespaces that are damaged in the backup: they are there, closed for writing, to be repaired. */
  readonly damaged: readonly { readonly namespace: Namespace; readonly message: string }[]
}

export interface RestoreOptions {
  readonly onProgress?: (progress: CopyProgress) => void
  readonly signal?: AbortSignal
}

/**
 * Replicas that have seen more than the backup holds are recognised, and bring back what they have of it.
 * @throws SyncError INPUT_INVALID where the place is not free; STORE_CORRUPT where the backup is damaged as a whole; and as
 * for opening a folder.
 */
export async function restoreBackup(
  backup: string,
  place: string,
  options: RestoreOptions = {},
): Promise<RestoreReport> {
  const namespaces: VerifyReport[] = []
  const damaged: { namespace: Namespace; message: string }[] = []
  const restored = await restoreHub(backup, place, {
    ...options,
    newIncarnation: randomUUID,
    beside: besideStore,
    finish: async (folder) => {
      const { store } = folder
      // Before anybody can serve it: a log that was not told would take a replica's history for none.
      for (const { namespace, error } of await tellLogs(folder, systemClock))
        if (error !== null) damaged.push({ namespace, message: error.message })
      for (const name of await store.namespaces()) {
        options.signal?.throwIfAborted()
        const namespace = checkNamespace(name)
        try {
          namespaces.push(await verifyNamespace(store, yjsCrdt.updates, namespace))
        } catch (error) {
          const { message } = asSyncError(error, 'STORE_CORRUPT', `${namespace} cannot be verified`)
          damaged.push({ namespace, message })
        }
      }
    },
  })
  return { ...restored, namespaces, damaged }
}
