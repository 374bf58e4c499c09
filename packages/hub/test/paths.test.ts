// What each path of catching up costs, as a hub counts it; and what a greeting may ask to be spared.
import { expect, test } from 'vitest'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import type { Cursor, Hello } from '@rejoin/core'
import { SaidHeld } from '../src/said-held.ts'
import { Author, Line, NAMESPACE, openWorld, settle, textsOf, type World } from './world.ts'

async function fill(world: World, count: number): Promise<{ ada: Author; cursors: Cursor[]; line: Line }> {
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  for (let i = 1; i <= count; i++) {
    line.push(line.cursor?.epoch ?? null, ada.note(`n${i}`))
    await settle()
  }
  return { ada, line, cursors: line.of('Tail').map(({ cursor }) => cursor) }
}

function at(cursors: readonly Cursor[], index: number): Cursor {
  const cursor = cursors[index]
  if (cursor === undefined) throw new Error(`no record ${index}`)
  return cursor
}

test('each catch-up is on the account of its path, to the byte, and what passes live is not', async () => {
  const world = openWorld({ retention: { commits: 2 } })
  const { ada, cursors, line } = await fill(world, 6)
  await world.hub.checkpoint(NAMESPACE)
  const standing = { live: cursors[5], tail: cursors[4], snapshot: cursors[0] }
  const members = []
  for (const [path, cursor] of Object.entries(standing)) {
    const member = new Line(world).hello(new Author(world.clock), cursor)
    await settle()
    members.push({ path, member, cost: { times: 1, ms: 0, ...member.channel.bill } })
  }
  line.push(line.cursor?.epoch ?? null, ada.note('live'))
  await settle()
  const { paths } = world.hub.metrics()
  for (const { path, member, cost } of members) {
    expect(paths).toMatchObject({ [path]: cost })
    expect(member.channel.bill.bytesDown).toBeGreaterThan(cost.bytesDown)
  }
  expect(paths.unknown?.times).toBe(1)
})

test('time counts as well', async () => {
  const world = openWorld()
  const { cursors } = await fill(world, 3)
  const slow = new Line(world)
  slow.connection.hold('down')
  slow.hello(new Author(world.clock), cursors[0])
  await settle()
  world.clock.advance(700)
  slow.connection.release('down')
  await settle()
  expect(world.hub.metrics().paths.tail).toMatchObject({ times: 1, ms: 700 })
})

test('what a catch-up that breaks off has cost is counted, and it is not', async () => {
  const world = openWorld()
  const { cursors } = await fill(world, 3)
  const lost = { ...at(cursors, 2), tag: '0123456789abcdef' }
  const broken = new Line(world).hello(new Author(world.clock), lost, { capabilities: ['delta', 'heal'] })
  await settle()
  expect(broken.story).toBe('Welcome:heal HealWanted')
  broken.connection.cut()
  await settle()
  const { bytesUp, bytesDown } = broken.channel.bill
  expect(world.hub.metrics().paths.heal).toEqual({ times: 0, ms: 0, bytesUp, bytesDown })
})

test('[21] behind a document nothing is left out, whatever the greeting names', async () => {
  const world = openWorld({ retention: { commits: 1 } })
  const { ada, cursors, line } = await fill(world, 3)
  await world.hub.checkpoint(NAMESPACE)
  line.push(line.cursor?.epoch ?? null, ada.note('n4'))
  await settle()
  const offer = { capabilities: ['delta', 'trim'], stateVector: ada.doc.stateVector() }
  const brought = async (cursor: Cursor | null | undefined) => {
    const again = new Line(world).hello(ada, cursor, offer)
    await settle()
    return again.of('Tail').map(({ commits }) => commits.map(({ update }) => update !== null))
  }
  expect(await brought(cursors[2])).toEqual([[false]])
  expect(await brought(cursors[0])).toEqual([[true]])
  expect(await brought(null)).toEqual([[true]])
})

test('a replica that does not offer `delta` always gets the document whole, wherever it stands', async () => {
  const world = openWorld()
  const { cursors } = await fill(world, 3)
  for (const cursor of [null, ...cursors]) {
    const line = new Line(world).hello(new Author(world.clock), cursor, { capabilities: [] })
    await settle()
    expect(line.story).toBe('Welcome:snapshot Snapshot@3 CaughtUp@3:0')
    expect(Object.keys(textsOf(line.updates))).toHaveLength(3)
    line.channel.close()
  }
})

test('what a replica says that it has is named in its tail, and its bytes are left out', async () => {
  const world = openWorld()
  const { ada, line, cursors } = await fill(world, 2)
  line.push(
    line.cursor?.epoch ?? null,
    ada.note('n3'),
    ada.commit({ type: 'Forgotten', id: 'n1' }),
    ada.note('n4'),
  )
  await settle()
  // Up to the end of n3.
  const stateVector = yjsCrdt.updates.stateVector(new Map([[ada.clientId, 3]]))
  const more = { capabilities: ['delta', 'trim'], stateVector }
  const back = new Line(world).hello(ada, cursors[0] ?? null, more)
  await settle()
  // Of what only deletes nobody can tell.
  expect(back.story).toBe('Welcome:tail Tail@3[own2,own3,4,5] CaughtUp@3:5')
  const all = new Line(world).hello(ada, cursors[0] ?? null)
  await settle()
  expect(all.story).toBe('Welcome:tail Tail@3[2,3,4,5] CaughtUp@3:5')
  const spared = all.channel.bill.bytesDown - back.channel.bill.bytesDown
  expect(spared).toBeGreaterThan(2 * 'text of n2'.length)
})

test('what holds items of several clients is left out where all of them are named', async () => {
  const world = openWorld()
  const [ada, bea] = [new Author(world.clock), new Author(world.clock)]
  const both = yjsCrdt.updates.merge([ada.note('a').update, bea.note('b').update])
  const says = (...clients: number[]): boolean => {
    const stateVector = yjsCrdt.updates.stateVector(new Map(clients.map((client) => [client, 1])))
    const hello = { stateVector } as unknown as Hello
    return new SaidHeld(yjsCrdt.updates, hello).has(both)
  }
  expect([says(ada.clientId, bea.clientId), says(ada.clientId), says()]).toEqual([true, false, false])
})

test('a state vector that is none is refused, and the hub goes on', async () => {
  const world = openWorld()
  const { ada, cursors } = await fill(world, 2)
  const more = { capabilities: ['trim'], stateVector: Uint8Array.of(5, 1) }
  const line = new Line(world).hello(ada, cursors[0] ?? null, more)
  await settle()
  expect(line.story).toMatch(/^Refused:room:UPDATE_MALFORMED Closing/)
  const next = new Line(world).hello(ada, cursors[0] ?? null)
  await settle()
  expect(next.story).toMatch(/^Welcome:tail/)
})
