/**
 * A folder is verified afresh after a repair, as whoever opens it next finds it: what has faults then is not called repaired,
 * whatever the repair itself thought of it.
 */
import { SyncError, type Namespace } from '@rejoin/core'
import { untouched, type RepairedNamespace } from './repair-report.ts'
import { verifyFolder, type FolderReport } from './verifying.ts'

type Results = readonly RepairedNamespace[]

/** @param only that one alone was repaired; null where all were. */
export async function verifiedAfresh(
  folder: string,
  results: Results,
  only: Namespace | null,
): Promise<Results> {
  const faults = faultsIn(await reportOf(folder))
  // What was not done, and says so, has its faults still.
  for (const { namespace, outcome } of results)
    if (outcome === 'needs discard' || outcome === 'impossible') faults.delete(namespace)
  if (only !== null)
    for (const namespace of faults.keys())
      if (namespace !== null && namespace !== only) faults.delete(namespace)
  const marked = results.map((result): RepairedNamespace => {
    const left = result.namespace === null ? undefined : faults.get(result.namespace)
    if (left === undefined) return result
    faults.delete(result.namespace)
    return unsound(result, left)
  })
  // Last the folder as a whole, of which several things may have been repaired, and what nobody has named.
  return [...marked, ...Array.from(faults, ([namespace, left]) => unsound(untouched(namespace), left))]
}

async function reportOf(folder: string): Promise<Pick<FolderReport, 'fault' | 'namespaces'>> {
  try {
    return await verifyFolder(folder)
  } catch (error) {
    if (!(error instanceof SyncError)) throw error
    return { fault: `it could not be verified: ${error.message}`, namespaces: [] }
  }
}

/** Sentences; under null of the folder as a whole. */
function faultsIn({ fault, namespaces }: Pick<FolderReport, 'fault' | 'namespaces'>) {
  const faults = new Map<Namespace | null, readonly string[]>()
  for (const report of namespaces)
    if (report.faults.length > 0)
      faults.set(
        report.namespace,
        report.faults.map(({ message }) => message),
      )
  if (fault !== null) faults.set(null, [fault])
  return faults
}

function unsound(result: RepairedNamespace, left: readonly string[]): RepairedNamespace {
  const faults = [...result.faults, ...left.map((fault) => `it is not sound afterwards: ${fault}`)]
  return { ...result, outcome: 'impossible', faults, advice }
}

const advice =
  'repair it again, which plans anew from what is there now; where that ends the same, restore a backup or a copy of the folder. ' +
  'What was taken out is saved beside the folder'
