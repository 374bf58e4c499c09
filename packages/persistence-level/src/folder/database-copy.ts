/** A LevelDB database made of values that come from elsewhere, as they are: all of it is on the disk when it resolves. */
import { Level } from 'level'
import type { Operation } from '../level-database.ts'
import { syncFolder } from './durable-files.ts'
import { syncLogs } from './log-files.ts'

export interface CopyProgress {
  readonly values: number
  readonly bytes: number
}

export type Entry = readonly [key: string, sealed: Uint8Array]

/** Bytes of values that are written together, unless one alone is larger. */
const batchBytes = 1024 * 1024

/** @param onProgress called about once for each MiB; what it throws ends the writing. */
export async function writeDatabase(
  path: string,
  entries: AsyncIterable<Entry>,
  onProgress: (progress: CopyProgress) => void = () => {},
): Promise<CopyProgress> {
  const database = new Level<string, string>(path, { errorIfExists: true })
  await database.open()
  let [values, bytes, waiting] = [0, 0, 0]
  let batch: Operation[] = []
  const write = async (): Promise<void> => {
    await database.batch<string, Uint8Array>(batch, { keyEncoding: 'utf8', valueEncoding: 'view' })
    batch = []
    waiting = 0
    onProgress({ values, bytes })
  }
  try {
    for await (const [key, value] of entries) {
      batch.push({ type: 'put', key, value })
      values += 1
      bytes += value.length
      waiting += value.length
      if (waiting >= batchBytes) await write()
    }
    await write()
    await syncLogs(path)
  } finally {
    await database.close()
  }
  await syncFolder(path)
  return { values, bytes }
}
