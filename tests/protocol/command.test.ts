// What `rejoin sync --json` tells of the bytes that an exchange has cost.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { AnyDomain } from '@rejoin/core'
import { intents, startHub } from 'rejoin'
import { expect, test } from 'vitest'
import type { Replica, SyncReport } from 'rejoin'
import { startRejoin } from '../support/command.ts'
import { rejoinJson } from '../support/command-here.ts'
import { until } from '../support/until.ts'

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

test('each line of `sync --live --json` tells the bytes and paths up to it', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-paths-'))
  const hub = await startHub({ data: path.join(folder, 'hub'), domains: [intents], port: 0 })
  try {
    const where = ['--data', path.join(folder, 'laptop'), '--namespace', 'support', '--hub', hub.url]
    const live = await startRejoin(['sync', ...where, '--live', '--json'])
    await until('it is live', () => live.stdout().includes('"state":"live"'))
    expect(await live.stop('SIGINT')).toBe(0)
    const lines = live.stdout().trim().split('\n')
    const bills = lines.map((line) => JSON.parse(line) as Replica<AnyDomain>['bill'] & { state: string })
    for (const { bytesUp, bytesDown } of bills) expect([bytesUp, bytesDown].every(Number.isFinite)).toBe(true)
    const arrived = bills.find(({ state }) => state === 'live')
    expect(arrived).toMatchObject({ bytesUp: expect.any(Number), paths: { unknown: { times: 1 } } })
    expect(arrived?.bytesUp).toBeGreaterThan(0)
  } finally {
    await hub.close()
    await rm(folder, { recursive: true, force: true })
  }
})
