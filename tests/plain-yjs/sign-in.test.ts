// Who a plain client is: a header in Node, a subprotocol in a page, never the URL. Who may only read reads; who may not come in
// hears why; a token reaches no log; and a client id is its principal's alone.
import { expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { HlcClock, replicaIdOf } from '@rejoin/core'
import { todo } from '@rejoin/examples/todo'
import { withWorld } from '../sign-in/world.ts'
import { until } from '../support/until.ts'
import { RawClient } from './raw-client.ts'
import { Page } from './world.ts'

const protocolsOf = (token: string): string[] => [
  'rejoin.yjs',
  `rejoin.token.${Buffer.from(token).toString('base64url')}`,
]
const hlc = new HlcClock(replicaIdOf(new Uint8Array(16)), null).tick(Date.now())

test('a writer writes, a reader reads and is told that its edits stay its own, a stranger is told why it is not let in', async () => {
  const warned = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const events: unknown[] = []
  await withWorld(
    async ({ hub, keys }) => {
      const [write = '', read = ''] = [keys.get('writer'), keys.get('reader')]
      const writer = new Page(hub.url, new Y.Doc(), { protocols: protocolsOf(write) })
      const reader = new Page(hub.url, new Y.Doc(), { protocols: protocolsOf(read) })
      const stranger = new Page(hub.url, new Y.Doc(), { protocols: protocolsOf('rj_wrong') })
      const nobody = new Page(hub.url, new Y.Doc())
      try {
        await writer.synced()
        await reader.synced()
        writer.add('a')
        await until('the reader reads', () => 'a' in reader.titles)
        reader.add('mine')
        await until('it is told', () =>
          warned.mock.calls.some(([text]) => String(text).includes('FORBIDDEN')),
        )
        writer.add('b')
        await until('it reads on', () => 'b' in reader.titles)
        // Nor is it shown to others, when it comes again with it either.
        reader.provider.disconnect()
        reader.provider.connect()
        await reader.synced()
        reader.provider.awareness.setLocalState({ name: 'reader' })
        writer.provider.awareness.setLocalState({ name: 'writer' })
        await until('it sees the writer', () => reader.provider.awareness.getStates().size === 2)
        expect(writer.provider.awareness.getStates().size).toBe(1)
        expect(Object.keys(writer.titles).toSorted()).toEqual(['a', 'b'])
        expect(reader.closed).toEqual([])
        for (const refused of [stranger, nobody]) {
          await until('it is refused', () => refused.closed.length > 0)
          expect(refused.closed).toEqual([
            { code: 4401, reason: expect.stringMatching(/^UNAUTHENTICATED: /) as string },
          ])
        }
        const elsewhere = new Page(hub.url, new Y.Doc(), {
          protocols: protocolsOf(write),
          namespace: 'office',
        })
        await until('it is refused', () => elsewhere.closed.length > 0)
        expect(elsewhere.closed[0]?.code).toBe(4403)
        elsewhere.destroy()
        const header = await RawClient.open(hub.url, { headers: { authorization: `Bearer ${write}` } })
        await header.greet(new Y.Doc())
        expect(header.of('step2').length).toBe(1)
        header.socket.close()
        const told = JSON.stringify(events)
        for (const token of [write, read, 'rj_wrong']) {
          expect(told.includes(token)).toBe(false)
          expect(told.includes(Buffer.from(token).toString('base64url'))).toBe(false)
        }
        expect(events.length).toBeGreaterThan(0)
      } finally {
        for (const page of [writer, reader, stranger, nobody]) page.destroy()
      }
    },
    { domains: [todo], scopes: { writer: 'write:home', reader: 'read' }, log: (event) => events.push(event) },
  )
  warned.mockRestore()
}, 60_000)

test('a token in the URL is refused, and the answer names no protocol that holds one', async () => {
  await withWorld(
    async ({ hub, keys }) => {
      const token = keys.get('writer') ?? ''
      await expect(RawClient.open(hub.url, { query: `?token=${token}` })).rejects.toThrow(/400/)
      const client = await RawClient.open(hub.url, { protocols: protocolsOf(token) })
      expect(client.socket.protocol).toBe('rejoin.yjs')
      client.socket.close()
      await expect(
        RawClient.open(hub.url, {
          protocols: protocolsOf(token),
          headers: { origin: 'https://evil.example' },
        }),
      ).rejects.toThrow(/403/)
    },
    { domains: [todo], scopes: { writer: 'write:home' } },
  )
}, 60_000)

test('[25] nobody writes under the client id of another principal, who may go on', async () => {
  await withWorld(
    async ({ hub, keys }) => {
      const ada = await RawClient.open(hub.url, { protocols: protocolsOf(keys.get('ada') ?? '') })
      const bob = await RawClient.open(hub.url, { protocols: protocolsOf(keys.get('bob') ?? '') })
      const page = new Page(hub.url, new Y.Doc(), { protocols: protocolsOf(keys.get('ada') ?? '') })
      const doc = new Y.Doc()
      doc.clientID = 4_242
      const sent: Uint8Array[] = []
      doc.on('update', (update: Uint8Array) => sent.push(update))
      const write = (id: string): Uint8Array => {
        doc.getArray('entries').insert(doc.getArray('entries').length, [['lists', id, true, hlc]])
        return sent.at(-1) ?? new Uint8Array(0)
      }
      try {
        await page.synced()
        page.add('home')
        await ada.greet(new Y.Doc())
        ada.update(write('first'))
        await until('it is there', () => page.todo.tables.lists.has('first'))
        await bob.greet(new Y.Doc())
        const second = write('second')
        bob.update(second)
        expect(await bob.whenClosed()).toMatchObject({
          code: 4409,
          reason: expect.stringMatching(/^CLIENT_TAKEN/) as string,
        })
        ada.update(second)
        await until('ada goes on', () => page.todo.tables.lists.has('second'))
      } finally {
        page.destroy()
        ada.socket.close()
      }
    },
    { domains: [todo], scopes: { ada: 'write:home', bob: 'write:home' } },
  )
}, 60_000)

test('a sign-in that is taken back ends the connection for good', async () => {
  await withWorld(
    async ({ hub, hubFolder, keys, rejoin }) => {
      const page = new Page(hub.url, new Y.Doc(), { protocols: protocolsOf(keys.get('ada') ?? '') })
      try {
        await page.synced()
        await rejoin('keys', 'revoke', '--data', hubFolder, '--name', 'ada')
        await until('it is closed', () => page.closed.length > 0)
        expect(page.closed[0]?.code).toBe(4401)
      } finally {
        page.destroy()
      }
    },
    { domains: [todo], scopes: { ada: 'write:home' } },
  )
}, 60_000)
