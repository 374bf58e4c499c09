import { expect, test } from 'vitest'
import { Author, Line, NAMESPACE, openWorld, settle, textsOf } from './world.ts'

test('[3][8] a push is admitted, appended, acknowledged and fanned out, to its author too', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const reader = new Line(world).hello(new Author(world.clock))
  const line = new Line(world).hello(ada)
  await settle()
  line.push(null, ada.note('milk'), ada.note('bread'))
  await settle()
  expect(line.story).toBe('Welcome:unknown CaughtUp@none:0 Ack:1@1 Ack:2@1 Tail@1[own1,own2]')
  expect(reader.story).toBe('Welcome:unknown CaughtUp@none:0 Tail@1[1,2]')
  expect(textsOf(reader.updates)).toEqual({ milk: 'text of milk', bread: 'text of bread' })
  expect(world.hub.metrics()).toMatchObject({ commits: 2, records: 1, acks: 2, rooms: 1, sessions: 2 })
})

test('a room is dropped from memory when its last session has left', async () => {
  const world = openWorld()
  const line = new Line(world).hello(new Author(world.clock))
  await settle()
  expect(world.hub.status().rooms.map(({ namespace }) => namespace)).toEqual([NAMESPACE])
  line.channel.close()
  await settle()
  expect(world.hub.metrics()).toMatchObject({ rooms: 0, sessions: 0 })
})
