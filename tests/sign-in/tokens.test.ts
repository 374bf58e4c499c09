// Tokens at a real hub, as its operator and its users meet them: taken back while somebody is connected by one, on every
// path at once; renewed before they end; and limits that the operator sets.
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { intents, openClient, startHub, type JwtOptions, type RunningHub } from 'rejoin'
import { main } from '../../packages/rejoin/src/cli/main.ts'
import { EventReader } from '../gateway/event-reader.ts'
import { startRejoin, withFolder } from '../support/command.ts'
import { until } from '../support/until.ts'
import { Collected } from './collected.ts'
import { write } from './world.ts'

interface Tokens {
  readonly jwt: JwtOptions
  /** @param seconds until it ends. */
  sign(sub: string, jti: string, seconds?: number): Promise<string>
}

async function issuer(folder: string): Promise<Tokens> {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const keys = path.join(folder, 'issuer.json')
  await writeFile(
    keys,
    JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] }),
  )
  return {
    jwt: { issuer: 'https://id.example', audience: 'rejoin', keys },
    sign: (sub, jti, seconds = 600) =>
      new SignJWT({ scope: 'write', sub, jti })
        .setProtectedHeader({ alg: 'ES256', kid: 'k', typ: 'at+jwt' })
        .setIssuer('https://id.example')
        .setAudience('rejoin')
        .setIssuedAt()
        .setExpirationTime(`${seconds}s`)
        .sign(privateKey),
  }
}

async function command(...args: string[]): Promise<{ code: number; text: string }> {
  const [stdout, stderr] = [new Collected(), new Collected()]
  const code = await main(args, { stdout, stderr })
  return { code, text: stdout.text + stderr.text }
}

async function withHub(
  use: (given: { folder: string; data: string; hub: RunningHub; tokens: Tokens }) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const tokens = await issuer(folder)
    const data = path.join(folder, 'hub')
    const hub = await startHub({ data, domains: [intents], port: 0, jwt: tokens.jwt })
    try {
      await use({ folder, data, hub, tokens })
    } finally {
      await hub.close()
    }
  })
}

test('a revoked token ends the live session, the stream of ops and the plain client within 5 seconds, and opens nothing more', async () => {
  await withHub(async ({ folder, data, hub, tokens }) => {
    const [ada, other] = [await tokens.sign('ada', 'one'), await tokens.sign('ada', 'two')]
    const client = await openClient({ data: path.join(folder, 'ada'), hub: hub.url, token: () => ada })
    const bystander = await openClient({ data: path.join(folder, 'other'), hub: hub.url, token: () => other })
    try {
      const replica = await client.open(intents, 'support')
      await write(replica, 'first').acked
      const bystanding = await bystander.open(intents, 'support')
      await write(bystanding, 'second').acked
      const authorization = { authorization: `Bearer ${ada}` }
      const events = await EventReader.open(`${hub.url}/v1/support/ops?after=0`, authorization)
      expect((await events.next()).event).toBe('message')
      expect((await events.next()).event).toBe('message')
      const plain = new WebSocket(`${hub.url.replace('http', 'ws')}/yjs/support`, { headers: authorization })
      const plainClosed = new Promise<number>((resolve) => plain.once('close', (code) => resolve(code)))
      await new Promise((resolve, reject) => plain.once('open', resolve).once('error', reject))
      expect(await command('keys', 'revoke', '--data', data, '--token-id', 'one')).toMatchObject({ code: 0 })
      await until('it is told', () => replica.status.state === 'refused', 5_000)
      expect(replica.status.lastError).toMatchObject({ code: 'UNAUTHENTICATED' })
      expect(await events.next()).toMatchObject({ event: 'end', json: { code: 'UNAUTHENTICATED' } })
      expect(await events.ended()).toBe(true)
      expect(await plainClosed).toBe(4401)
      for (const [method, where] of [
        ['POST', '/v1/sync'],
        ['GET', '/v1/support/ops'],
        ['GET', '/api/namespaces'],
      ] as const) {
        const { status } = await fetch(`${hub.url}${where}`, { method, headers: authorization })
        expect([where, status]).toEqual([where, 401])
      }
      // The same subject's other token goes on, until the subject is revoked.
      await write(bystanding, 'third').acked
      expect(await command('keys', 'revoke', '--data', data, '--subject', 'ada')).toMatchObject({ code: 0 })
      await until('the other is told', () => bystanding.status.state === 'refused', 5_000)
    } finally {
      await client.close()
      await bystander.close()
    }
  })
})

test('revoking a subject takes its keys too, and one of the three ways is given', async () => {
  await withFolder(async (folder) => {
    const data = path.join(folder, 'hub')
    const add = ['keys', 'add', '--data', data, '--scope', 'read', '--name']
    for (const args of [
      [...add, 'a', '--subject', 'ada'],
      [...add, 'b', '--subject', 'bob'],
    ])
      await command(...args)
    expect((await command('keys', 'revoke', '--data', data, '--subject', 'ada')).code).toBe(0)
    const { text } = await command('keys', 'list', '--data', data, '--json')
    expect(JSON.parse(text)).toMatchObject([
      { name: 'a', state: 'revoked' },
      { name: 'b', state: 'active' },
    ])
    for (const more of [[], ['--name', 'a', '--subject', 'ada'], ['--token-id', '']])
      expect((await command('keys', 'revoke', '--data', data, ...more)).code).toBe(2)
  })
})

test('[21] a replica whose tokens live for seconds stays connected over several of them', async () => {
  await withHub(async ({ folder, hub, tokens }) => {
    let signed = 0
    const states: string[] = []
    const token = (): Promise<string> => tokens.sign('ada', `${signed++}`, 4)
    const client = await openClient({ data: path.join(folder, 'ada'), hub: hub.url, token })
    try {
      const replica = await client.open(intents, 'support')
      await write(replica, 'first').acked
      replica.onStatus(() => states.push(replica.status.state))
      await until('it was asked for three more', () => signed >= 4, 20_000)
      await write(replica, 'last').acked
      expect(states.filter((state) => state !== 'live')).toEqual([])
    } finally {
      await client.close()
    }
  })
})

test('an operator sets limits by name, and a wrong one is a fault of usage', async () => {
  await withFolder(async (folder) => {
    const data = path.join(folder, 'hub')
    for (const limit of [
      'connections',
      'connections=x',
      'nothing=1',
      'connections=1/2',
      'commits=5',
      'commits=0/1',
    ])
      expect((await command('hub', '--data', data, '--limit', limit)).code).toBe(2)
    const hub = await startRejoin([
      'hub',
      '--data',
      data,
      '--port',
      '0',
      '--limit',
      'connectionsPerAddress=3',
    ])
    try {
      const sockets = Array.from(
        { length: 4 },
        () => new WebSocket(`${hub.first.replace('http', 'ws')}/v1/live`, ['rejoin.1']),
      )
      const outcomes = await Promise.all(
        sockets.map(
          (socket) =>
            new Promise<string>((resolve) => {
              socket.once('open', () => resolve('open')).once('error', ({ message }) => resolve(message))
            }),
        ),
      )
      expect(outcomes.filter((outcome) => outcome === 'open')).toHaveLength(3)
      expect(outcomes.filter((outcome) => outcome.includes('429'))).toHaveLength(1)
      for (const socket of sockets) socket.terminate()
    } finally {
      await hub.stop('SIGINT')
    }
  })
})
