/** Stands in the way of what any LevelDB of this process does. `vi.restoreAllMocks` takes it away. */
import { open } from 'node:fs/promises'
import { Level } from 'level'
import { vi } from 'vitest'

type Method = (this: unknown, ...args: unknown[]) => Promise<void>

// The private half of an abstract-level database, which its types leave out.
const prototype = Level.prototype as unknown as { _batch: Method; _open: Method }
const { _batch: batch, _open: reallyOpen } = prototype

/** Returns how many batches were asked for from now on; `around`, the last one given, decides what becomes of each. */
export function batchesOnDisk(
  around: (write: () => Promise<void>, synced: boolean) => Promise<void> = (write) => write(),
): () => number {
  let batches = 0
  vi.spyOn(prototype, '_batch').mockImplementation(function (this: unknown, ...args: unknown[]) {
    batches += 1
    return around(() => batch.apply(this, args), (args[1] as { sync?: boolean }).sync === true)
  })
  return () => batches
}

/** Returns how often a database was opened; `around` decides what becomes of each opening. */
export function openingsOnDisk(
  around: (open: () => Promise<void>) => Promise<void> = (open) => open(),
): () => number {
  let openings = 0
  vi.spyOn(prototype, '_open').mockImplementation(function (this: unknown, ...args: unknown[]) {
    openings += 1
    return around(() => reallyOpen.apply(this, args))
  })
  return () => openings
}

/** Lets every file that is written whole from now on fail, as on a full disk, until it is told otherwise. */
export async function failFiles(message: string): Promise<() => void> {
  const handle = await open(import.meta.filename)
  const files = Object.getPrototypeOf(handle) as { writeFile: () => Promise<void> }
  await handle.close()
  const spy = vi.spyOn(files, 'writeFile').mockRejectedValue(new Error(message))
  return () => spy.mockRestore()
}

export const noSpace = 'ENOSPC: no space left on device, write'

/** LevelDB's words for it. */
export const levelNoSpace = 'IO error: /data/db/000005.log: No space left on device'
