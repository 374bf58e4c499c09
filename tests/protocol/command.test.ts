// What `rejoin sync --json` tells of the bytes that an exchange has cost.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { intents, startHub } from 'rejoin'
import { expect, test } from 'vitest'
import type { SyncReport } from 'rejoin'
import { rejoinJson } from '../support/command-here.ts'

test('`sync --json` tells bytes both ways, and by path what of them catching up has cost, with its time', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-paths-'))
  const hub = await startHub({ data: path.join(folder, 'hub'), domains: [intents], port: 0 })
  try {
    const sync = (): Promise<SyncReport> =>
      rejoinJson(['sync', '--data', path.join(folder, 'laptop'), '--namespace', 'support', '--hub', hub.url])
    await sync()
    const { path: way, bytesUp, bytesDown, paths } = await sync()
    expect(way).toBe('unknown')
    expect(paths).toEqual({
      unknown: { times: 1, bytesUp, bytesDown: expect.any(Number), ms: expect.any(Number) },
    })
    expect(paths.unknown?.bytesDown).toBeLessThanOrEqual(bytesDown)
  } finally {
    await hub.close()
    await rm(folder, { recursive: true, force: true })
  }
})
