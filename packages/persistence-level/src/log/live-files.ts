/** What LevelDB makes of the files in a database when it opens it: which logs it replays, and which tables it keeps. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileListReading, type ListedTable } from './file-list.ts'
import { readLog } from './log-file.ts'
import type { LogReport } from './log-reading.ts'

export interface LiveFiles {
  /** LevelDB's list of its files. */
  readonly manifest: {
    readonly name: string
    readonly report: LogReport
    /** A log that it names and that is not there: it has lost its end, or somebody took the log away. Null as a rule. */
    readonly missingLog: string | null
  }
  /** Names of the logs that are replayed, oldest first: those that the list names, and all newer ones. */
  readonly logs: readonly string[]
  readonly tables: readonly LiveTable[]
  /** Names of tables that are listed and not there: they keep LevelDB from opening. */
  readonly missingTables: readonly string[]
}

/** That is in the folder. */
export interface LiveTable {
  readonly name: string
  /** LevelDB deletes it on opening where it is not. */
  readonly isListed: boolean
  /** What the list says of it; null where it is not listed. */
  readonly listed: ListedTable | null
  /** While it replays its logs LevelDB may write another table over it, in its place. */
  readonly isFree: boolean
}

/** Null where CURRENT, or the list that it names, does not read: then LevelDB opens nothing, and says so. */
export async function liveFiles(database: string): Promise<LiveFiles | null> {
  const current = await readFile(join(database, 'CURRENT'), 'utf8').catch(nullWhereMissing)
  const name = current === null ? null : (/^(MANIFEST-\d+)\n$/.exec(current)?.[1] ?? null)
  if (name === null) return null
  const reading = new FileListReading()
  const report = await readLog(join(database, name), 'edit', (edit) => reading.take(edit)).catch(
    nullWhereMissing,
  )
  const list = reading.end()
  if (report === null || list === null) return null
  const files = (await readdir(database)).flatMap((each) => {
    const [, number, kind] = /^(\d+)\.(log|ldb|sst)$/.exec(each) ?? []
    return number === undefined ? [] : [{ name: each, number: Number(number), isLog: kind === 'log' }]
  })
  const { oldestLog, previousLog, nextFile } = list
  const logs = files.filter(
    ({ number, isLog }) => isLog && (number >= oldestLog || (number === previousLog && number > 0)),
  )
  const tables = files
    .filter(({ isLog }) => !isLog)
    .map(({ name: table, number }) => {
      const listed = list.tables.get(number) ?? null
      const isListed = listed !== null
      return { name: table, isListed, listed, isFree: !isListed && number >= nextFile }
    })
  const isLogThere = logs.some(({ number }) => number === oldestLog)
  const missingLog = isLogThere ? null : `${numberText(oldestLog)}.log`
  const there = new Set(files.flatMap(({ number, isLog }) => (isLog ? [] : [number])))
  const missing = [...list.tables.keys()].filter((number) => !there.has(number))
  return {
    manifest: { name, report, missingLog },
    logs: logs.sort((a, b) => a.number - b.number).map((log) => log.name),
    tables,
    missingTables: missing.map((number) => `${numberText(number)}.ldb`),
  }
}

function numberText(number: number): string {
  return String(number).padStart(6, '0')
}

export function nullWhereMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
  throw error
}
