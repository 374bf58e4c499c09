// Signing in as a user of the command meets it: keys are made, used, listed and revoked; a hub with TLS; and nothing that
// is printed, logged or stored ever holds a secret.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { main } from '../../packages/rejoin/src/cli/main.ts'
import { rejoinJson as rejoinJsonInShell, samplePack, startRejoin, withFolder } from '../support/command.ts'
import { rejoin, rejoinJson } from '../support/command-here.ts'
import { until } from '../support/until.ts'
import { Collected } from './collected.ts'

const certificate = (name: string): string => path.join(import.meta.dirname, 'certificate', name)
const support = (data: string): string[] => ['--data', data, '--namespace', 'support']

async function addKey(hub: string, name: string, scope: string, ...more: string[]): Promise<string> {
  const args = ['keys', 'add', '--data', hub, '--name', name, '--scope', scope, ...more]
  const { key } = (await rejoinJson(args)) as { key: string }
  return key
}

test('a key signs in, says what it may do, is listed without itself, and is revoked while the hub runs', async () => {
  await withFolder(async (folder) => {
    const [data, laptop, phone] = ['hub', 'laptop', 'phone'].map((name) => path.join(folder, name)) as [
      string,
      string,
      string,
    ]
    const writer = await addKey(data, 'laptop', 'write:support-*,write:support', '--expires', '90d')
    expect(writer).toMatch(/^rj_laptop_[0-9a-f]{64}$/)
    const reader = await addKey(data, 'phone', 'read')
    const again = await rejoin(['keys', 'add', '--data', data, '--name', 'phone', '--scope', 'read'])
    expect(again).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('there is a key phone'),
    })
    const hub = await startRejoin(['hub', '--data', data, '--port', '0'])
    try {
      await rejoinJson(['import', ...support(laptop), samplePack])
      const file = path.join(folder, 'token')
      await writeFile(file, `${writer}\n`, { mode: 0o600 })
      const sync = (from: string) => ['sync', ...support(from), '--hub', hub.first]
      expect(await rejoin(sync(laptop))).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('[UNAUTHENTICATED]'),
      })
      const pushed: { pushed: number } = await rejoinJson([...sync(laptop), '--token-file', file])
      expect(pushed.pushed).toBeGreaterThan(0)
      const environment = { REJOIN_TOKEN: reader }
      expect(await rejoinJson(sync(phone), '', environment)).toMatchObject({ pulled: pushed.pushed })
      const missing = [...sync(phone), '--token-file', path.join(folder, 'none')]
      expect(await rejoin(missing)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('[INPUT_INVALID]'),
      })

      const list: { name: string; state: string; scopes: string[] }[] = await rejoinJson([
        'keys',
        'list',
        '--data',
        data,
      ])
      expect(list).toMatchObject([
        { name: 'laptop', state: 'active', scopes: ['write:support-*', 'write:support'] },
        { name: 'phone', state: 'active', scopes: ['read:*'] },
      ])
      expect(JSON.stringify(list)).not.toMatch(/[0-9a-f]{64}/)

      const live = await startRejoin(
        ['sync', ...support(phone), '--hub', hub.first, '--live', '--json'],
        environment,
      )
      try {
        await rejoin(['keys', 'revoke', '--data', data, '--name', 'phone'])
        await until('the revoked one is told', () => live.stdout().includes('UNAUTHENTICATED'), 10_000)
      } finally {
        // It has ended by itself, which SIGINT would not do with this code.
        expect(await live.stop('SIGCONT')).toBe(1)
      }
      expect(live.stderr()).toMatch(/^rejoin: .*\[UNAUTHENTICATED\]$/m)
      expect(await rejoin(sync(phone), '', environment)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('the key phone was revoked'),
      })
      expect(await rejoin(['keys', 'revoke', '--data', data, '--name', 'nobody'])).toMatchObject({ code: 1 })
    } finally {
      expect(await hub.stop('SIGINT')).toBe(0)
    }
  })
})

test('keys are of a hub’s folder alone, and a wrong scope or time is a fault of usage', async () => {
  await withFolder(async (folder) => {
    const [replica, hub] = [path.join(folder, 'replica'), path.join(folder, 'hub')]
    await rejoinJson(['import', ...support(replica), samplePack])
    const add = (data: string, ...more: string[]) => ['keys', 'add', '--data', data, '--name', 'a', ...more]
    expect(await rejoin(add(replica, '--scope', 'read'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('[FOLDER_FOREIGN]'),
    })
    for (const command of ['list', 'revoke --name a']) {
      const args = ['keys', ...command.split(' '), '--data', hub]
      expect(await rejoin(args)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('[INPUT_INVALID]'),
      })
    }
    for (const more of [
      ['--scope', 'root'],
      ['--scope', 'read:A*'],
      ['--scope', ''],
      ['--scope', 'read', '--expires', 'soon'],
      ['--scope', 'read', '--expires', '0d'],
      ['--scope', 'read', '--name', 'A B'],
    ]) {
      expect((await rejoin(add(hub, ...more))).code).toBe(2)
    }
    expect(await readdir(folder)).toEqual(['replica'])
  })
})

test('a hub with a certificate is reached over TLS by who trusts it', async () => {
  await withFolder(async (folder) => {
    const [data, laptop] = [path.join(folder, 'hub'), path.join(folder, 'laptop')]
    const environment = { REJOIN_TOKEN: await addKey(data, 'laptop', 'write') }
    const files = ['--tls-cert', certificate('cert.pem'), '--tls-key', certificate('key.pem')]
    expect((await rejoin(['hub', '--data', data, ...files.slice(0, 2)])).code).toBe(2)
    const hub = await startRejoin(['hub', '--data', data, '--port', '0', ...files])
    try {
      expect(hub.first).toMatch(/^https:/)
      await rejoinJson(['import', ...support(laptop), samplePack])
      const sync = ['sync', ...support(laptop), '--hub', hub.first]
      expect(await rejoin(sync, '', environment)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(
          /certificate that is not trusted here \(self-signed .*NODE_EXTRA_CA_CERTS/,
        ),
      })
      // Node reads this variable when a process begins.
      const trusting = { ...environment, NODE_EXTRA_CA_CERTS: certificate('cert.pem') }
      const { pushed }: { pushed: number } = await rejoinJsonInShell(sync, '', trusting)
      expect(pushed).toBeGreaterThan(0)
    } finally {
      await hub.stop('SIGINT')
    }
  })
})

test('no secret is printed, logged, stored or shown in a list of processes', async () => {
  await withFolder(async (folder) => {
    const [data, laptop] = [path.join(folder, 'hub'), path.join(folder, 'laptop')]
    const good = await addKey(data, 'laptop', 'write')
    // Each of them is looked for in all that comes out.
    const canary = 'c0ffee'.repeat(10) + 'c0ff'
    const tokens = [
      good,
      `rj_laptop_${canary}`,
      `rj_nobody_${canary}`,
      `eyJ${canary}.${canary}.${canary}`,
      canary,
      `${canary} two`,
      `${canary}ä`,
      canary.repeat(200),
    ]
    const secrets = [good.slice(-64), canary]
    const said: string[] = []
    await writeFile(
      path.join(folder, 'jwt.json'),
      JSON.stringify({ issuer: 'https://issuer.example', audience: 'hub', keys: 'http://127.0.0.1:9/keys' }),
    )
    const hub = await startRejoin([
      'hub',
      '--data',
      data,
      '--port',
      '0',
      '--log-level',
      'debug',
      '--jwt',
      path.join(folder, 'jwt.json'),
    ])
    try {
      await rejoinJson(['import', ...support(laptop), samplePack])
      const file = path.join(folder, 'token')
      const sync = ['sync', ...support(laptop), '--hub', hub.first]
      for (const token of tokens) {
        await writeFile(file, token)
        for (const more of [[], ['--json']]) {
          const { code, text } = await inProcess([...sync, '--token-file', file, ...more])
          expect(code).toBe(token === good ? 0 : 1)
          said.push(text, (await inProcess(['status', '--data', laptop, ...more])).text)
        }
      }
      for (const token of [good, `rj_laptop_${canary}`]) {
        const live = await startRejoin([...sync, '--live'], { REJOIN_TOKEN: token })
        await until('it has tried', () => /live|refused/.test(live.stdout()))
        // Who is refused has ended; who is let in is there to be looked at.
        if (process.platform === 'linux' && token === good)
          said.push(await readFile(`/proc/${live.pid}/cmdline`, 'utf8'))
        await live.stop('SIGINT')
        said.push(live.stdout(), live.stderr())
      }
      said.push((await inProcess(['keys', 'list', '--data', data])).text)
      if (process.platform === 'linux') said.push(await readFile(`/proc/${hub.pid}/cmdline`, 'utf8'))
    } finally {
      await hub.stop('SIGINT')
    }
    said.push(hub.first, hub.stderr())
    expect(hub.stderr()).toContain('UNAUTHENTICATED')
    for (const place of [data, laptop]) {
      for (const entry of await readdir(place, { recursive: true, withFileTypes: true })) {
        if (entry.isFile()) said.push(await readFile(path.join(entry.parentPath, entry.name), 'latin1'))
      }
    }
    for (const secret of secrets) expect(said.filter((text) => text.includes(secret))).toEqual([])
  })
})

async function inProcess(args: readonly string[]): Promise<{ code: number; text: string }> {
  const streams = { stdout: new Collected(), stderr: new Collected() }
  const code = await main(args, streams)
  return { code, text: streams.stdout.text + streams.stderr.text }
}
