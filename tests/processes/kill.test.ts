// Real processes, a real disk, and `kill -9`.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { intents, openClient } from 'rejoin'
import { rejoinJson, startRejoin, withFolder, withHub } from '../support/command.ts'

test('[3] an acknowledged commit is there after the hub was killed at any moment', async () => {
  await withFolder(async (folder) => {
    const data = path.join(folder, 'hub')
    const acknowledged: string[] = []
    let port = '0'
    for (let round = 0; round < 5; round++) {
      const hub = await startRejoin(['hub', '--data', data, '--port', port])
      port = new URL(hub.first).port
      const client = await openClient({ data: path.join(folder, 'writer'), hub: hub.first })
      const replica = await client.open(intents, 'support')
      const killAfter = 20 + 17 * round
      let stopped: Promise<unknown> | null = null
      const acks: Promise<void>[] = []
      for (let i = 0; i < 200; i++) {
        const id = `intent-${round}-${i}`
        const receipt = replica.apply({ type: 'IntentAdded', id, phrasesByLang: {} })
        await receipt.saved
        acks.push(
          receipt.acked.then(
            () => {
              acknowledged.push(id)
              if (acknowledged.length >= killAfter * (round + 1)) stopped ??= hub.stop('SIGKILL')
            },
            () => {},
          ),
        )
        if (stopped !== null) break
      }
      stopped ??= hub.stop('SIGKILL')
      await stopped
      await client.close()
      await Promise.all(acks)
    }
    expect(acknowledged.length).toBeGreaterThan(50)
    const log: { id: string; ops: { id: string }[] }[] = await rejoinJson([
      'log',
      '--data',
      data,
      '--namespace',
      'support',
    ])
    const ids = log.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    const logged = new Set(log.flatMap(({ ops }) => ops.map(({ id }) => id)))
    expect(acknowledged.filter((id) => !logged.has(id))).toEqual([])
  })
})

test('[4] a replica killed with unsent commits sends them after its restart, once', async () => {
  await withFolder(async (folder) => {
    const data = path.join(folder, 'writer')
    const saved: string[] = []
    for (let round = 0; round < 3; round++) saved.push(...(await writeUntilKilled(data, 40)))
    const hub = path.join(folder, 'hub')
    await withHub(hub, async (url) => {
      const sync = ['sync', '--data', data, '--namespace', 'support', '--hub', url]
      const first: { pushed: number } = await rejoinJson(sync)
      expect(first.pushed).toBeGreaterThanOrEqual(saved.length)
      expect(await rejoinJson(sync)).toMatchObject({ pushed: 0, pulled: 0 })
    })
    const log: { id: string }[] = await rejoinJson(['log', '--data', hub, '--namespace', 'support'])
    const ids = log.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(saved.filter((id) => !ids.includes(id))).toEqual([])
  })
})

/** Kills a writing replica after it said that `commits` of its commits are saved; gives their ids. */
async function writeUntilKilled(data: string, commits: number): Promise<readonly string[]> {
  const child = spawn(
    process.execPath,
    [
      '--conditions=@rejoin/source',
      '--import',
      'tsx',
      path.join(import.meta.dirname, '../support/writer.ts'),
      data,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ended = new Promise((resolve) => child.on('exit', resolve))
  const saved: string[] = []
  for await (const line of createInterface(child.stdout)) {
    saved.push(line)
    if (saved.length === commits) child.kill('SIGKILL')
  }
  await ended
  return saved
}
