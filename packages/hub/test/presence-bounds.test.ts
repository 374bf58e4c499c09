// [14] Presence at its bounds: a full room leaves newcomers out until others go, and a slow peer goes without it first.
import { expect, test } from 'vitest'
import { limits, type PresenceState } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { PlainClient } from './plain-client.ts'
import { Author, Line, openWorld, pass, presenceOf, settle, type World } from './world.ts'

const { updates } = yjsCrdt

const enter = (world: World): Line => new Line(world).hello(new Author(world.clock))

/** States of so many clients from `first` on, all at once. */
function showMany(line: Line, first: number, count: number): void {
  const state = (_: unknown, i: number): PresenceState => ({ client: first + i, clock: 1, json: '{}' })
  line.channel.send({
    type: 'Awareness',
    update: updates.encodePresence(Array.from({ length: count }, state)),
  })
}

const shownTo = (line: Line): ReadonlySet<number> =>
  new Set(
    line
      .of('Awareness')
      .flatMap(({ update }) => updates.readPresence(update))
      .filter(({ json }) => json !== 'null')
      .map(({ client }) => client),
  )

test('[14] of one state below, at and above what a room shows, the last one is left out until somebody goes', async () => {
  const world = openWorld()
  const per = limits.presencePerSessionMax
  const count = Math.ceil(limits.presencePerRoomMax / per)
  const lines = Array.from({ length: count }, () => enter(world))
  await settle()
  // All but the last one show as much as one may.
  for (const [i, line] of lines.slice(0, -1).entries()) showMany(line, 10_000 + i * per, per)
  const last = lines.at(-1)
  if (last === undefined) throw new Error('somebody is there')
  const left = limits.presencePerRoomMax - (count - 1) * per
  const seen: number[] = []
  for (const more of [left - 1, 1, 1]) {
    showMany(last, 50_000 + 10 * seen.length, more)
    await pass(world.clock, limits.presenceTickMs)
    const late = enter(world)
    await settle()
    seen.push(shownTo(late).size)
    late.channel.close()
    await settle()
  }
  expect(seen).toEqual([limits.presencePerRoomMax - 1, limits.presencePerRoomMax, limits.presencePerRoomMax])
  lines[0]?.channel.close()
  await settle()
  showMany(last, 60_000, 1)
  await pass(world.clock, limits.presenceTickMs)
  const late = enter(world)
  await settle()
  expect(shownTo(late).has(60_000)).toBe(true)
})

test('[14] a reader for whom more than a frame waits goes without presence, and misses no commit', async () => {
  const world = openWorld()
  const [writer, reader] = [new Author(world.clock), enter(world)]
  const line = new Line(world).hello(writer)
  await settle()
  reader.connection.hold('down')
  // What the wire has taken is not the hub's to hold any more; beyond that it waits here.
  const waits = (): number => reader.hubChannel?.backlogBytes ?? 0
  let shows = 0
  const show = async (): Promise<void> => {
    line.channel.send({ type: 'Awareness', update: presenceOf(10, ++shows) })
    await pass(world.clock, limits.presenceTickMs)
  }
  for (let i = 0; waits() <= limits.frameBytesMax; i++) {
    await show()
    line.push(line.cursor?.epoch ?? null, writer.note(`n${i}`, 'x'.repeat(90_000)))
    await settle()
  }
  const [before, waiting] = [shows, waits()]
  expect(waiting).toBeLessThan(limits.backlogBytesMax)
  await show()
  await show()
  expect(waits()).toBe(waiting)
  reader.connection.release('down')
  await settle()
  const clocks = reader
    .of('Awareness')
    .flatMap(({ update }) => updates.readPresence(update).map(({ clock }) => clock))
  expect(clocks).toEqual(Array.from({ length: before }, (_, i) => i + 1))
  expect(reader.cursor).toEqual(line.cursor)
  await show()
  expect(reader.of('Awareness')).toHaveLength(before + 1)
})

test('[14] so does a plain Yjs client', async () => {
  const world = openWorld()
  const writer = new Author(world.clock)
  const line = new Line(world).hello(writer)
  await settle()
  line.push(null, writer.note('milk'))
  await settle()
  let waiting = 0
  const plain = new PlainClient(world.clock, 9_000)
  Object.defineProperty(plain, 'backlogBytes', { get: () => waiting })
  plain.connect(world.hub)
  await pass(world.clock, 1_000)
  const heard = (): number => plain.received.filter(({ type }) => type === 'Awareness').length
  const told: number[] = []
  for (const [i, waits] of [limits.frameBytesMax, limits.frameBytesMax + 1, 0].entries()) {
    waiting = waits
    line.channel.send({ type: 'Awareness', update: presenceOf(10, i + 1) })
    await pass(world.clock, limits.presenceTickMs)
    told.push(heard())
  }
  expect(told).toEqual([1, 1, 2])
})
