// Roles by paths by namespaces, beside the protocol itself (HAZARDS G12): the stream of ops as lines and as events, thin clients'
// JSON, and plain Yjs clients.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { intents } from 'rejoin'
import { withWorld, write, type World } from './world.ts'

const namespaces = ['support-1', 'sales', 'not-there'] as const
const scopes = {
  reader: 'read',
  'support-reader': 'read:support-*',
  'support-writer': 'write:support-*',
  'sales-admin': 'admin:sales',
  elsewhere: 'write:other',
} as const

type Role = keyof typeof scopes | 'nobody'

/** By namespace in that order: the status of its stream of ops, and what a plain client is closed with (0: it is let in). */
const expected: Readonly<Record<Role, readonly (readonly [number, number])[]>> = {
  nobody: [
    [401, 4401],
    [401, 4401],
    [401, 4401],
  ],
  reader: [
    [200, 0],
    [200, 0],
    [404, 0],
  ],
  'support-reader': [
    [200, 0],
    [403, 4403],
    [403, 4403],
  ],
  'support-writer': [
    [200, 0],
    [403, 4403],
    [403, 4403],
  ],
  'sales-admin': [
    [403, 4403],
    [200, 0],
    [403, 4403],
  ],
  elsewhere: [
    [403, 4403],
    [403, 4403],
    [403, 4403],
  ],
}

/** Which of the namespaces thin clients are shown. */
const listed: Readonly<Record<Role, readonly string[] | null>> = {
  nobody: null,
  reader: ['sales', 'support-1'],
  'support-reader': ['support-1'],
  'support-writer': ['support-1'],
  'sales-admin': ['sales'],
  elsewhere: [],
}

let world: World
let done: () => void = () => {}
let closed: Promise<void> = Promise.resolve()
beforeAll(async () => {
  await new Promise<void>((opened, failed) => {
    closed = withWorld(
      async (given) => {
        world = given
        const client = await given.client(given.keys.get('operator'))
        for (const namespace of ['support-1', 'sales']) {
          const replica = await client.open(intents, namespace, { live: false })
          write(replica, 'first')
          await replica.syncOnce()
        }
        opened()
        await new Promise<void>((resolve) => (done = resolve))
      },
      { scopes },
    )
    closed.catch(failed)
  })
})
afterAll(async () => {
  done()
  await closed
})

const roles = Object.keys(expected) as Role[]
test.each(roles)('%s', async (role) => {
  const key = world.keys.get(role)
  const headers: Record<string, string> = key === undefined ? {} : { 'x-api-key': key }
  const { url } = world.hub
  const found = []
  for (const namespace of namespaces) {
    const lines = await fetch(`${url}/v1/${namespace}/ops`, { headers })
    await lines.arrayBuffer()
    const live = { ...headers, accept: 'text/event-stream' }
    const events = await fetch(`${url}/v1/${namespace}/ops`, { headers: live })
    await events.body?.cancel()
    expect(events.status).toBe(lines.status)
    found.push([lines.status, await plainEnd(`${url.replace('http', 'ws')}/yjs/${namespace}`, headers)])
  }
  expect(found).toEqual(expected[role])
  const list = await fetch(`${url}/api/namespaces`, { headers })
  expect(list.status).toBe(listed[role] === null ? 401 : 200)
  const text = await list.text()
  expect(['sales', 'support-1'].filter((name) => text.includes(`"${name}"`))).toEqual(listed[role] ?? [])
  const snapshot = await fetch(`${url}/api/snapshot`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ namespace_ids: [...namespaces] }),
  })
  const content = await snapshot.text()
  expect(['sales', 'support-1'].filter((name) => content.includes(`"${name}"`))).toEqual(
    snapshot.status === 200 ? listed[role] : [],
  )
})

/** What a plain client is closed with; 0 where the hub greets it. */
async function plainEnd(url: string, headers: Record<string, string>): Promise<number> {
  // Whoever names no origin has to show a key with the upgrade; a page is told on the socket.
  const socket = new WebSocket(url, { headers: { ...headers, origin: 'http://localhost:1' } })
  try {
    return await new Promise<number>((resolve, reject) => {
      socket.once('close', resolve).once('error', reject)
      socket.once('open', () => socket.send(Uint8Array.of(0, 0, 1, 0)))
      socket.on('message', (data) => {
        // Its own first step, and no refusal.
        if ((data as Buffer)[0] === 0) resolve(0)
      })
    })
  } finally {
    socket.terminate()
  }
}
