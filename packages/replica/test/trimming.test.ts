// A replica tells the hub what of its own the log is known to hold: that need not come back.
import type { Cursor } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { expect, test } from 'vitest'
import {
  ack,
  caughtUp,
  cursor,
  listAdded,
  openTodo,
  Peer,
  ScriptedHub,
  tail,
  until,
  welcome,
} from './support.ts'

async function pushed(base: Cursor | null = null) {
  const clock = new VirtualClock(1)
  const hub = new ScriptedHub(clock)
  const replica = await openTodo({ clock, dial: hub.dial })
  replica.connect()
  const line = await hub.line(0)
  if (base === null) line.say(welcome('unknown'), caughtUp(null))
  else line.say(welcome('tail'), tail(base), caughtUp(base))
  replica.apply(listAdded('a'))
  replica.apply(listAdded('b'))
  await line.next('Push')
  return { clock, hub, replica, line }
}

async function nextHello({ clock, hub, replica }: Awaited<ReturnType<typeof pushed>>, index: number) {
  await until(
    'a new line',
    () => hub.lines.length > index,
    () => clock.advanceToNext(),
  )
  const next = await hub.line(index)
  const [hello] = next.heard
  if (hello?.type !== 'Hello') throw new Error('no Hello')
  return { next, hello, replica }
}

test('[8] a commit that was acknowledged and did not come back is offered, and settles without its bytes', async () => {
  const world = await pushed()
  world.line.say(ack(1), ack(2))
  await until('acked', () => world.replica.outbox.every(({ stage }) => stage === 'acked'))
  world.line.cut()
  const { next, hello, replica } = await nextHello(world, 1)
  expect(hello.capabilities).toContain('trim')
  const offered = yjsCrdt.updates.readStateVector(hello.stateVector ?? new Uint8Array())
  expect(offered).toEqual(yjsCrdt.updates.clocks(replica.encode()))
  next.say(welcome('tail'), tail(cursor(1), ...own(replica.id, 1, 2)), caughtUp(cursor(1), 2))
  await until('settled', () => replica.status.pending === 0)
  expect(replica.status).toMatchObject({ cursor: cursor(1), lastError: null })
  expect(replica.tables.lists.get('b')).toEqual({ title: 'b' })
})

test('a commit whose ack was lost, or a duplicate, is not offered: its bytes tell whose it is', async () => {
  const world = await pushed()
  world.line.say(ack(1, true))
  await until('acked', () => world.replica.outbox[0]?.stage === 'acked')
  world.line.cut()
  const { hello } = await nextHello(world, 1)
  expect(hello.capabilities).not.toContain('trim')
  expect(hello.stateVector).toBeUndefined()
})

test.each([
  ['the first one that it gets', null],
  ['one that it had fallen behind of', cursor(1)],
])('[21] what it offered may be named without its bytes behind a document: %s', async (_, base) => {
  const world = await pushed(base)
  world.line.say(ack(1), ack(2))
  await until('acked', () => world.replica.outbox.every(({ stage }) => stage === 'acked'))
  world.line.cut()
  const { next, hello, replica } = await nextHello(world, 1)
  expect(hello.capabilities).toContain('trim')
  const other = new Peer(world.clock)
  other.commit(listAdded('other'))
  next.say(
    welcome('snapshot'),
    { type: 'Snapshot', cursor: cursor(5), snapshot: other.document.encode() },
    tail(cursor(6), ...own(replica.id, 1, 2)),
    caughtUp(cursor(6), 2),
  )
  await until('settled', () => replica.status.pending === 0)
  expect(replica.status).toMatchObject({ cursor: cursor(6), lastError: null })
  for (const id of ['a', 'b', 'other']) expect(replica.tables.lists.get(id)).toEqual({ title: id })
})

test('a hub that refuses the offer is greeted without it', async () => {
  const world = await pushed()
  world.line.say(ack(1), ack(2))
  await until('acked', () => world.replica.outbox.every(({ stage }) => stage === 'acked'))
  world.line.cut()
  const second = await nextHello(world, 1)
  expect(second.hello.capabilities).toContain('trim')
  second.next.cut()
  const { hello } = await nextHello(world, 2)
  expect(hello.capabilities).not.toContain('trim')
})

const own = (replica: string, ...counters: number[]) =>
  counters.map((counter) => ({ replica, counter, update: null }))
