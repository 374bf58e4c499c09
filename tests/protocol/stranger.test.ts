// `docs/PROTOCOL.md` is enough to write a client by: one that knows nothing else exchanges with a hub and its replicas.
import { defineDomain, Id, map } from '@rejoin/core'
import { openClient, startHub, type Client, type Replica } from 'rejoin'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { withFolder } from '../support/command.ts'
import { until, within } from '../support/until.ts'
import { exchange, StrangeSocket } from './stranger-wire.ts'
import { Stranger } from './stranger.ts'

const notes = defineDomain({
  name: 'notes',
  version: 1,
  tables: { notes: map({ key: Id, value: z.string().max(100_000) }) },
  ops: (op) => ({
    Noted: op(z.object({ id: Id, text: z.string().max(100_000) }), (t, o) => t.notes.set(o.id, o.text)),
    Forgotten: op(z.object({ id: Id }), (t, o) => t.notes.remove(o.id)),
  }),
})
type Native = Replica<typeof notes>

const readBy = ({ tables }: Native): Record<string, string> =>
  Object.fromEntries(Array.from(tables.notes.entries(), ([id, text]) => [String(id), text]))

async function withHub(use: (url: string, native: Native, client: Client) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const hub = await startHub({ data: `${folder}/hub`, domains: [notes], port: 0 })
    const client = await openClient({ data: `${folder}/native`, hub: hub.url })
    try {
      await use(hub.url, await client.open(notes, 'office'), client)
    } finally {
      await client.close()
      await hub.close()
    }
  })
}

test('[1] [5] a stranger creates a namespace, writes, hears of others, overwrites theirs, and comes back', async () => {
  await withHub(async (url, native) => {
    const stranger = new Stranger('office')
    const socket = await StrangeSocket.open(url, stranger)
    await within('it is caught up', socket.until('CaughtUp'))
    expect(socket.said[0]).toEqual({ type: 'Welcome', path: 'unknown' })
    stranger.commit({ milk: 'one', bread: 'two' })
    const resent = stranger.push()
    socket.say(resent)
    await within('it has its epoch', socket.until('Tail'))
    expect(socket.said.filter(({ type }) => type === 'Ack')).toEqual([
      { type: 'Ack', counter: 1, duplicate: false },
    ])
    await until('the native has it', () => readBy(native)['milk'] === 'one')

    await native.apply({ type: 'Noted', id: 'eggs', text: 'ten' }).acked
    await native.apply({ type: 'Noted', id: 'milk', text: 'three' }).acked
    await until('the stranger has it', () => stranger.notes['milk'] === 'three')
    stranger.commit({ eggs: 'twelve', milk: null, bread: 'four' })
    socket.say(stranger.push())
    await within('it is acknowledged', socket.until('Ack', 2))
    await until('the native has that', () => readBy(native)['eggs'] === 'twelve')
    expect(stranger.notes).toEqual({ eggs: 'twelve', bread: 'four' })
    expect(readBy(native)).toEqual(stranger.notes)
    expect(native.conflicts()).toEqual([])
    await within('it is told of its own', socket.until('Tail', 4))
    await socket.close()

    const again = await StrangeSocket.open(url, stranger)
    await within('it is live again', again.until('CaughtUp'))
    expect(again.said).toEqual([
      { type: 'Welcome', path: 'live' },
      { type: 'CaughtUp', acked: 2 },
    ])
    again.say(resent)
    await within('its resend is answered', again.until('Ack'))
    expect(again.said.at(-1)).toEqual({ type: 'Ack', counter: 1, duplicate: true })
    await again.close()
  })
})

test('[1] [5] it goes on by HTTP, with a commit that needs fragments, and a newcomer catches up with all', async () => {
  await withHub(async (url, native) => {
    const [stranger, newcomer] = [new Stranger('office'), new Stranger('office')]
    const long = Object.fromEntries(['a', 'b', 'c', 'd'].map((id) => [id, id.repeat(36_000)]))
    stranger.commit(long)
    const said = await exchange(url, stranger)
    expect(said.map(({ type }) => type)).toEqual(expect.arrayContaining(['Welcome', 'CaughtUp', 'Ack']))
    expect(stranger.outbox.size).toBe(0)
    await until('the native has it', () => Object.keys(readBy(native)).length === 4)
    await native.apply({ type: 'Forgotten', id: 'a' }).acked
    expect(await exchange(url, stranger)).toContainEqual({ type: 'Welcome', path: 'tail' })
    const socket = await StrangeSocket.open(url, newcomer)
    await within('it is caught up', socket.until('CaughtUp'))
    await socket.close()
    expect(Object.keys(newcomer.notes)).toEqual(['b', 'c', 'd'])
    for (const each of [newcomer.notes, readBy(native)]) expect(each).toEqual(stranger.notes)
  })
})
