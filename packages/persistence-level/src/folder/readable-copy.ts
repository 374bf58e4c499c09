/**
 * What can be read of a database of which some block or table cannot be read, as a database of its own. It is read from the files,
 * past LevelDB, which tidies those that it opens, and may end the process over one that is damaged: those of the folder stay as they are.
 */
import { SyncError } from '@rejoin/core'
import { hubKeys } from '../hub/hub-keys.ts'
import { readableEntries } from '../hub/readable-entries.ts'
import type { KeyRange } from '../level-database.ts'
import { readableValues } from '../replica/readable-values.ts'
import { replicaKeys } from '../replica/replica-keys.ts'
import type { SealedDatabase } from '../sealed-database.ts'
import { writeDatabase, type Entry } from './database-copy.ts'
import { FileMoment } from './file-moment.ts'
import type { FolderKind } from './marker.ts'

/** What keeps LevelDB from reading its own files. */
export interface Unreadable {
  readonly fault: SyncError
  /** It shows every value, and does not find some of them by their keys: a database made anew of what it shows lacks nothing. */
  readonly isAllShown: boolean
}

/** Null where LevelDB reads all of it, in either way. What the values say is not looked at. */
export async function unreadableIn(database: SealedDatabase, kind: FolderKind): Promise<Unreadable | null> {
  const moment = await database.moment()
  try {
    const { unread, hidden, hiddenCount } = await moment.compare(rangeOf(kind))
    // Where in the range it met that LevelDB does not say: it goes on, and tells in the end.
    if (unread !== null) return { fault: unread, isAllShown: false }
    if (hiddenCount === 0) return null
    return { fault: notFound(database.name, hidden, hiddenCount), isAllShown: true }
  } finally {
    await moment.close()
  }
}

function notFound(name: string, hidden: readonly string[], count: number): SyncError {
  const [key = ''] = hidden
  const what = count === 1 ? `${key}, which is there` : `${key} and ${count - 1} more values, which are there`
  const why = `LevelDB does not find ${what}: an index or a filter of ${name} is damaged`
  return new SyncError(
    'STORE_CORRUPT',
    `${why}; \`rejoin repair\` makes it anew, and nothing is lost by that`,
    {
      path: key,
    },
  )
}

function rangeOf(kind: FolderKind): KeyRange {
  return (kind === 'hub' ? hubKeys : replicaKeys).all
}

/**
 * Nobody may have the database open, and LevelDB does not either. Where nothing is hidden all of it is in what is made. Otherwise what
 * lacks something is told by whoever opens that: a hub's namespace is closed, or the store is damaged as a whole; a replica misses what
 * it counts.
 * @throws SyncError STORE_CORRUPT where LevelDB's own list of its files does not read, STORE_FULL, STORE_UNAVAILABLE
 */
export async function copyReadable(from: string, to: string, kind: FolderKind): Promise<void> {
  const moment = await FileMoment.open(from)
  await writeDatabase(to, moment.isWhole ? moment.entries(rangeOf(kind)) : readable(moment, kind))
}

function readable(moment: FileMoment, kind: FolderKind): AsyncIterable<Entry> {
  const begin = (): Promise<FileMoment> => Promise.resolve(moment)
  return kind === 'hub' ? readableEntries(begin, 'the store record') : readableValues(begin)
}
