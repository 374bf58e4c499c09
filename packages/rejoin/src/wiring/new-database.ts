/**
 * A folder's database made anew before its namespaces are repaired, where LevelDB does not open it, has lost tables that are kept,
 * cannot read all of it, or does not find all that it shows. It is repaired where it was made, and takes the other one's place only where nothing is given up by
 * that unasked; the other one is kept in any case.
 */
import { SyncError } from '@rejoin/core'
import {
  examineHubFolder,
  examineReplicaFolder,
  rebuildFolder,
  rebuildReadable,
  type RebuiltFolder,
  type Unreadable,
} from '@rejoin/persistence-level/node'
import type { HearFinding } from './finding.ts'
import { repairHubFolder } from './hub-repair.ts'
import { impossible, untouched, type RepairedNamespace, type RepairManner } from './repair-report.ts'
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
      const { results } = await taken(rebuilt, tried, step, manner)
      return { results, isAll: false }
    }
    await rebuilt.discard()
  }
  return unreadable === null ? none : await ofReadable(folder, kind, unreadable, manner)
}

async function ofReadable(
  folder: string,
  kind: Kind,
  unreadable: Unreadable,
  manner: RepairManner,
): Promise<NewDatabase> {
  const { isAllShown } = unreadable
  const fault = unreadable.fault.message
  const copy = await rebuildReadable(folder, kind, fault).catch(nullWhereCorrupt)
  const tried = copy === null ? null : await tryOut(copy, kind, manner)
  if (copy === null || tried === null) {
    await copy?.discard()
    if (!isAllShown) return none
    // What is not found in place would be taken for lost.
    return { results: [{ ...impossible(null, unreadable.fault), advice: inPlaceAdvice }], isAll: true }
  }
  const what = isAllShown ? 'all that is there' : 'all that can be read'
  const step = `make the database anew of ${what}`
  const isUncertain = !isAllShown && !isComplete(kind, tried)
  if (isAllShown || isTakeable(kind, tried, manner)) {
    const { before, results } = await taken(copy, tried, step, manner)
    if (isUncertain) manner.remark(perhapsGoneText(kind, `what was there is kept in ${before}`))
    return { results, isAll: false }
  }
  await copy.discard()
  if (isUncertain)
    manner.remark(perhapsGoneText(kind, '--discard keeps what is there in rejoin.damaged/before-repair'))
  const waiting: RepairedNamespace = {
    ...untouched(null),
    outcome: 'needs discard',
    faults: [fault],
    steps: [`${step}, and keep what is there`],
    advice: 'restore a copy of the folder, or repair with --discard',
  }
  return { results: [waiting, ...tried], isAll: true }
}

// Of a backup, or where tables were lost besides.
const inPlaceAdvice =
  'it is not made anew here, since it is a backup, or tables are kept in rejoin.damaged: restore it (`rejoin restore` makes a new ' +
  "folder of a hub's), or restore a copy of the folder"

/**
 * A hub's namespace that lacks something is closed in it, and only where the store as a whole adds up it is certain that none is
 * missing. Of a replica that is never certain, and what waits in it nobody else has.
 */
function isComplete(kind: Kind, tried: Results): boolean {
  return kind === 'hub' && tried.every(({ namespace, outcome }) => namespace !== null || outcome === 'whole')
}

function isTakeable(kind: Kind, tried: Results, { isDiscarding }: RepairManner): boolean {
  if (!isDiscarding) return isComplete(kind, tried)
  return kind === 'hub' || tried.every(({ outcome }) => outcome !== 'impossible')
}

/** @param then what is done with what cannot be read */
function perhapsGoneText(kind: Kind, then: string): string {
  const what =
    kind === 'hub'
      ? 'records, and whole namespaces that are not named here, may be in it (whoever comes first begins such a one anew: let a ' +
        'replica that has all of it be the first to sync)'
      : 'commits that waited, and whole namespaces that are not named here, may be in it'
  return `LevelDB cannot read some of this folder, and nobody can say what that is: ${what}; ${then}`
}

/** What can be done to it without dropping anything; null where LevelDB makes nothing of it. */
async function tryOut(made: RebuiltFolder, kind: Kind, manner: RepairManner): Promise<Results | null> {
  const repair = kind === 'hub' ? repairHubFolder : repairReplicaFolder
  try {
    return await repair(made.path, {
      ...manner,
      only: null,
      isDiscarding: false,
      hear: () => {},
      remark: () => {},
    })
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
): Promise<{ readonly before: string; readonly results: Results }> {
  const before = await made.take()
  const step = `${what}; what was there is in ${before}`
  // The rest is looked at once more, where all of them are.
  const isLast = ({ namespace, outcome }: RepairedNamespace): boolean =>
    outcome === 'repaired' || (outcome !== 'whole' && only !== null && only !== namespace)
  const first = { ...untouched(null), outcome: 'repaired', faults: [made.fault], steps: [step] } as const
  return { before, results: [first, ...tried.filter(isLast)] }
}

/** Why LevelDB does not open its database, or what keeps it from reading all of it; null where nothing does. */
async function readingOf(
  folder: string,
  kind: Kind,
  hear: HearFinding,
): Promise<{ readonly refusal: string | null; readonly unreadable: Unreadable | null }> {
  try {
    const opened = await (kind === 'hub' ? examineHubFolder(folder) : examineReplicaFolder(folder))
    hear(opened.found, folder, kind)
    try {
      return { refusal: null, unreadable: await opened.unreadable() }
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
