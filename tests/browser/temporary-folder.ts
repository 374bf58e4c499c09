/** A folder of a test's own, gone when it is closed. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

export async function temporaryFolder(): Promise<{ readonly path: string; close(): Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-browser-'))
  return {
    path: folder,
    // A browser that was just killed may still be writing there.
    close: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  }
}
