/**
 * A folder's database made anew before its namespaces are repaired, where LevelDB does not open it, has lost tables that are kept,
 * or cannot read all of it. It is repaired where it was made, and takes the other one's place only where nothing is given up by
 * that unasked; the other one is kept in any case.
 */
import { SyncError } from '@rejoin/core'
import {
  examineHubFolder,
  examineReplicaFolder,
  rebuildFolder,
  rebuildReadable,
  type RebuiltFolder,
} from '@rejoin/persistence-level/node'
import type { HearFinding } from './finding.ts'
import { repairHubFolder } from './hub-repair.ts'
import { untouched, type RepairedNamespace, type RepairManner } from './repair-report.ts'
import { repairReplicaFolder } from './replica-repair.ts'

type Kind = 'hub' | 'replica'
type Results = readonly RepairedNamespace[]

export interface NewDatabase {
  /** What was done, or would be; none where the database is sound, or nothing can be made of it. */
  readonly results: Results
  /** Whether that is all: nothing was changed, since something would be given up. */
  readonly isAll: boolean
}

const none: NewDatabase = { results: [], isAll: false }

export async function makeAnew(folder: string, kind: Kind, manner: RepairManner): Promise<NewDatabase> {
  const { refusal, unreadable } = await readingOf(folder, kind, manner.hear)
  const rebuilt = await rebuildFolder(folder, refusal).catch(nullWhereCorrupt)
  if (rebuilt !== null) {
    const tried = await tryOut(rebuilt, kind, manner)
    if (tried !== null && tried.length > 0 && tried.every(isSound)) {
      const step = "make the database anew of all of LevelDB's tables and logs"
      return { results: await taken(rebuilt, tried, step, manner), isAll: false }
    }
    await rebuilt.discard()
  }
  return unreadable === null ? none : await withoutUnreadable(folder, kind, unreadable, manner)
}

async function withoutUnreadable(
  folder: string,
  kind: Kind,
  fault: string,
  manner: RepairManner,
): Promise<NewDatabase> {
  const copy = await rebuildReadable(folder, kind, fault).catch(nullWhereCorrupt)
  const tried = copy === null ? null : await tryOut(copy, kind, manner)
  if (copy === null || tried === null) {
    await copy?.discard()
    return none
  }
  const step = 'make the database anew of all that LevelDB can read'
  if (isTakeable(kind, tried, manner))
    return { results: await taken(copy, tried, step, manner), isAll: false }
  await copy.discard()
  const waiting: RepairedNamespace = {
    ...untouched(null),
    outcome: 'needs discard',
    faults: [fault],
    steps: [`${step}, and keep what is there`],
    advice: 'restore a copy of the folder, or repair with --discard',
  }
  return { results: [waiting, ...tried], isAll: true }
}

/**
 * A hub's namespace that lacks something is closed in it, and only where the store as a whole adds up it is certain that none is
 * missing. Of a replica that is never certain, and what waits in it nobody else has.
 */
function isTakeable(kind: Kind, tried: Results, { isDiscarding }: RepairManner): boolean {
  if (kind === 'replica') return isDiscarding && tried.every(({ outcome }) => outcome !== 'impossible')
  return isDiscarding || tried.every(({ namespace, outcome }) => namespace !== null || outcome === 'whole')
}

/** What can be done to it without dropping anything; null where LevelDB makes nothing of it. */
async function tryOut(made: RebuiltFolder, kind: Kind, manner: RepairManner): Promise<Results | null> {
  const repair = kind === 'hub' ? repairHubFolder : repairReplicaFolder
  try {
    return await repair(made.path, { ...manner, only: null, isDiscarding: false, hear: () => {} })
  } catch (error) {
    if (error instanceof SyncError && error.code === 'STORE_CORRUPT') return null
    await made.discard()
    throw error
  }
}

async function taken(
  made: RebuiltFolder,
  tried: Results,
  what: string,
  { only }: RepairManner,
): Promise<Results> {
  const before = await made.take()
  const step = `${what}; what was there is in ${before}`
  // The rest is looked at once more, where all of them are.
  const isLast = ({ namespace, outcome }: RepairedNamespace): boolean =>
    outcome === 'repaired' || (outcome !== 'whole' && only !== null && only !== namespace)
  return [
    { ...untouched(null), outcome: 'repaired', faults: [made.fault], steps: [step] },
    ...tried.filter(isLast),
  ]
}

/** Why LevelDB does not open its database, or opens it and cannot read all of it; null where it does. */
async function readingOf(
  folder: string,
  kind: Kind,
  hear: HearFinding,
): Promise<{ readonly refusal: string | null; readonly unreadable: string | null }> {
  try {
    const opened = await (kind === 'hub' ? examineHubFolder(folder) : examineReplicaFolder(folder))
    hear(opened.found, folder, kind)
    try {
      return { refusal: null, unreadable: (await opened.unreadable())?.message ?? null }
    } finally {
      await opened.close()
    }
  } catch (error) {
    if (error instanceof SyncError && error.code === 'STORE_CORRUPT')
      return { refusal: error.message, unreadable: null }
    throw error
  }
}

function isSound({ outcome }: RepairedNamespace): boolean {
  return outcome === 'whole' || outcome === 'repaired'
}

function nullWhereCorrupt(error: unknown): null {
  if (error instanceof SyncError && error.code === 'STORE_CORRUPT') return null
  throw error
}
