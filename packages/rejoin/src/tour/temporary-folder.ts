/** A folder for as long as some work goes on: gone afterwards, on every way out that a process can see. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export async function withTemporaryFolder<R>(
  prefix: string,
  work: (folder: string) => Promise<R>,
): Promise<R> {
  const folder = mkdtempSync(join(tmpdir(), prefix))
  // LevelDB's own thread may still be at work in it.
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  // Also where the process ends at once: by a second Ctrl-C, or a fault that nobody caught.
  process.once('exit', remove)
  try {
    return await work(folder)
  } finally {
    process.off('exit', remove)
    remove()
  }
}
