import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openClient, startHub } from 'rejoin'
import { WebSocket as NodeWebSocket } from 'ws'
import { todo } from './todo.ts'
import { openYjsPage } from './yjs-page.ts'

test('a page with Yjs and its provider shares lists with a replica', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rejoin-page-'))
  const hub = await startHub({ data: join(folder, 'hub'), domains: [todo], port: 0 })
  const client = await openClient({ data: join(folder, 'phone'), hub: hub.url })
  // Node 20 has none of its own.
  const { home, provider } = openYjsPage(hub.url, 'any', {
    WebSocketPolyfill: NodeWebSocket as unknown as typeof WebSocket,
  })
  try {
    const phone = await client.open(todo, 'home')
    const arrived = new Promise<void>((resolve) => phone.subscribe(() => resolve()))
    home.apply({ type: 'ListAdded', id: 'shop', title: 'Groceries' })
    await arrived
    expect(phone.tables.lists.get('shop')?.title).toBe('Groceries')
    const heard = new Promise<void>((resolve) => home.subscribe(resolve))
    phone.apply({ type: 'ItemDone', list: 'shop', item: 'milk', text: 'milk' })
    await heard
    expect(home.tables.items.get(['shop', 'milk'])).toEqual({ text: 'milk', done: true })
  } finally {
    provider.destroy()
    await client.close()
    await hub.close()
    await rm(folder, { recursive: true, force: true })
  }
}, 30_000)
