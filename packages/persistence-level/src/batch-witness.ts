/**
 * How many batches were acknowledged, remembered outside the database. A damaged end of LevelDB's log is dropped in
 * silence (`HAZARDS.md` F4) and leaves a store that is whole, consistent and too short: only somebody else can tell.
 */
export interface BatchWitness {
  /** The database must hold at least so many: they were synced. A store with fewer is STORE_CORRUPT. */
  readonly batchesMin: number
  /** How many were written, synced or not: a store with fewer has lost some, which it notes before it calls `opened`. */
  readonly batches: number
  /** Called when the store opens, with how many there are; what is missing is forgotten here from then on. */
  opened(batches: number): void
  /** Called after each batch that was written, with how many there are now. */
  written(batches: number): void
}

export const noWitness: BatchWitness = { batchesMin: 0, batches: 0, opened: () => {}, written: () => {} }
