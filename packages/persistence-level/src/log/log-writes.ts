/** The writes in a log of LevelDB, as it replays them: all of them in memory, as there. A log is a few MiB, and a batch. */
import * as decoding from 'lib0/decoding'
import { readLog } from './log-file.ts'
import type { TableEntry } from './table-file.ts'

/** Sequence (8) and count (4) stand before what a batch writes. */
const BATCH_HEAD_BYTES = 12
const DELETION = 0

/** @param write hears them in order: of one key the newest last. Errors are the system's. */
export async function readLogWrites(path: string, write: (entry: TableEntry) => void): Promise<void> {
  await readLog(path, 'whole batch', (batch) => {
    for (const entry of writesOf(batch)) write(entry)
  })
}

function writesOf(batch: Uint8Array): readonly TableEntry[] {
  const writes: TableEntry[] = []
  if (batch.length < BATCH_HEAD_BYTES) return writes
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength)
  let sequence = Number(view.getBigUint64(0, true))
  const decoder = decoding.createDecoder(batch.subarray(BATCH_HEAD_BYTES))
  try {
    while (decoding.hasContent(decoder)) {
      const isDeleted = decoding.readUint8(decoder) === DELETION
      const key = decoding.readVarUint8Array(decoder)
      writes.push({ key, sequence, value: isDeleted ? null : decoding.readVarUint8Array(decoder) })
      sequence += 1
    }
  } catch {
    // LevelDB takes what it read up to there. No checksum lets such a one through.
  }
  return writes
}
