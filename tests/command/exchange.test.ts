// What `rejoin sync` and `rejoin status` say, and by which exit code a script sees it.
import { cp } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  rejoin as rejoinInShell,
  rejoinJson as rejoinJsonInShell,
  startRejoin,
  withFolder,
  withHub,
} from '../support/command.ts'
import { rejoin, rejoinJson } from '../support/command-here.ts'
import { flipValue, keysIn } from '../support/strike.ts'
import { added, moduleOf, tasks } from './domain-module.ts'

const support = (data: string): string[] => ['--data', data, '--namespace', 'support']
const intent = (id: string): string =>
  JSON.stringify({ type: 'IntentAdded', id, phrasesByLang: { en: [`${id} me`] } })
const named = (folder: string, ...names: string[]): string[] => names.map((name) => path.join(folder, name))

describe('sync with a hub that asks for sign-in', () => {
  test('--live with a bad key, or with none, ends with exit code 1, the code and the cure', async () => {
    await withFolder(async (folder) => {
      const [hubFolder = '', laptop = ''] = named(folder, 'hub', 'laptop')
      await rejoinJson(['keys', 'add', '--data', hubFolder, '--name', 'a', '--scope', 'write'])
      await withHub(hubFolder, async (hub) => {
        const sync = ['sync', ...support(laptop), '--hub', hub]
        for (const key of ['', 'rj_a_wrong']) {
          const once = await rejoin(sync, '', { REJOIN_TOKEN: key })
          const live = await rejoinInShell([...sync, '--live'], '', { REJOIN_TOKEN: key })
          for (const { code, stderr } of [once, live]) {
            expect(code).toBe(1)
            expect(stderr).toMatch(/^rejoin: .*--token-file FILE, or REJOIN_TOKEN.*\[UNAUTHENTICATED\]$/m)
            expect(stderr.match(/give a key/g)).toHaveLength(1)
          }
          const json = await rejoin([...sync, '--live', '--json'], '', { REJOIN_TOKEN: key })
          expect(json.code).toBe(1)
          const lines = json.stdout.trim().split('\n')
          expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ error: { code: 'UNAUTHENTICATED' } })
        }
      })
    })
  })
})

test('commits that the hub refused in this exchange are told, and by exit code 1; older ones are not again', async () => {
  await withFolder(async (folder) => {
    const wide = await moduleOf(folder, 'wide.mjs', `export const wide = ${tasks(1)}`)
    const narrow = await moduleOf(
      folder,
      'narrow.mjs',
      `export const narrow = ${tasks(1, 'z.string().max(3)')}`,
    )
    const [laptop = '', hubFolder = ''] = named(folder, 'laptop', 'hub')
    const on = [...support(laptop), '--domain', wide]
    const hub = await startRejoin(['hub', '--data', hubFolder, '--port', '0', '--domain', narrow])
    await rejoinJsonInShell(['apply', ...on], [added('a', 'long'), added('b')].join('\n'))
    const first = await rejoinInShell(['sync', ...on, '--hub', hub.first, '--json'])
    expect(first.code).toBe(1)
    expect(JSON.parse(first.stdout)).toMatchObject({
      pushed: 1,
      rejected: [{ commit: 1, code: 'ENTRY_INVALID' }],
    })
    await rejoinJsonInShell(['apply', ...on], added('c', 'longer'))
    const second = await rejoinInShell(['sync', ...on, '--hub', hub.first])
    expect(second.code).toBe(1)
    expect(second.stdout).toMatch(/^the hub refused 1 commit \(ENTRY_INVALID\): see `rejoin rejected list`$/m)
    expect(await rejoinJsonInShell(['sync', ...on, '--hub', hub.first])).toMatchObject({ rejected: [] })
    await hub.stop('SIGINT')
  })
})

describe('what an exchange brought', () => {
  test('as a document that comes whole is no "0 new"', async () => {
    await withFolder(async (folder) => {
      const [laptop = '', phone = '', hubFolder = ''] = named(folder, 'laptop', 'phone', 'hub')
      await rejoinJson(['apply', ...support(laptop)], intent('greet'))
      await withHub(hubFolder, (hub) => rejoinJson(['sync', ...support(laptop), '--hub', hub]))
      await rejoinJson(['rebuild', '--data', hubFolder, '--namespace', 'support'])
      await withHub(hubFolder, async (hub) => {
        const { code, stdout } = await rejoin(['sync', ...support(phone), '--hub', hub])
        expect(code).toBe(0)
        expect(stdout).toMatch(/^took a snapshot of \d+ B, pushed 0; path /)
        const quiet = await rejoin(['sync', ...support(phone), '--hub', hub])
        expect(quiet.stdout).toMatch(/^pulled 0 \(0 new here\), pushed 0; path live/)
      })
    })
  })

  test('to a hub that was restored from an older copy is told', async () => {
    await withFolder(async (folder) => {
      const [laptop = '', hubFolder = '', older = ''] = named(folder, 'laptop', 'hub', 'older')
      const write = async (id: string): Promise<void> => {
        await rejoinJson(['apply', ...support(laptop)], intent(id))
        await withHub(hubFolder, (hub) => rejoinJson(['sync', ...support(laptop), '--hub', hub]))
      }
      await write('greet')
      await cp(hubFolder, older, { recursive: true })
      await write('bye')
      await withHub(older, async (hub) => {
        const { code, stdout } = await rejoin(['sync', ...support(laptop), '--hub', hub])
        expect(code).toBe(0)
        expect(stdout).toMatch(/path heal: .*; this replica brought back what the hub had lost; /)
      })
    })
  })
})

test('a replica whose content was discarded has no cursor, and is not said never to have exchanged', async () => {
  await withFolder(async (folder) => {
    const [laptop = '', hubFolder = ''] = named(folder, 'laptop', 'hub')
    await rejoinJson(['apply', ...support(laptop)], intent('greet'))
    expect((await rejoin(['status', ...support(laptop)])).stdout).toMatch(/^ {2}cursor {8}never exchanged$/m)
    await withHub(hubFolder, (hub) => rejoinJson(['sync', ...support(laptop), '--hub', hub]))
    const [base = ''] = [
      ...(await keysIn(laptop, 'replica!snapshot!support')),
      ...(await keysIn(laptop, 'replica!update!support')),
    ]
    await flipValue(laptop, base)
    expect((await rejoin(['repair', '--data', laptop, '--discard'])).code).toBe(0)
    expect((await rejoin(['status', ...support(laptop)])).stdout).toMatch(
      /^ {2}cursor {8}none: nothing of the hub is held here; the next exchange brings all of it$/m,
    )
  })
})

test('one damaged namespace does not hide the status of the others', async () => {
  await withFolder(async (folder) => {
    const laptop = path.join(folder, 'laptop')
    for (const name of ['sales', 'support'])
      await rejoinJson(['apply', '--data', laptop, '--namespace', name], intent('greet'))
    const [outbox = ''] = await keysIn(laptop, 'replica!outbox!sales')
    await flipValue(laptop, outbox)
    const { code, stdout } = await rejoin(['status', '--data', laptop])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^sales: CANNOT BE OPENED\n {2}.*\[STORE_CORRUPT\]\n\nsupport: offline$/m)
    const json = await rejoin(['status', '--data', laptop, '--json'])
    expect(json.code).toBe(1)
    expect(JSON.parse(json.stdout)).toMatchObject([
      { namespace: 'sales', error: { code: 'STORE_CORRUPT' } },
      { namespace: 'support', pending: 1 },
    ])
    expect((await rejoin(['status', ...support(laptop)])).code).toBe(0)
  })
})
