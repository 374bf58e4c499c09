/**
 * The end of a log of LevelDB that is gone though it was acknowledged: a hub and a replica whose processes were killed
 * (`kill -9`), and whose log was cut afterwards. Whoever opens the folder, first or later, is told so, and where it is kept.
 */
import { appendFile, readdir, readFile, stat, truncate } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { bundled } from '../support/bundle.ts'
import { startRejoin, withFolder, withHub } from '../support/command.ts'
import { rejoin, rejoinJson } from '../support/command-here.ts'
import { startScript } from '../support/script.ts'
import { until, within } from '../support/until.ts'

const replicaScript = await bundled(path.join(import.meta.dirname, 'processes', 'replica.ts'))

const support = (data: string): string[] => ['--data', data, '--namespace', 'support']
const intent = (id: string): string =>
  JSON.stringify({ type: 'IntentAdded', id, phrasesByLang: { en: ['hello'] } })

test.each([
  [1, 'verify'],
  [200, 'hub'],
] as const)(
  '[13] a hub whose log lost its last %i bytes says what was in them, and where they are: %s first',
  async (bytes, first) => {
    await withFolder(async (folder) => {
      const [data, laptop] = [path.join(folder, 'hub'), path.join(folder, 'laptop')]
      const hub = await startRejoin(['hub', '--data', data, '--port', '0'])
      try {
        for (const id of ['a', 'b', 'c', 'd']) {
          await rejoinJson(['apply', ...support(laptop)], intent(id))
          await rejoinJson(['sync', ...support(laptop), '--hub', hub.first])
        }
      } finally {
        await hub.stop('SIGKILL')
      }
      const { file, content } = await cut(data, bytes)
      const serves = async (): Promise<void> => {
        const { code, stderr } = await rejoin(['hub', '--data', data, '--port', '0'])
        expect(code).not.toBe(0)
        expect(stderr).toContain(file)
        expect(stderr).toContain(path.join(data, 'rejoin.damaged', file))
      }
      const steps = [() => verifies(data, file), serves, () => verifies(data, file)]
      for (const step of first === 'hub' ? steps.slice(1).concat(serves) : steps) await step()
      expect(await readdir(path.join(data, 'rejoin.damaged'))).toEqual([file])
      expect(await readFile(path.join(data, 'rejoin.damaged', file))).toEqual(content)
    })
  },
  60_000,
)

test('a hub that was killed, and lost nothing, tells of no loss and keeps nothing aside', async () => {
  await withFolder(async (folder) => {
    const [data, laptop] = [path.join(folder, 'hub'), path.join(folder, 'laptop')]
    const hub = await startRejoin(['hub', '--data', data, '--port', '0'])
    try {
      await rejoinJson(['apply', ...support(laptop)], intent('a'))
      await rejoinJson(['sync', ...support(laptop), '--hub', hub.first])
    } finally {
      await hub.stop('SIGKILL')
    }
    const { code, stderr } = await rejoin(['verify', '--data', data])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(await readdir(data)).not.toContain('rejoin.damaged')
    await withHub(data, async (url) => {
      expect(await rejoinJson(['sync', ...support(laptop), '--hub', url])).toMatchObject({ pushed: 0 })
    })
  })
}, 60_000)

test.each(['verify', 'status'] as const)(
  '[13] so does a replica: %s first',
  async (first) => {
    await withFolder(async (folder) => {
      const data = path.join(folder, 'replica')
      let saved = 0
      const replica = startScript(replicaScript, [data, 'offline', 'victim'], { onLine: () => saved++ })
      await within('the replica is open', replica.first)
      await until('some is saved', () => saved > 40)
      await replica.stop('SIGKILL')
      // The count may be one batch behind.
      const { file } = await cut(data, 2_000)
      // Amid a record in any case.
      await appendFile(path.join(data, 'db', file), Uint8Array.of(1, 2, 3))
      const opens = async (): Promise<void> => {
        const { code, stderr } = await rejoin(['status', ...support(data)])
        expect(code).not.toBe(0)
        expect(stderr).toContain(path.join(data, 'rejoin.damaged', file))
      }
      if (first === 'status') await opens()
      await verifies(data, file)
      await opens()
    })
  },
  60_000,
)

async function verifies(data: string, file: string): Promise<void> {
  const kept = path.join(data, 'rejoin.damaged', file)
  const people = await rejoin(['verify', '--data', data])
  expect(people.code).toBe(1)
  expect(people.stderr).toMatch(
    /\d+ bytes at the end of .*; acknowledged writes were in them, and are kept aside/,
  )
  expect(people.stdout).toContain(kept)
  const { code, stdout, stderr } = await rejoin(['verify', '--data', data, '--json'])
  expect(code).toBe(1)
  expect(stdout).toContain(kept)
  expect(people.stderr + stderr + people.stdout + stdout).not.toContain('nothing acknowledged')
}

async function cut(data: string, bytes: number): Promise<{ file: string; content: Buffer }> {
  const database = path.join(data, 'db')
  for (const file of (await readdir(database)).filter((name) => name.endsWith('.log')).toReversed()) {
    const log = path.join(database, file)
    const { size } = await stat(log)
    if (size <= bytes) continue
    await truncate(log, size - bytes)
    return { file, content: await readFile(log) }
  }
  throw new Error(`no log in ${data} is longer than ${bytes} bytes`)
}
