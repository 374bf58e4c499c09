// What a principal may do, at every message in and out, and what happens when its sign-in ends while it is connected.
import { expect, test } from 'vitest'
import { SyncError } from '@rejoin/core'
import { anyone, type Principal } from '../src/index.ts'
import { Author, Line, NAMESPACE, openWorld, presenceOf, settle, type World } from './world.ts'

const presence = { type: 'Awareness', update: presenceOf(7, 1) } as const

/** Ada has written, and Bea is live as `principal`. */
async function met(world: World, principal: Principal): Promise<{ ada: Author; adas: Line; beas: Line }> {
  const ada = new Author(world.clock)
  const adas = new Line(world).hello(ada)
  await settle()
  adas.push(null, ada.note('milk'))
  await settle()
  const beas = new Line(world, principal).hello(new Author(world.clock))
  await settle()
  return { ada, adas, beas }
}

function epochOf(line: Line): number | null {
  return line.cursor?.epoch ?? null
}

test('who may only read is shown what others write and present, and shows them nothing', async () => {
  const world = openWorld()
  const { ada, adas, beas } = await met(world, { ...anyone, canWrite: () => false })
  adas.forget()
  beas.forget()
  beas.channel.send(presence)
  beas.push(epochOf(adas), new Author(world.clock).note('bread'))
  await settle()
  expect(beas.story).toBe('Refused:1:FORBIDDEN')
  expect(adas.story).toBe('')
  adas.channel.send(presence)
  adas.push(epochOf(beas), ada.note('salt'))
  await settle()
  expect(beas.story).toBe('Refused:1:FORBIDDEN Awareness Tail@2[2]')
  // Nor is it told to who comes later.
  const late = new Line(world).hello(new Author(world.clock))
  await settle()
  expect(late.of('Awareness')).toHaveLength(1)
})

test('a namespace that may not be read looks the same whether it is there or not', async () => {
  const world = openWorld()
  const { ada } = await met(world, anyone)
  const stranger = { ...anyone, canRead: () => false }
  const answers = []
  for (const namespace of [NAMESPACE, 'nowhere']) {
    for (const domain of ['notes', 'other', 'chess']) {
      const line = new Line(world, stranger).hello(ada, null, { namespace, domain })
      await settle()
      answers.push(
        JSON.stringify(line.received)
          .replaceAll(namespace, '')
          .replace(/"retryAfterMs":\d+/, ''),
      )
    }
  }
  expect(new Set(answers).size).toBe(1)
  expect(answers[0]).toContain('FORBIDDEN')
})

test('an expired sign-in greets nobody', async () => {
  const world = openWorld()
  const expired = { ...anyone, expiresAt: world.clock.now() }
  for (const domain of ['notes', 'chess']) {
    const line = new Line(world, expired).hello(new Author(world.clock), null, { domain })
    await settle()
    expect(line.story).toBe('Refused:room:SIGN_IN_EXPIRED Closing:SIGN_IN_EXPIRED')
  }
  expect(world.hub.metrics()).toMatchObject({ rooms: 0, sessions: 0 })
})

test('a sign-in that expires while commits are under way: none is taken after, those acknowledged stay', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const line = new Line(world, { ...anyone, expiresAt: world.clock.now() + 1_000 }).hello(ada)
  await settle()
  line.push(null, ada.note('a'))
  await settle()
  const epoch = epochOf(line)
  line.connection.hold('up')
  line.push(epoch, ada.note('b')).push(epoch, ada.note('c'))
  await settle()
  world.clock.advance(1_000)
  line.connection.release('up')
  await settle()
  expect(line.of('Ack')).toMatchObject([{ counter: 1 }])
  expect(line.story).toMatch(/ Refused:room:SIGN_IN_EXPIRED Closing:SIGN_IN_EXPIRED$/)
  expect(await line.channel.closed).toMatchObject({ code: 'SIGN_IN_EXPIRED' })
  const next = new Line(world).hello(ada)
  await settle()
  expect(next.cursor?.seq).toBe(1)
})

test('a reader whose sign-in ends gets nothing more: no commits, no presence', async () => {
  for (const what of ['expired', 'revoked'] as const) {
    const world = openWorld()
    const revoke = new AbortController()
    const expiresAt = what === 'expired' ? world.clock.now() + 1_000 : null
    const { ada, adas, beas } = await met(world, { ...anyone, expiresAt, revoked: revoke.signal })
    beas.forget()
    world.clock.advance(1_000)
    if (what === 'revoked') revoke.abort(new SyncError('UNAUTHENTICATED', 'gone'))
    adas.channel.send(presence)
    adas.push(epochOf(adas), ada.note('secret'))
    await settle()
    const code = what === 'expired' ? 'SIGN_IN_EXPIRED' : 'UNAUTHENTICATED'
    expect(beas.story).toBe(`Refused:room:${code} Closing:${code}`)
    expect(await beas.channel.closed).toMatchObject({ code })
    expect(adas.of('Ack')).toHaveLength(2)
  }
})

test('a reader that is no longer allowed to gets nothing more either', async () => {
  const world = openWorld()
  let allowed = true
  const { ada, adas, beas } = await met(world, { ...anyone, canRead: () => allowed })
  beas.forget()
  allowed = false
  adas.push(epochOf(adas), ada.note('secret'))
  await settle()
  expect(beas.story).toBe('Refused:room:FORBIDDEN Closing:FORBIDDEN')
})

test('the next message of a session whose sign-in has ended is not looked at', async () => {
  const world = openWorld()
  const revoke = new AbortController()
  const { adas, beas } = await met(world, { ...anyone, revoked: revoke.signal })
  adas.forget()
  beas.forget()
  revoke.abort()
  beas.channel.send(presence)
  await settle()
  expect(beas.story).toBe('Refused:room:UNAUTHENTICATED Closing:UNAUTHENTICATED')
  expect(adas.story).toBe('')
})
