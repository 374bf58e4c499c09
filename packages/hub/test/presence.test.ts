// Presence in a room: who hears what, when, how much of it, and what happens to those who leave without a word.
import { expect, test } from 'vitest'
import { limits, type Hello } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, type Principal } from '../src/index.ts'
import { Author, Line, NAMESPACE, openWorld, pass, presenceOf, settle, type World } from './world.ts'

const ada: Principal = { ...anyone, id: 'ada', name: 'ada' }
const bob: Principal = { ...anyone, id: 'bob', name: 'bob' }

function enter(world: World, principal: Principal, hello: Partial<Hello> = {}): Line {
  return new Line(world, principal).hello(new Author(world.clock), null, hello)
}

function show(line: Line, client: number, clock: number, state?: unknown): void {
  line.channel.send({ type: 'Awareness', update: presenceOf(client, clock, state) })
}

/** Every state that came down, as `client:clock:json`, one text a message. */
function heardBy(line: Line): readonly string[] {
  return line.of('Awareness').map(({ update }) =>
    yjsCrdt.updates
      .readPresence(update)
      .map(({ client, clock, json }) => `${client}:${clock}:${json}`)
      .join(' '),
  )
}

test('what is said within a tick is told as one, the last of each', async () => {
  const world = openWorld()
  const [one, two, reader] = [enter(world, ada), enter(world, ada), enter(world, bob)]
  await settle()
  show(one, 10, 1)
  await settle()
  expect(heardBy(reader)).toEqual(['10:1:{"at":1}'])
  for (let clock = 2; clock <= 9; clock++) {
    show(one, 10, clock)
    show(two, 11, clock)
    await settle()
  }
  expect(heardBy(reader)).toHaveLength(1)
  await pass(world.clock, limits.presenceTickMs)
  expect(heardBy(reader).slice(1)).toEqual(['10:9:{"at":9} 11:9:{"at":9}'])
  expect(heardBy(one)).toEqual(['11:9:{"at":9}'])
  expect(await world.store.state(NAMESPACE)).toBe('unknown')
})

test('who goes without a word is taken leave of at once, and heard again at once when back', async () => {
  const world = openWorld()
  const [lost, reader] = [enter(world, ada), enter(world, bob)]
  await settle()
  show(lost, 10, 5)
  await settle()
  lost.connection.cut()
  await pass(world.clock, limits.presenceTickMs)
  expect(heardBy(reader)).toEqual(['10:5:{"at":5}', '10:6:null'])
  const back = enter(world, ada)
  await settle()
  show(back, 10, 5)
  await settle()
  expect(heardBy(back)).toEqual(['10:6:null'])
  show(back, 10, 7)
  await pass(world.clock, limits.presenceTickMs)
  expect(heardBy(reader).at(-1)).toBe('10:7:{"at":7}')
})

test('who is silent for three heartbeats is gone, who renews is not', async () => {
  const world = openWorld()
  const [silent, steady, reader] = [enter(world, ada), enter(world, ada), enter(world, bob)]
  await settle()
  show(silent, 10, 1)
  show(steady, 11, 1)
  for (let beat = 1; beat <= 4; beat++) {
    await pass(world.clock, limits.heartbeatMs)
    show(steady, 11, 1 + beat)
  }
  await pass(world.clock, limits.presenceTickMs)
  const all = heardBy(reader).join(' ')
  expect(all).toContain('10:2:null')
  expect(all).not.toContain('11:2:null')
  expect(heardBy(reader).at(-1)).toBe('11:5:{"at":5}')
})

test('what a provider echoes goes nowhere, and nobody speaks for another', async () => {
  const world = openWorld()
  const [one, other, reader] = [enter(world, ada), enter(world, bob), enter(world, bob)]
  await settle()
  show(one, 10, 3)
  await pass(world.clock, limits.presenceTickMs)
  show(other, 10, 3, { at: 3 })
  show(other, 10, 9, { name: 'not ada' })
  show(other, 10, 9, null)
  await pass(world.clock, limits.presenceTickMs)
  expect(heardBy(reader)).toEqual(['10:3:{"at":3}'])
  // The same person on a new connection, while the old one is not yet known to be gone.
  const again = enter(world, ada)
  await settle()
  show(again, 10, 4)
  await pass(world.clock, limits.presenceTickMs)
  one.connection.cut()
  await pass(world.clock, limits.presenceTickMs)
  expect(heardBy(reader).at(-1)).toBe('10:4:{"at":4}')
})

test('[14] one session shows so many states and no more, and a message stays within its bound', async () => {
  const world = openWorld()
  const [one, reader] = [enter(world, ada), enter(world, bob)]
  await settle()
  const long = 'x'.repeat(8_000)
  for (let client = 1; client <= limits.presencePerSessionMax + 5; client++)
    show(one, 100 + client, 1, { long })
  await pass(world.clock, limits.presenceTickMs)
  const late = enter(world, bob)
  await settle()
  expect(heardBy(late).join(' ').split('null').length).toBe(1)
  const states = late.of('Awareness').flatMap(({ update }) => yjsCrdt.updates.readPresence(update))
  expect(states).toHaveLength(limits.presencePerSessionMax)
  for (const line of [late, reader])
    for (const { update } of line.of('Awareness'))
      expect(update.length).toBeLessThanOrEqual(limits.awarenessBytesMax)
})

test('what cannot be read ends the session that says it, and no other', async () => {
  const world = openWorld()
  const [one, reader] = [enter(world, ada), enter(world, bob)]
  await settle()
  one.channel.send({ type: 'Awareness', update: Uint8Array.of(1, 2, 3) })
  await settle()
  expect(one.story).toContain('Closing:MESSAGE_MALFORMED')
  expect(reader.of('Closing')).toEqual([])
})
