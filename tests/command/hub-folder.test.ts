// A hub's folder from the command line: what the log says, also of what it holds no longer, and that a rebuild is asked for.
import path from 'node:path'
import { expect, test } from 'vitest'
import { rejoin, rejoinJson, withFolder, withHub } from '../support/command.ts'

const support = (data: string): string[] => ['--data', data, '--namespace', 'support']

test('the log counts ops by type, says what was folded, and rebuild does not take every namespace unasked', async () => {
  await withFolder(async (folder) => {
    const [laptop, data] = [path.join(folder, 'laptop'), path.join(folder, 'hub')]
    const phrase = (text: string): object => ({
      type: 'PhraseAdded',
      intentId: 'a',
      phrase: text,
      lang: 'en',
    })
    const ops = [{ type: 'IntentAdded', id: 'a', phrasesByLang: {} }, phrase('one'), phrase('two')]
    await rejoinJson(['apply', ...support(laptop)], JSON.stringify([ops]))
    await withHub(data, (hub) => rejoinJson(['sync', ...support(laptop), '--hub', hub]))
    const log = await rejoin(['log', '--data', data])
    expect(log.stdout).toMatch(/^support 1 .* {2}1 IntentAdded, 2 PhraseAdded, \d+ B\n$/)
    const backup = path.join(folder, 'backup')
    await rejoinJson(['backup', '--data', data, '--out', backup])
    expect(await rejoin(['log', '--data', backup])).toMatchObject({ code: 0, stdout: log.stdout, stderr: '' })

    const unasked = await rejoin(['rebuild', '--data', data])
    expect(unasked.code).toBe(2)
    expect(unasked.stderr).toMatch(/--namespace NAME, or --all/)
    expect((await rejoin(['rebuild', ...support(data), '--all'])).code).toBe(2)
    expect((await rejoin(['log', '--data', data])).stdout).toBe(log.stdout)
    expect(await rejoinJson(['rebuild', '--data', data, '--all'])).toMatchObject([
      { namespace: 'support', seq: 2 },
    ])
    const { stdout } = await rejoin(['log', '--data', data])
    expect(stdout).toBe(
      'support: the earlier records, up to seq 1, were folded into the checkpoint at seq 2\n',
    )
    expect(await rejoinJson(['log', '--data', data])).toEqual([])
    expect((await rejoin(['log', '--data', data, '--after', '1'])).stdout).toBe('no commits\n')
  })
})

test('rebuild forgets replicas of a given age, and says how many; what is no age is refused before anything is opened', async () => {
  await withFolder(async (folder) => {
    const [laptop, data] = [path.join(folder, 'laptop'), path.join(folder, 'hub')]
    await rejoinJson(
      ['apply', ...support(laptop)],
      JSON.stringify([[{ type: 'IntentAdded', id: 'a', phrasesByLang: {} }]]),
    )
    await withHub(data, (hub) => rejoinJson(['sync', ...support(laptop), '--hub', hub]))
    expect((await rejoin(['rebuild', ...support(data), '--forget-replicas', '90'])).code).toBe(2)
    expect((await rejoin(['rebuild', ...support(data), '--forget-replicas', '0d'])).code).toBe(2)
    const forgetting = await rejoin(['rebuild', ...support(data), '--forget-replicas', '90d'])
    expect((await rejoin(['rebuild', ...support(data), '--forget-replicas', '0s'])).code).toBe(2)
    expect(forgetting.stdout).toMatch(/^support: epoch \d+ from seq 2, \d+ B; 0 replicas forgotten\n$/)
    for (const age of ['9000m', '90000s'])
      expect(await rejoinJson(['rebuild', ...support(data), '--forget-replicas', age])).toMatchObject([
        { forgotten: 0 },
      ])
  })
})
