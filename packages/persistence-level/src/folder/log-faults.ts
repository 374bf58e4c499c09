/**
 * What LevelDB would pass over in silence when it replays its logs, looked for before it does, since it deletes them
 * afterwards (`HAZARDS.md` F4). What may be damage is kept aside in `rejoin.damaged/`; a tail that a crash cut, and tables that
 * LevelDB is about to delete, until it is known whether any of them is needed. Whether anything is missing that was acknowledged is
 * found by the stores; this says where to look, and never that nothing was lost where they found too little.
 */
import { join } from 'node:path'
import { SyncError, unreachable } from '@rejoin/core'
import { liveFiles, nullWhereMissing, type LiveFiles } from '../log/live-files.ts'
import { readLog } from '../log/log-file.ts'
import type { BatchHead, GapKind, LogEnd } from '../log/log-reading.ts'
import { DamagedShelf } from './damaged-shelf.ts'
import { KeptTables, type OpeningEnd } from './kept-tables.ts'
import type { LeftLease } from './lease.ts'

export type LogFault =
  | {
      /** The end of a file: LevelDB drops it, and nothing whole is in it. */
      readonly kind: 'cut'
      /** Of the database: `000012.log`, `MANIFEST-000004`. */
      readonly file: string
      /** Where it is cut, and how many bytes go, which are the file's last. */
      readonly at: number
      readonly bytes: number
      readonly how: GapKind
      /** LevelDB's number of the batch that was being written, and how many writes it was to have, where that is there. */
      readonly batch: BatchHead | null
      /**
       * What of all that was acknowledged may be in it: `nothing`, after a crash of a process that synced each batch; what was
       * acknowledged as `applied` and not yet synced, where nobody knows that it did; or `anything`, where it may be damage.
       */
      readonly mayHold: 'nothing' | 'applied' | 'anything'
      /** The folder holds less than was acknowledged: then it was in here, whatever cut it. */
      readonly isMissed: boolean
      /** Where in the folder the whole file is kept; null where it is a crash's for sure, or many are kept already. */
      readonly kept: string | null
    }
  | {
      /** LevelDB passes over a part of the file, and goes on behind it. */
      readonly kind: 'damaged'
      readonly file: string
      /** Where it begins, and how many bytes are passed over. */
      readonly at: number
      readonly bytes: number
      /** Null where many are kept already. */
      readonly kept: string | null
    }
  | {
      /** LevelDB's list of its tables did not name all of them, in this opening or an earlier one, and it deleted the others. */
      readonly kind: 'unlisted'
      /** How many tables are kept, and where in the folder. */
      readonly tables: number
      readonly kept: string
    }

export interface LogExamination {
  /** What is known before the database is opened. */
  readonly faults: readonly LogFault[]
  /** Call it when that has ended. @returns what there is to tell: where it was `damaged`, also of what earlier openings kept. */
  settle(end: OpeningEnd): Promise<readonly LogFault[]>
  /** Lets go what was kept aside just now: somebody else has the folder. */
  undo(): Promise<void>
}

/**
 * Reads every log that LevelDB will replay, whole: it is at most LevelDB's write buffer and a batch, as a rule.
 * @param left the lease that the process before did not give up; null where it closed the folder in order.
 * Errors are the system's: a log that cannot be read now LevelDB would take for one that ends there.
 */
export async function examineLogs(folder: string, left: LeftLease | null): Promise<LogExamination> {
  const database = join(folder, 'db')
  const shelf = new DamagedShelf(folder)
  const faults: LogFault[] = []
  const held = new Map<LogFault, string | null>()
  const live = await liveFiles(database)
  for (const { file, end } of await endsOf(database, live)) {
    if (end.kind === 'damaged')
      faults.push({ ...end, file, kept: await shelf.keep(join(database, file), file) })
    if (end.kind !== 'cut') continue
    // A list from before a log that is gone: what named the tables that were made of it is not the last write.
    const how = file === live?.manifest.name && live.manifest.missingLog !== null ? 'mismatch' : end.how
    // The power may have taken the lease too, so none is no proof that the folder was closed in order.
    const isCrash = left !== null && how !== 'mismatch'
    const kept = isCrash ? null : await shelf.keep(join(database, file), file)
    const fault: LogFault = { ...end, file, mayHold: mayHoldOf(how, left), isMissed: false, kept }
    faults.push(fault)
    // Whether it is a crash's is proved by the count, once LevelDB has deleted it.
    if (isCrash) held.set(fault, await shelf.hold(join(database, file), file))
  }
  const tables = await KeptTables.keep(folder, live)
  return {
    faults,
    settle: async (end) => {
      const kept = await tables.settle(end)
      const unlisted: readonly LogFault[] = kept === null ? [] : [{ kind: 'unlisted', ...kept }]
      if (end === 'whole') await shelf.release()
      if (end === 'whole' || end === 'unknown') return [...faults, ...unlisted]
      const confirmed = await shelf.confirm()
      const settled = faults.map((fault) => {
        const name = held.get(fault) ?? null
        return settledFault(fault, end, name === null ? fault.kept : (confirmed.get(name) ?? null))
      })
      const earlier = end === 'damaged' ? await earlierFaults(folder, shelf, settled) : []
      return [...settled, ...earlier, ...unlisted]
    },
    undo: async () => {
      await shelf.undo()
      await tables.undo()
    },
  }
}

interface FileEnd {
  readonly file: string
  readonly end: LogEnd
}

async function endsOf(database: string, live: LiveFiles | null): Promise<readonly FileEnd[]> {
  if (live === null) return []
  const ends: FileEnd[] = [{ file: live.manifest.name, end: live.manifest.report.end }]
  let isNewest = true
  for (const file of live.logs.toReversed()) {
    const report = await readLog(join(database, file), 'batch').catch(nullWhereMissing)
    if (report === null) continue
    ends.push({ file, end: isNewest ? report.end : inTheMiddle(report.end) })
    if (report.records > 0) isNewest = false
  }
  return ends
}

/** LevelDB goes on with the next log. */
function inTheMiddle(end: LogEnd): LogEnd {
  return end.kind === 'cut' ? { kind: 'damaged', at: end.at, bytes: end.bytes } : end
}

function mayHoldOf(how: GapKind, left: LeftLease | null): 'nothing' | 'applied' | 'anything' {
  if (how === 'mismatch') return 'anything'
  return left?.durability === 'durable' ? 'nothing' : 'applied'
}

function settledFault(fault: LogFault, end: 'short' | 'damaged', kept: string | null): LogFault {
  if (fault.kind !== 'cut') return fault
  if (end === 'damaged') return { ...fault, mayHold: 'anything', isMissed: true, kept }
  return { ...fault, mayHold: fault.mayHold === 'nothing' ? 'anything' : fault.mayHold, kept }
}

/** Of files that LevelDB has deleted since: whoever opened the folder first may have been told, and nobody else. */
async function earlierFaults(
  folder: string,
  shelf: DamagedShelf,
  told: readonly LogFault[],
): Promise<readonly LogFault[]> {
  const faults: LogFault[] = []
  for (const { file, kept } of await shelf.files()) {
    if (told.some((fault) => fault.kept === kept)) continue
    const content = file.startsWith('MANIFEST') ? 'edit' : 'batch'
    const report = await readLog(join(folder, kept), content).catch(nullWhereMissing)
    if (report === null || report.end.kind === 'whole') continue
    const { end } = report
    faults.push(
      end.kind === 'damaged'
        ? { ...end, file, kept }
        : { ...end, file, mayHold: 'anything', isMissed: true, kept },
    )
  }
  return faults
}

/** What is to be said of a folder that was opened. `path`: of the folder, for people. */
export function logFaultText(fault: LogFault, path: string): string {
  if (fault.kind === 'unlisted')
    return `${logFaultPlace(fault, path)}; LevelDB has gone on without them: \`rejoin verify\` says whether anything is missing, and \`rejoin repair\` makes use of them`
  const { file } = fault
  if (fault.kind === 'damaged')
    return `${logFaultPlace(fault, path)}; LevelDB passed over them, and what was acknowledged may have been in them: \`rejoin verify\` says whether anything is missing`
  const dropped = `${bytesText(fault.bytes)} at the end of ${file} were dropped${keptText(fault, path)}`
  if (fault.isMissed) {
    const aside = fault.kept === null ? '' : ', and are kept aside'
    return `${path} has lost its end: ${dropped}; acknowledged writes were in them${aside}: \`rejoin verify\` says what is missing`
  }
  const crash = `the last write to ${path} was cut short by a crash: ${dropped}`
  switch (fault.mayHold) {
    case 'nothing':
      return `${crash}; nothing acknowledged was in them`
    case 'applied':
      return `${crash}; nothing acknowledged as durable was in them, what was acknowledged as applied may have been`
    case 'anything':
      if (fault.how !== 'mismatch')
        return `the last write to ${path} was cut short: ${dropped}; nobody can tell whether acknowledged writes were in them: \`rejoin verify\` says whether anything is missing`
      return `the last write to ${path} is not what was written: ${dropped}; a power cut may leave that, and then nothing acknowledged as durable was in them, and so may damage: \`rejoin verify\` says whether anything is missing`
    default:
      return unreachable(fault.mayHold)
  }
}

/** Says, too, where what is missing may be. `folder`: its path, for people. */
export function withLogFaults(error: SyncError, faults: readonly LogFault[], folder: string): SyncError {
  if (faults.length === 0) return error
  const places = faults.map((fault) => logFaultPlace(fault, folder))
  const isHoled = faults.some(({ kind }) => kind === 'damaged')
  const message = [error.message, ...places, ...(isHoled ? [holed] : [])].join('; ')
  return new SyncError(error.code, message, {
    cause: error,
    ...(error.path === null ? {} : { path: error.path }),
  })
}

const holed =
  'whose write was in them nobody can tell, so all of the folder stays shut: restore a backup; or go on with what is there ' +
  '(`rejoin repair --discard`), and what was exchanged comes back from replicas, or from the hub'

/** Where the files of a folder that could not be opened are not whole. */
export function logFaultPlace(fault: LogFault, path: string): string {
  if (fault.kind === 'unlisted') {
    const tables =
      fault.tables === 1
        ? 'a table that it does not name is'
        : `${fault.tables} tables that it does not name are`
    return `LevelDB's list of its files has lost its end: ${tables} kept in ${join(path, fault.kept)}`
  }
  const { kind, file, at, bytes } = fault
  const where = kind === 'cut' ? 'at its end' : `the first at ${at}`
  return `${file} has ${bytesText(bytes)} that are no whole record, ${where}${keptText(fault, path)}`
}

function keptText({ kept }: Pick<LogFault, 'kept'>, path: string): string {
  return kept === null ? '' : ` (as it was: ${join(path, kept)})`
}

function bytesText(bytes: number): string {
  return `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`
}
