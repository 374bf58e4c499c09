/**
 * A file that may be replaced while it is in use: looked at every `LOOK_MS`, and read anew when it is another one. A look
 * costs one `stat`. What cannot be read is told, and what was read before stays.
 */
import { stat } from 'node:fs/promises'
import type { Clock } from '@rejoin/core'

/** Milliseconds: a revocation has to reach live sockets within 5 s. */
const LOOK_MS = 1_000

export interface FollowedFile {
  /** Looks now; resolves when what is there is known. */
  look(): Promise<void>
  stop(): void
}

/** @param read reads the file; rejections go to `failed`. */
export function followFile(
  path: string,
  clock: Clock,
  read: () => Promise<void>,
  failed: (error: unknown) => void,
): FollowedFile {
  const over = new AbortController()
  let known = ''
  let looking: Promise<void> | null = null
  const lookOnce = async (): Promise<void> => {
    const seen = await markOf(path)
    if (seen === known) return
    try {
      await read()
    } catch (error) {
      failed(error)
    }
    // Read from what was there at `seen`, or from what came after it, which the next look then reads once more.
    known = seen
  }
  const look = (): Promise<void> => (looking ??= lookOnce().finally(() => (looking = null)))
  void (async () => {
    while (!over.signal.aborted) {
      await look()
      await clock.sleep(LOOK_MS, over.signal)
    }
  })()
  return { look, stop: () => over.abort() }
}

/** Of a file that is replaced by a rename, the inode is another one. */
async function markOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(path)
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`
  } catch {
    return 'none'
  }
}
