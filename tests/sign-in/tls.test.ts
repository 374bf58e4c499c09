// TLS by certificate files: one port for https: and wss:, and nothing beyond loopback without it.
import { existsSync, readFileSync } from 'node:fs'
import { get, type RequestOptions } from 'node:https'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { intents, startHub } from 'rejoin'
import { withFolder } from '../support/command.ts'
import { withWorld } from './world.ts'

const certificate = (name: string): string => path.join(import.meta.dirname, 'certificate', name)
const tls = { cert: certificate('cert.pem'), key: certificate('key.pem') }
const ca = readFileSync(tls.cert)

const upgrade = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': Buffer.alloc(16).toString('base64'),
  'sec-websocket-protocol': 'rejoin.1',
}

function fetchBy(
  url: string,
  options: RequestOptions,
): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    get(url, options, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode, body }), reject)
    }).on('error', reject)
  })
}

test('one port serves https: and wss:, to who trusts its certificate, and asks for sign-in', async () => {
  await withWorld(
    async ({ hub, keys }) => {
      expect(hub.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
      expect(await fetchBy(`${hub.url}/healthz`, { ca })).toEqual({ status: 200, body: '{"status":"ok"}' })
      await expect(fetchBy(`${hub.url}/healthz`, {})).rejects.toThrow(/self-signed/)
      await expect(fetch(hub.url.replace('https', 'http'))).rejects.toThrow('fetch failed')
      const open = (headers: Record<string, string>): Promise<number> =>
        new Promise((resolve, reject) => {
          const asking = get(`${hub.url}/v1/live`, { ca, headers: { ...upgrade, ...headers } })
          asking.on('upgrade', (_, socket) => {
            socket.destroy()
            resolve(101)
          })
          asking.on('response', (response) => {
            response.resume()
            resolve(response.statusCode ?? 0)
          })
          asking.on('error', reject)
        })
      expect(await open({})).toBe(401)
      expect(await open({ authorization: `Bearer ${keys.get('operator')}` })).toBe(101)
    },
    { tls },
  )
})

test.each([
  ['a key that is no key', { cert: tls.cert, key: tls.cert }],
  ['a certificate that is none', { cert: tls.key, key: tls.key }],
  ['a file that is not there', { cert: certificate('none.pem'), key: tls.key }],
])('%s is refused, and nothing of it is shown', async (_, files) => {
  await withFolder(async (folder) => {
    const data = path.join(folder, 'hub')
    await expect(startHub({ data, domains: [intents], port: 0, tls: files })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.not.stringContaining('BEGIN'),
    })
    expect(existsSync(data)).toBe(false)
  })
})

test('beyond loopback a hub needs both keys and TLS, or a proxy that has it', async () => {
  await withFolder(async (folder) => {
    const open = { data: path.join(folder, 'open'), domains: [intents], host: '192.0.2.7', port: 0 }
    await expect(startHub(open)).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('keys'),
    })
    await expect(startHub({ ...open, tls })).rejects.toMatchObject({ code: 'FORBIDDEN' })
    expect(existsSync(open.data)).toBe(false)
  })
  await withWorld(async ({ hub, hubFolder }) => {
    await hub.close()
    const keyed = { data: hubFolder, domains: [intents], host: '192.0.2.7', port: 0 }
    await expect(startHub(keyed)).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('TLS'),
    })
    // Allowed, and then no address of this machine.
    await expect(startHub({ ...keyed, tls })).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    await expect(startHub({ ...keyed, behindTlsProxy: true })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    })
  })
})
