// Thin clients are told by ops, and what a plain Yjs client changed has none: they start cold, and miss nothing.
import { expect, test } from 'vitest'
import { tablesOf } from '@rejoin/crdt-adapter'
import { intents, startHub, systemClock } from 'rejoin'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { withFolder } from '../support/command.ts'
import { until } from '../support/until.ts'

test('a thin client behind a commit without ops is told to start cold', async () => {
  await withFolder(async (folder) => {
    const hub = await startHub({ data: folder, domains: [intents], port: 0 })
    const doc = new Y.Doc()
    const page = tablesOf(intents, doc, { clock: systemClock })
    const provider = new WebsocketProvider(`${hub.url.replace('http', 'ws')}/yjs`, 'support', doc, {
      WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
      disableBc: true,
    })
    const sync = async (version: number): Promise<Record<string, unknown>> => {
      const response = await fetch(`${hub.url}/api/sync`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ local_versions: { support: version }, supports_delta: true }),
      })
      return (await response.json()) as Record<string, unknown>
    }
    try {
      await until('synced', () => provider.synced)
      page.apply({ type: 'IntentAdded', id: 'refund', phrasesByLang: { en: ['money back'] } })
      await until('it is logged', () => provider.synced && doc.store.pendingStructs === null)
      let told = JSON.stringify(await sync(1))
      for (let i = 0; i < 200 && !told.includes('cold_start_required'); i++) {
        await new Promise((resolve) => setTimeout(resolve, 10))
        told = JSON.stringify(await sync(1))
      }
      expect(told).toContain('cold_start_required')
    } finally {
      provider.destroy()
      await hub.close()
    }
  })
}, 60_000)
