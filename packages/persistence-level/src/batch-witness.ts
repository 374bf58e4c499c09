/**
 * How many batches were acknowledged, remembered outside the database. A damaged end of LevelDB's log is dropped in
 * silence (`HAZARDS.md` F4) and leaves a store that is whole, consistent and too short: only somebody else can tell.
 */
export interface BatchWitness {
  /** The database must hold at least so many: they were synced. A store with fewer is STORE_CORRUPT. */
  readonly batchesMin: number
  /** Called when the store opens, with how many there are. */
  opened(batches: number): void
  /** Called after each batch that was written, with how many there are now. */
  written(batches: number): void
}

export const noWitness: BatchWitness = { batchesMin: 0, opened: () => {}, written: () => {} }
