/**
 * One batch to the LevelDB of a folder. What `abstract-level` does for each operation on its way (two copies, encodings, hooks)
 * takes several times as long as LevelDB itself, and in the end hands text keys and values of bytes on as they are: so here they
 * are handed over at once.
 */
import { Level } from 'level'
import { batchOptions } from './gate/database-gate.ts'
import type { LevelDatabase, Operation } from './level-database.ts'

/** The half of a database that `abstract-level` documents for implementations, and leaves out of its types. */
interface Implementation {
  _batch(operations: readonly Operation[], options: { readonly sync: boolean }): Promise<void>
}

/** All or nothing. */
export function writeBatch(
  database: LevelDatabase,
  operations: readonly Operation[],
  sync: boolean,
): Promise<void> {
  // One that is not open says so in the ordinary way.
  if (!(database instanceof Level) || database.status !== 'open') {
    return database.batch<string, Uint8Array>([...operations], batchOptions(sync))
  }
  return (database as unknown as Implementation)._batch(operations, { sync })
}
