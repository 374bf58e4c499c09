/**
 * Repairing a folder: what can be restored is restored, what would have to be dropped for that is dropped only where that was
 * asked for, and saved beside the folder first. A report says of each namespace what was wrong, what was done and what is
 * left to do.
 */
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { SyncError, type AnyDomain, type Namespace } from '@rejoin/core'
import { intents } from '@rejoin/intents'
import {
  endRebuilding,
  examineReplicaFolder,
  mendFiles,
  whileRepairing,
  type MendedFile,
} from '@rejoin/persistence-level/node'
import { findingEvents, type HearFinding } from './finding.ts'
import { healFrom } from './healing-from.ts'
import { repairHubFolder } from './hub-repair.ts'
import { makeAnew } from './new-database.ts'
import { impossible, untouched, type RepairedNamespace, type RepairReport } from './repair-report.ts'
import { verifiedAfresh } from './repair-check.ts'
import { repairReplicaFolder } from './replica-repair.ts'
import { SalvageFile } from './salvage-file.ts'
import { systemClock } from './system-clock.ts'
import { kindOf } from './verifying.ts'

export interface RepairOptions {
  /** That one alone; the folder as a whole is looked at in any case. */
  readonly namespace?: Namespace
  /** Drop what stands in the way of a repair, once it is saved beside the folder. */
  readonly discard?: boolean
  /** A replica's folder that brings back what a hub has lost, and the domains of its namespaces. */
  readonly from?: { readonly data: string; readonly domains: readonly AnyDomain[] }
  /** Those that a replica may be of which cannot say it itself; the intents domain where they are left out. */
  readonly domains?: readonly AnyDomain[]
  /** Where the report goes; beside the folder where it is left out. */
  readonly report?: string
}

/** @throws SyncError FOLDER_FOREIGN, NAMESPACE_UNKNOWN, STORE_LOCKED, STORE_FULL */
export async function repairFolder(data: string, options: RepairOptions = {}): Promise<RepairReport> {
  const folder = resolve(data)
  return await whileRepairing(folder, () => repairAlone(folder, options))
}

/** Nobody else repairs it meanwhile. */
async function repairAlone(folder: string, options: RepairOptions): Promise<RepairReport> {
  await endRebuilding(folder)
  const files = (await mendFiles(folder)).map(mendedFile)
  const kind = await kindOf(folder)
  const { namespace, discard: isDiscarding = false, from, domains = [intents] } = options
  if (from !== undefined && kind === 'replica')
    throw new SyncError('INPUT_INVALID', 'a replica is healed by its hub: sync it')
  const at = systemClock.now()
  const stem = `${folder}.repair-${stampOf(at)}`
  const report = resolve(options.report ?? `${stem}.json`)
  const salvage = new SalvageFile(`${stem}.values.jsonl`)
  const remarks: string[] = []
  const remark = (text: string): void => {
    if (!remarks.includes(text)) remarks.push(text)
  }
  const hear: HearFinding = (found, path, whose) => {
    for (const { level, message } of findingEvents(found, path, whose)) if (level === 'warn') remark(message)
  }
  const placeOf = (name: Namespace) =>
    from === undefined ? Promise.resolve(null) : placeIn(from.data, name, hear)
  const how = { only: namespace ?? null, isDiscarding, salvage, hear, remark, domains, placeOf }
  try {
    const repair = kind === 'hub' ? repairHubFolder : repairReplicaFolder
    const { results: made, isAll } = await makeAnew(folder, kind, how)
    const repaired = isAll ? [] : await repair(folder, how).catch(impossibleWhereCorrupt)
    const healed =
      from === undefined ? [] : await healFrom(folder, from.data, from.domains, namespace ?? null, hear)
    const path = salvage.values === 0 ? null : salvage.path
    const results = [...files, ...made, ...repaired]
    const isWritten =
      results.some(({ outcome }) => outcome === 'repaired') ||
      healed.some(({ outcome }) => outcome === 'healed')
    const namespaces = isWritten ? await verifiedAfresh(folder, results, how.only) : results
    const done = { folder, kind, at, isDiscarding, namespaces, healed, report, salvage: path, remarks }
    await writeFile(report, `${JSON.stringify(done, null, 2)}\n`, { flush: true, mode: 0o600 })
    return done
  } finally {
    await salvage.close()
  }
}

function mendedFile({ fault, step }: MendedFile): RepairedNamespace {
  return { ...untouched(null), outcome: 'repaired', faults: [fault], steps: [step] }
}

/** LevelDB itself cannot open it, or read its own files. */
function impossibleWhereCorrupt(error: unknown): readonly RepairedNamespace[] {
  if (error instanceof SyncError && error.code === 'STORE_CORRUPT') return [impossible(null, error)]
  throw error
}

/** What a replica's folder knows of a namespace; null where it holds none of it. */
async function placeIn(data: string, namespace: Namespace, hear: HearFinding) {
  const folder = await examineReplicaFolder(data)
  hear(folder.found, data, 'replica')
  try {
    const { meta } = await folder.examine(namespace)
    const epoch = meta?.cursor?.epoch
    return meta === null || epoch === undefined ? null : { epoch, domain: meta.identity.domain }
  } finally {
    await folder.close()
  }
}

/** `20261121T190000123Z`: in the order of time, and fit for the name of a file. */
function stampOf(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:.]/g, '')
}
