/** A disk of a few megabytes that can be filled, mounted for one test; root alone can. */
import { execFile } from 'node:child_process'
import { mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { withFolder } from '../../support/command.ts'

const run = promisify(execFile)

/** @returns why there can be no such disk on this machine, or null. */
export async function withoutSmallDisk(): Promise<string | null> {
  if (process.platform !== 'linux') return `a small disk is a tmpfs of Linux, this is ${process.platform}`
  if (process.getuid?.() !== 0) return 'root alone may mount a small disk'
  return await withSmallDisk(async () => null).catch(() => 'this machine does not let root mount a tmpfs')
}

export interface SmallDisk {
  readonly folder: string
  /** Takes all the room that is left. */
  fill(): Promise<void>
  /** Gives it back. */
  free(): Promise<void>
  /** While nobody writes on it. */
  mountAgain(how: 'ro' | 'rw'): Promise<void>
}

export async function withSmallDisk<R>(use: (disk: SmallDisk) => Promise<R>): Promise<R> {
  return await withFolder(async (parent) => {
    const folder = path.join(parent, 'disk')
    await mkdir(folder)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', folder])
    const ballast = path.join(folder, 'ballast')
    try {
      return await use({
        folder,
        fill: () => fill(ballast),
        free: () => rm(ballast),
        mountAgain: async (how) => {
          await run('mount', ['-o', `remount,${how}`, folder])
        },
      })
    } finally {
      await run('umount', ['--lazy', folder])
    }
  })
}

async function fill(ballast: string): Promise<void> {
  const handle = await open(ballast, 'w')
  try {
    for (const block of [64 * 1024, 4 * 1024, 1]) {
      const bytes = new Uint8Array(block)
      while (await handle.write(bytes).then(({ bytesWritten }) => bytesWritten === block, isFull));
    }
  } finally {
    await handle.close()
  }
}

function isFull(error: unknown): false {
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false
  throw error
}
