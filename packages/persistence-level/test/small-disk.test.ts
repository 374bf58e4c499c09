/** A disk that is really full, and a limit that is really met, where this machine lets us have one (HAZARDS F9, F10). */
import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { withFolder } from './databases.ts'

const script = fileURLToPath(new URL('fill-disk.ts', import.meta.url))
const run = promisify(execFile)
const hasSmallDisks = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/tmp']).status === 0
const hasLimits = spawnSync('prlimit', ['--version']).status === 0

// Elsewhere than on Linux, or without user namespaces, full-disk.test.ts alone covers it.
test.runIf(hasSmallDisks)('[3] a hub on a full disk of 16 MB reads, refuses, opens, and goes on', () =>
  withFolder(async (path) => {
    const mounted = `mount -t tmpfs -o size=16m tmpfs "$1" && exec "$2" --conditions=@rejoin/source --import tsx "$3" "$1"`
    const args = ['-rm', 'sh', '-c', mounted, 'sh', path, process.execPath, script]
    const { stdout } = await run('unshare', args, { timeout: 50_000 })
    expect(JSON.parse(stdout)).toEqual({
      refusedWith: 'STORE_FULL',
      readsAllWhileFull: true,
      opensWhileFull: true,
      refusedAgainWith: 'STORE_FULL',
      writesOnceThereIsRoom: true,
      keepsAll: true,
      found: { isClosedInOrder: true, batchesLost: 0, logFaults: [] },
    })
  }),
)

test.runIf(hasSmallDisks)('[3] a hub whose folder becomes read-only reads, refuses, and goes on', () =>
  withFolder(async (path) => {
    const flags = ['--conditions=@rejoin/source', '--import', 'tsx']
    const args = ['-rm', process.execPath, ...flags, script, path, 'read-only']
    const { stdout } = await run('unshare', args, { timeout: 50_000 })
    expect(JSON.parse(stdout)).toEqual({
      refusedWith: 'STORE_UNAVAILABLE',
      readsAllWhileFull: true,
      writesOnceThereIsRoom: true,
      keepsAll: true,
      found: { isClosedInOrder: true, batchesLost: 0, logFaults: [] },
    })
  }),
)

test.runIf(hasLimits)('[3] a hub that met a limit of file sizes reads, refuses, and goes on', () =>
  withFolder(async (path) => {
    const args = ['--conditions=@rejoin/source', '--import', 'tsx', script, path, 'size']
    const { stdout } = await run(process.execPath, args, { timeout: 50_000 })
    expect(JSON.parse(stdout)).toEqual({
      refusedWith: 'STORE_FULL',
      readsAllWhileFull: true,
      writesOnceThereIsRoom: true,
      keepsAll: true,
      found: { isClosedInOrder: true, batchesLost: 0, logFaults: [] },
    })
  }),
)
