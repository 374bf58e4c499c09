// Names that are none, on every path that takes one (HAZARDS G13): refused with a code, alike for all, with no trace of where
// the hub keeps what (G15).
import { readdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { SyncError, type UpMessage } from '@rejoin/core'
import { httpDialer, webSocketDialer } from '@rejoin/transport'
import { systemClock } from 'rejoin'
import { withWorld } from './world.ts'

/** As they stand in a path; null: a path cannot hold it. */
const names: readonly [string, string | null][] = [
  ['..', '%2e%2e'],
  ['../keys.json', '..%2fkeys.json'],
  ['a/b', 'a%2Fb'],
  ['a\\b', 'a%5Cb'],
  ['a\0b', 'a%00b'],
  ['', null],
  ['.hidden', '.hidden'],
  ['__proto__', '__proto__'],
  ['Support', 'Support'],
  ['CON', 'CON'],
  ['café', 'caf%C3%A9'],
  ['café', 'cafe%CC%81'],
  ['a b', 'a%20b'],
  ['%2e%2e', '%252e%252e'],
  ['a'.repeat(129), 'a'.repeat(129)],
  ['a'.repeat(10_000), 'a'.repeat(10_000)],
  ['�', '%C0%AE'],
  ['half a name%', '%'],
]
/** What stands for no name of a namespace, though it looks odd: these are names like any other. */
const odd = ['constructor', 'hasownproperty', 'con', 'nul', 'a..b', '0', 'keys.json']

test('what is no name is refused with NAMESPACE_INVALID or as malformed, and makes nothing', async () => {
  await withWorld(async ({ hub, hubFolder, keys }) => {
    const token = keys.get('operator') ?? ''
    const headers = { authorization: `Bearer ${token}` }
    const before = await readdir(hubFolder)
    const live = webSocketDialer({ url: hub.url, token: () => token, clock: systemClock })
    const once = httpDialer({ url: hub.url, token: () => token, clock: systemClock })
    try {
      for (const [name, escaped] of names) {
        for (const { dial } of [live, once]) {
          const channel = await dial(new AbortController().signal)
          channel.send(helloFor(name))
          channel.end()
          const said = await heard(channel)
          expect([name.slice(0, 20), said]).toEqual([name.slice(0, 20), expect.stringMatching(refused)])
        }
        if (escaped === null) continue
        for (const [path, more] of [
          [`/v1/${escaped}/ops`, {}],
          [`/yjs/${escaped}`, upgrade],
        ] as const) {
          const response = await fetch(`${hub.url}${path}`, { headers: { ...headers, ...more } })
          const text = await response.text()
          expect([path.slice(0, 40), response.status]).toEqual([
            path.slice(0, 40),
            expect.toSatisfy(isRefusal),
          ])
          expect(text).not.toContain(hubFolder)
          expect(text).not.toMatch(/node_modules|\.ts:|\bat .*\(/)
        }
      }
    } finally {
      await live.close()
    }
    expect(await readdir(hubFolder)).toEqual(before)
  })
}, 60_000)

test('what looks odd and is a name, is one', async () => {
  await withWorld(async ({ hub, keys }) => {
    const headers = { authorization: `Bearer ${keys.get('operator') ?? ''}` }
    for (const name of odd) {
      const response = await fetch(`${hub.url}/v1/${name}/ops`, { headers })
      expect([name, response.status]).toEqual([name, 404])
      expect(await response.text()).toContain('NAMESPACE_UNKNOWN')
    }
  })
})

const refused = /^(NAMESPACE_INVALID|MESSAGE_MALFORMED)$/
const upgrade = { 'x-not': 'an upgrade' }

function isRefusal(status: number): boolean {
  return status === 400 || status === 404
}

function helloFor(namespace: string): UpMessage {
  return {
    type: 'Hello',
    namespace,
    domain: 'intents',
    domainVersion: 1,
    replica: 'A'.repeat(22),
    cursor: null,
    ackedCounter: 0,
    capabilities: [],
  }
}

async function heard(
  channel: Awaited<ReturnType<ReturnType<typeof webSocketDialer>['dial']>>,
): Promise<string> {
  try {
    const { code } = await channel.closed
    return String(code)
  } catch (error) {
    return error instanceof SyncError ? error.code : String(error)
  }
}
