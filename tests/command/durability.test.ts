// Is it saved? From the command line: which level an answer stands for, how a folder was found, and what could not be saved.
import { spawnSync } from 'node:child_process'
import { readdir, stat, truncate } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { checkout, startRejoin, withFolder, withHub } from '../support/command.ts'
import { rejoin, rejoinJson } from '../support/command-here.ts'
import { until } from '../support/until.ts'

const support = (data: string): string[] => ['--data', data, '--namespace', 'support']
const greet = '{"type":"IntentAdded","id":"greet","phrasesByLang":{"en":["hello"]}}'
const phrase = (text: string): string =>
  JSON.stringify({ type: 'PhraseAdded', intentId: 'greet', phrase: text, lang: 'en' })
const hubOf = (data: string, ...more: string[]): string[] => ['hub', '--data', data, '--port', '0', ...more]

test('a hub that syncs before it acknowledges says durable, and nobody needs to be told', async () => {
  await withFolder(async (folder) => {
    const laptop = path.join(folder, 'laptop')
    await rejoinJson(['apply', ...support(laptop)], greet)
    await withHub(path.join(folder, 'hub'), async (url) => {
      const { stdout } = await rejoin(['sync', ...support(laptop), '--hub', url])
      expect(stdout).not.toContain('applied:')
      expect(await rejoinJson(['sync', ...support(laptop), '--hub', url])).toMatchObject({ acked: 'durable' })
    })
    expect(await rejoinJson(['status', ...support(laptop)])).toMatchObject({
      persistence: 'ok',
      saved: 'durable',
      acked: null,
    })
    expect((await rejoin(['status', ...support(laptop)])).stdout).not.toMatch(
      /^ {2}(?:saved|acked|not saved) /m,
    )
  })
})

test.each(['every=100ms', 'never'])(
  'a hub with --sync %s says applied, and its replicas say so',
  async (when) => {
    await withFolder(async (folder) => {
      const laptop = path.join(folder, 'laptop')
      await rejoinJson(['apply', ...support(laptop)], greet)
      const hub = await startRejoin(hubOf(path.join(folder, 'hub'), '--sync', when, '--json'))
      const { url, ...rest } = JSON.parse(hub.first) as { url: string }
      expect(rest).toMatchObject({
        domains: ['intents'],
        durability: 'applied',
        found: { isClosedInOrder: true, batchesLost: 0 },
      })
      expect((await rejoin(['sync', ...support(laptop), '--hub', url])).stdout).toMatch(
        /what the hub has is applied: it outlives the process/,
      )
      expect(await rejoinJson(['sync', ...support(laptop), '--hub', url])).toMatchObject({ acked: 'applied' })
      const live = await startRejoin(['sync', ...support(laptop), '--hub', url, '--live'])
      await until('it is live', () => live.stdout().includes('live, 0 pending'))
      expect(live.stdout()).toMatch(/^live, 0 pending, at seq 1; acknowledged means applied$/m)
      await live.stop('SIGINT')
      expect(await hub.stop('SIGINT')).toBe(0)
    })
  },
)

test('a hub that was killed says so when it starts again, and has what it acknowledged', async () => {
  await withFolder(async (folder) => {
    const [laptop, data] = [path.join(folder, 'laptop'), path.join(folder, 'hub')]
    await rejoinJson(['apply', ...support(laptop)], greet)
    const hub = await startRejoin(hubOf(data, '--sync', 'never'))
    expect(await rejoinJson(['sync', ...support(laptop), '--hub', hub.first])).toMatchObject({ pushed: 1 })
    await hub.stop('SIGKILL')
    const again = await startRejoin(hubOf(data, '--log-level', 'info'))
    await until('it says so', () => again.stderr().includes('serving'))
    const [note] = again
      .stderr()
      .split('\n')
      .filter((line) => line.includes('was not closed in order'))
    expect(note).toMatch(/^\d{4}-\d\d-\d\dT\S+Z info .*by itself that loses nothing of what was answered/)
    expect(again.stderr()).not.toContain('{')
    await again.stop('SIGINT')
    expect(await rejoinJson(['log', '--data', data])).toHaveLength(1)
    const third = await startRejoin(hubOf(data))
    await until('it serves', () => third.stderr().includes('serving'))
    expect(third.stderr()).not.toContain('closed in order')
    await third.stop('SIGINT')
  })
})

test('[25] a hub whose unsynced batches went with the power warns how many, once, and its replica brings them back', async () => {
  await withFolder(async (folder) => {
    const [laptop, data] = [path.join(folder, 'laptop'), path.join(folder, 'hub')]
    await rejoinJson(['apply', ...support(laptop)], greet)
    const hub = await startRejoin(hubOf(data, '--sync', 'never'))
    for (const text of ['one', 'two', 'three']) {
      await rejoinJson(['apply', ...support(laptop)], phrase(text))
      await rejoinJson(['sync', ...support(laptop), '--hub', hub.first])
    }
    await hub.stop('SIGKILL')
    await cutNewestLog(path.join(data, 'db'))
    const again = await startRejoin(hubOf(data, '--json'))
    await until('it warns', () => again.stderr().includes('went with the power'))
    const { found } = JSON.parse(again.first) as { found: { batchesLost: number } }
    expect(found).toMatchObject({ isClosedInOrder: false, batchesLost: 1 })
    const warning = JSON.parse(again.stderr().split('\n')[0] ?? '') as { level: number; msg: string }
    expect(warning).toMatchObject({
      level: 40,
      msg: expect.stringMatching(/^1 batch written to .* as applied/),
    })
    await again.stop('SIGINT')
    const third = await startRejoin(hubOf(data, '--json'))
    const { url, found: now } = JSON.parse(third.first) as { url: string; found: unknown }
    expect(now).toMatchObject({ isClosedInOrder: true, batchesLost: 0 })
    expect(await rejoinJson(['sync', ...support(laptop), '--hub', url])).toMatchObject({ path: 'heal' })
    await third.stop('SIGINT')
    const [kept] = (await rejoinJson(['verify', '--data', data])) as { digest: string }[]
    expect(await rejoinJson(['digest', ...support(laptop)])).toMatchObject({ digest: kept?.digest })
  })
})

test.each(['sometimes', 'every=', 'every=5', 'every=0ms', 'every=2h', 'every=99999999ms', ''])(
  '--sync %j is no policy',
  async (when) => {
    await withFolder(async (folder) => {
      const { code, stderr } = await rejoin(hubOf(path.join(folder, 'hub'), '--sync', when))
      expect(code).toBe(2)
      expect(stderr).toMatch(/expected each-batch, every=100ms/)
      expect(await readdir(folder)).toEqual([])
    })
  },
)

const withoutLimit = spawnSync('prlimit', ['--version']).status === 0 ? null : 'there is no prlimit here'
if (withoutLimit !== null) console.log(`a command that cannot save is left out: ${withoutLimit}`)

test.runIf(withoutLimit === null)(
  'a command names what it could not save, for people and programs',
  async () => {
    await withFolder(async (folder) => {
      const laptop = path.join(folder, 'laptop')
      await rejoinJson(['apply', ...support(laptop)], greet)
      const big = JSON.stringify(
        Array.from({ length: 2_000 }, (_, i) => ({
          type: 'PhraseAdded',
          intentId: 'greet',
          phrase: `a phrase of some length, number ${i}`,
          lang: 'en',
        })),
      )
      const bin = path.join(checkout, 'packages/rejoin/bin/rejoin.js')
      const under = ['--fsize=20000:unlimited', '--', process.execPath, bin, 'apply', ...support(laptop)]
      const run = (...more: string[]) =>
        spawnSync('prlimit', [...under, ...more], { input: `${big}\n${phrase('more')}`, encoding: 'utf8' })
      const named = /commits? (?:is|are) not saved, \S{22}:2 \(2000 PhraseAdded\)/
      const people = run()
      expect(people.status).toBe(1)
      expect(people.stderr).toMatch(named)
      const lines = run('--json').stdout.trim().split('\n')
      const last = JSON.parse(lines.at(-1) ?? '') as {
        error: { unsaved: { commit: number; ops: unknown[] }[] }
      }
      expect(last.error).toMatchObject({ message: expect.stringMatching(named) })
      expect(last.error.unsaved[0]).toMatchObject({ commit: 2, ops: { length: 2_000 } })
      // With room again everything that was saved is there, and nothing else.
      expect(await rejoinJson(['status', ...support(laptop)])).toMatchObject({ pending: 1 })
    })
  },
)

/** The last batch was being written when the power went: LevelDB's newest log ends inside it. */
async function cutNewestLog(database: string): Promise<void> {
  const [name] = (await readdir(database))
    .filter((each) => each.endsWith('.log'))
    .sort()
    .reverse()
  if (name === undefined) throw new Error('there is a log')
  const { size } = await stat(path.join(database, name))
  await truncate(path.join(database, name), size - 3)
}
