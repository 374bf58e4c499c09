// Commits that were not sent and commits that were refused, from the command line.
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { rejoin, rejoinJson, startRejoin, withFolder, withHub } from '../support/command.ts'
import { added, moduleOf, tasks } from './domain-module.ts'

const support = (data: string): string[] => ['--data', data, '--namespace', 'support']
const greet = '{"type":"IntentAdded","id":"greet","phrasesByLang":{"en":["hello"]}}'
const phrase = (text: string): string =>
  JSON.stringify({ type: 'PhraseAdded', intentId: 'greet', phrase: text, lang: 'en' })

interface Listed {
  readonly commit: number
  readonly stage?: string
  readonly code?: string
  readonly ops: readonly { readonly type: string }[]
}

test('a commit that was not sent is listed and withdrawn; one that was sent is not', async () => {
  await withFolder(async (folder) => {
    const laptop = path.join(folder, 'laptop')
    await rejoinJson(['apply', ...support(laptop)], [greet, phrase('wrong'), phrase('right')].join('\n'))
    const listed: Listed[] = await rejoinJson(['outbox', 'list', ...support(laptop)])
    expect(listed.map(({ commit, stage }) => [commit, stage])).toEqual([
      [1, 'saved'],
      [2, 'saved'],
      [3, 'saved'],
    ])
    expect((await rejoin(['outbox', 'list', ...support(laptop)])).stdout).toMatch(
      /^2 .* 1 PhraseAdded: saved here alone/m,
    )
    const withdraw = ['outbox', 'withdraw', ...support(laptop), '--commit']
    expect(await rejoinJson([...withdraw, '2'])).toEqual({ withdrawn: 2, pending: 2, rejected: 0 })
    expect((await rejoin([...withdraw, '2'])).stderr).toContain('[INPUT_INVALID]')
    await withHub(path.join(folder, 'hub'), async (hub) => {
      expect(await rejoinJson(['sync', ...support(laptop), '--hub', hub])).toMatchObject({ pushed: 2 })
    })
    expect((await rejoin(['outbox', 'list', ...support(laptop)])).stdout).toBe('nothing waits\n')
    const { code, stderr } = await rejoin([...withdraw, '3'])
    expect(code).toBe(1)
    expect(stderr).toContain('is not in the outbox')
    expect((await rejoin(['outbox', 'withdraw', ...support(laptop)])).code).toBe(2)
  })
})

test('a refused commit is listed with the reason, resubmitted with other ops, or discarded', async () => {
  await withFolder(async (folder) => {
    const laptop = path.join(folder, 'laptop')
    const file = await moduleOf(folder, 'wide.mjs', `export const wide = ${tasks(1)}`)
    // Its titles are shorter than the app's.
    const narrow = await moduleOf(
      folder,
      'narrow.mjs',
      `export const narrow = ${tasks(1, 'z.string().max(3)')}`,
    )
    const on = [...support(laptop), '--domain', file]
    const hub = await startRejoin([
      'hub',
      '--data',
      path.join(folder, 'hub'),
      '--port',
      '0',
      '--domain',
      narrow,
    ])
    await rejoinJson(['apply', ...on], [added('a', 'long'), added('b', 'longer'), added('c')].join('\n'))
    expect((await rejoin(['sync', ...on, '--hub', hub.first])).code).toBe(1)

    const listed: Listed[] = await rejoinJson(['rejected', 'list', ...on])
    expect(listed).toMatchObject([
      { commit: 1, code: 'ENTRY_INVALID', ops: [{ type: 'TaskAdded', title: 'long' }] },
      { commit: 2, code: 'ENTRY_INVALID' },
    ])
    expect((await rejoin(['rejected', 'list', ...on])).stdout).toMatch(
      /^1 .* 1 TaskAdded: .*\[ENTRY_INVALID\]\n2 /,
    )
    expect((await rejoin(['status', ...on])).stdout).toContain('rejoin rejected list')

    const ops = path.join(folder, 'ops.json')
    await writeFile(ops, `[${added('a', 'ok')}, {"type":"Nope"}]`)
    const resubmit = ['rejected', 'resubmit', ...on, '--commit', '1', '--ops', ops]
    const wrong = await rejoin(resubmit)
    expect(wrong.code).toBe(1)
    expect(wrong.stderr).toContain('[OP_UNKNOWN]')
    await writeFile(ops, added('a', 'ok'))
    expect(await rejoinJson(resubmit)).toEqual({ resubmitted: 1, commit: 4, remaining: 1 })
    expect(await rejoinJson(['rejected', 'discard', ...on, '--commit', '2'])).toEqual({
      discarded: 2,
      remaining: 0,
    })
    expect((await rejoin(['rejected', 'discard', ...on, '--commit', '2'])).stderr).toContain(
      '[INPUT_INVALID]',
    )
    expect((await rejoin(['rejected', 'list', ...on])).stdout).toBe('no rejected commits\n')
    expect(await rejoinJson(['sync', ...on, '--hub', hub.first])).toMatchObject({ pushed: 1 })
    expect(await rejoinJson(['status', ...on])).toMatchObject({ pending: 0, rejected: 0 })
    await hub.stop('SIGINT')
  })
})
