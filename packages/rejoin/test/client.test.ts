// The default wiring: real folders, a real socket.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { intents, openClient, startHub, type Replica } from 'rejoin'

test('several namespaces travel live over one connection, each to those who opened it', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-client-'))
  const connections: string[] = []
  const hub = await startHub({
    data: path.join(folder, 'hub'),
    domains: [intents],
    port: 0,
    log: (event) => {
      if ('event' in event && event.event === 'connected') connections.push(event.event)
    },
  })
  const [one, two] = [
    await openClient({ data: path.join(folder, 'one'), hub: hub.url }),
    await openClient({ data: path.join(folder, 'two'), hub: hub.url }),
  ]
  try {
    const writers = [await one.open(intents, 'sales'), await one.open(intents, 'support')]
    const readers = [await two.open(intents, 'sales'), await two.open(intents, 'support')]
    for (const [i, writer] of writers.entries()) {
      await writer.apply({ type: 'IntentAdded', id: `intent-${i}`, phrasesByLang: {} }).acked
    }
    for (const reader of readers) await firstIntent(reader)
    expect(readers.map(({ tables }) => Array.from(tables.intents.entries(), ([id]) => id))).toEqual([
      ['intent-0'],
      ['intent-1'],
    ])
    expect(connections).toHaveLength(2)
    expect(await two.namespaces()).toEqual(['sales', 'support'])
  } finally {
    await one.close()
    await two.close()
    await hub.close()
    await rm(folder, { recursive: true, force: true })
  }
})

/** Resolves when the live tail has brought an intent. */
function firstIntent(reader: Replica<typeof intents>): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (reader.tables.intents.size === 0) return
      stop()
      resolve()
    }
    const stop = reader.subscribe(look)
    look()
  })
}
