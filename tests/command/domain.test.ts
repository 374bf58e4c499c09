// `--domain FILE`: which of a module's domains is meant is never a guess, and a wrong one is told with what to give instead.
import path from 'node:path'
import { expect, test } from 'vitest'
import { rejoin, rejoinJson, startRejoin, withFolder } from '../support/command.ts'
import { added, moduleOf, tasks } from './domain-module.ts'

const home = (data: string): string[] => ['--data', data, '--namespace', 'home']
test('a module that exports two domains is refused with their names, unless one is its default export', async () => {
  await withFolder(async (folder) => {
    const laptop = path.join(folder, 'laptop')
    const both = `export const before = ${tasks(1)}\nexport const after = ${tasks(2)}`
    const two = await moduleOf(folder, 'two.mjs', both)
    const refused = await rejoin(['apply', ...home(laptop), '--domain', two], added('a'))
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(
      /after \(tasks, version 2\).*before \(tasks, version 1\).*\[DOMAIN_INVALID\]/s,
    )
    const chosen = await moduleOf(folder, 'chosen.mjs', `${both}\nexport default before`)
    expect(await rejoinJson(['apply', ...home(laptop), '--domain', chosen], added('a'))).toMatchObject({
      outcome: 'applied',
    })
    const [commit]: { domainVersion: number }[] = await rejoinJson([
      'outbox',
      'list',
      ...home(laptop),
      '--domain',
      chosen,
    ])
    expect(commit?.domainVersion).toBe(1)
    // One domain under two names is one.
    const one = await moduleOf(folder, 'one.mjs', `export const a = ${tasks(1)}\nexport const b = a`)
    expect((await rejoin(['status', ...home(laptop), '--domain', one])).code).toBe(0)
    const hub = ['hub', '--data', path.join(folder, 'hub'), '--port', '0', '--domain']
    expect((await rejoin([...hub, two])).stderr).toContain('[DOMAIN_INVALID]')
    expect(await (await startRejoin([...hub, chosen])).stop('SIGINT')).toBe(0)
  })
})

test('a folder of another domain is told with the --domain to give', async () => {
  await withFolder(async (folder) => {
    const laptop = path.join(folder, 'laptop')
    const file = await moduleOf(folder, 'tasks.mjs', `export const tasks = ${tasks(1)}`)
    await rejoinJson(['apply', ...home(laptop), '--domain', file], added('a'))
    for (const command of [['status'], ['conflicts', 'list']]) {
      const { code, stderr } = await rejoin([...command, ...home(laptop)])
      expect(code).toBe(1)
      expect(stderr).toMatch(/domain tasks, not intents.*give --domain FILE.*\[DOMAIN_MISMATCH\]/)
    }
    const other = await moduleOf(
      folder,
      'other.mjs',
      `export const other = ${tasks(1).replace("'tasks'", "'other'")}`,
    )
    const { stderr } = await rejoin(['status', ...home(laptop), '--domain', other])
    expect(stderr).toMatch(/domain tasks, not other.*other\.mjs exports another/)
  })
})

test('[16] a document that is newer than the app: said by sync and status, until the app was updated', async () => {
  await withFolder(async (folder) => {
    const [phone, tablet] = [path.join(folder, 'phone'), path.join(folder, 'tablet')]
    const [v1, v2] = [
      await moduleOf(folder, 'v1.mjs', `export const tasks = ${tasks(1)}`),
      await moduleOf(folder, 'v2.mjs', `export const tasks = ${tasks(2)}`),
    ]
    const hub = await startRejoin(['hub', '--data', path.join(folder, 'hub'), '--port', '0', '--domain', v2])
    const sync = (data: string, domain: string): string[] => [
      'sync',
      ...home(data),
      '--hub',
      hub.first,
      '--domain',
      domain,
    ]
    const newer = 'the document is newer than this app: reading only'
    await rejoinJson(['apply', ...home(tablet), '--domain', v2], added('new'))
    await rejoinJson(sync(tablet, v2))

    // Nothing to push: an exchange like any other, and one sentence more.
    const quiet = await rejoin(sync(phone, v1))
    expect(quiet.code).toBe(0)
    expect(quiet.stdout.split('\n')[1]).toContain(newer)
    expect(await rejoinJson(sync(phone, v1))).toMatchObject({ domainTooNew: 2 })
    const status = await rejoin(['status', ...home(phone), '--domain', v1])
    expect(status.stdout).toContain(newer)
    const told: object = await rejoinJson(['status', ...home(phone), '--domain', v1])
    expect(told).toMatchObject({ domainTooNew: 2, divergence: null, lastError: { code: 'DOMAIN_TOO_NEW' } })

    // Something to push: refused, after what there is was pulled.
    const old = path.join(folder, 'old')
    await rejoinJson(['apply', ...home(old), '--domain', v1], added('old'))
    const { code, stdout, stderr } = await rejoin(sync(old, v1))
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).toContain(newer)
    expect(stderr).toMatch(/1 commit of yours waits \[DOMAIN_TOO_NEW\]/)
    expect(await rejoinJson(['status', ...home(old), '--domain', v1])).toMatchObject({
      pending: 1,
      domainTooNew: 2,
      lastError: { code: 'DOMAIN_TOO_NEW' },
    })

    // The app is updated: no word of the version that it was.
    for (const data of [phone, old]) {
      const after = await rejoin(['status', ...home(data), '--domain', v2])
      expect(after.stdout).not.toMatch(/newer|knows|DOMAIN_TOO_NEW/)
      expect(await rejoinJson(['status', ...home(data), '--domain', v2])).toMatchObject({
        domainTooNew: null,
        lastError: null,
      })
    }
    expect(await rejoinJson(sync(old, v2))).toMatchObject({ pushed: 1, domainTooNew: null })
    await hub.stop('SIGINT')
  })
})

test('[16] that the hub is older than the app goes on being told', async () => {
  await withFolder(async (folder) => {
    const phone = path.join(folder, 'phone')
    const [v1, v2] = [
      await moduleOf(folder, 'v1.mjs', `export const tasks = ${tasks(1)}`),
      await moduleOf(folder, 'v2.mjs', `export const tasks = ${tasks(2)}`),
    ]
    const args = ['hub', '--data', path.join(folder, 'hub'), '--port', '0', '--domain', v1]
    const hub = await startRejoin(args)
    await rejoinJson(['apply', ...home(phone), '--domain', v2], added('new'))
    const { code, stderr } = await rejoin(['sync', ...home(phone), '--hub', hub.first, '--domain', v2])
    expect(code).toBe(1)
    expect(stderr).toMatch(/this hub knows version 1.*1 commit of yours waits \[DOMAIN_TOO_NEW\]/)
    const { stdout } = await rejoin(['status', ...home(phone), '--domain', v2])
    expect(stdout).toContain('this hub knows version 1')
    await hub.stop('SIGINT')
  })
})
