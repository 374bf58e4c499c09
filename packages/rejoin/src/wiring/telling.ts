/**
 * Tells the logs of a hub's folder what they may have lost: of one that was restored, or whose last batches went with the
 * power, whoever noticed it first. A log counts as told when it says so itself; until then it is told again.
 */
import type { Clock } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { markRestored, type HubLogEvent, type MarkedNamespace } from '@rejoin/hub'
import type { HubFolder } from '@rejoin/persistence-level/node'

/** Before anybody is served. Damaged namespaces are told when they are repaired. @throws SyncError as `markRestored` */
export async function tellLogs(folder: HubFolder, clock: Clock): Promise<readonly MarkedNamespace[]> {
  const untold = await folder.untold()
  if (untold.length === 0) return []
  const marked = await markRestored(folder.store, yjsCrdt.updates, clock, untold)
  for (const { namespace, error } of marked) if (error === null) await folder.told(namespace)
  return marked
}

export function tellingEvents(marked: readonly MarkedNamespace[]): readonly HubLogEvent[] {
  return marked.map(({ namespace, error }): HubLogEvent =>
    error === null
      ? {
          level: 'warn',
          namespace,
          message: `${namespace} may have lost the end of its log, and was told so: replicas that have it bring it back`,
        }
      : {
          level: 'error',
          namespace,
          message: `${namespace} may have lost the end of its log, and could not be told so: repair it (rejoin repair)`,
          error,
        },
  )
}
