/**
 * How a data folder was found, in words: that it was not closed in order is news; that something is lost, or was cut or damaged
 * in LevelDB's own files, is a warning.
 */
import type { HubLogEvent } from '@rejoin/hub'
import { logFaultText, type FolderFinding } from '@rejoin/persistence-level/node'

export type HearFinding = (found: FolderFinding, path: string, whose: 'hub' | 'replica') => void

/** What there is to tell; nothing where the folder was closed in order. */
export function findingEvents(found: FolderFinding, path: string, whose: 'hub' | 'replica'): HubLogEvent[] {
  const { isClosedInOrder, batchesLost, logFaults } = found
  const losses = batchesLost > 0 ? [lostText(batchesLost, path, whose)] : []
  const warnings = [...losses, ...logFaults.map((fault) => logFaultText(fault, path))]
  if (warnings.length > 0) return warnings.map((message) => ({ level: 'warn', namespace: null, message }))
  if (isClosedInOrder) return []
  const message = `${path} was not closed in order by the process before this one: by itself that loses nothing of what was answered`
  return [{ level: 'info', namespace: null, message }]
}

function lostText(batches: number, path: string, whose: 'hub' | 'replica'): string {
  const what = `${batches} ${batches === 1 ? 'batch' : 'batches'} written to ${path}`
  const why = 'went with the power: answered as applied, and not yet synced, as its sync policy allows'
  const then =
    whose === 'hub'
      ? 'replicas that were told of them are ahead of this hub'
      : 'commits saved in them are gone here, unless a hub has them, and its replicas get ids of their own'
  return `${what} ${why}; ${then}`
}
