import { expect, test } from 'vitest'
import { limits, type Namespace } from '@rejoin/core'
import { MapHubStore } from '@rejoin/testkit'
import { anyone } from '../src/index.ts'
import { Author, Line, NAMESPACE, openWorld, presenceOf, pass, settle, textsOf } from './world.ts'

test('a channel starts with Hello, and has only one', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const early = new Line(world).push(null, ada.note('milk'))
  const twice = new Line(world).hello(ada).hello(ada)
  await settle()
  expect(early.story).toBe('Closing:MESSAGE_UNEXPECTED')
  expect(twice.story).toMatch(/^Welcome:unknown CaughtUp@none:0 Closing:MESSAGE_UNEXPECTED$/)
})

test('who may not read is refused before anything is said of the namespace', async () => {
  const world = openWorld()
  const line = new Line(world, { ...anyone, canRead: () => false }).hello(new Author(world.clock))
  await settle()
  expect(line.story).toBe('Refused:room:FORBIDDEN Closing:FORBIDDEN')
  expect(world.hub.metrics()).toMatchObject({ rooms: 0, sessions: 0 })
})

test('a greeting in a domain that the hub does not know is refused', async () => {
  const world = openWorld()
  const line = new Line(world).hello(new Author(world.clock), null, { domain: 'chess' })
  await settle()
  expect(line.story).toBe('Refused:room:DOMAIN_UNKNOWN Closing:DOMAIN_UNKNOWN')
})

test("a greeting in another domain than the namespace's is refused", async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  line.push(null, ada.note('milk'))
  await settle()
  const other = new Line(world).hello(new Author(world.clock), null, { domain: 'other' })
  await settle()
  expect(other.story).toBe('Refused:room:DOMAIN_MISMATCH Closing:DOMAIN_MISMATCH')
})

test('one exchange: greeting and push at once, then the end; everything is answered and the channel closed', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada).push(null, ada.note('milk'), ada.note('bread'))
  line.channel.end()
  await line.ended
  expect(line.story).toBe('Welcome:unknown CaughtUp@none:0 Ack:1@1 Ack:2@1 Tail@1[own1,own2]')
  await settle()
  expect(world.hub.metrics().sessions).toBe(0)
  const next = new Line(world).hello(ada, line.cursor).push(line.cursor?.epoch ?? null, ada.note('salt'))
  next.channel.end()
  await next.ended
  expect(next.story).toBe('Welcome:live CaughtUp@1:2 Ack:3@2 Tail@2[own3]')
})

test('a channel that ends before it has said anything is closed', async () => {
  const line = new Line(openWorld())
  let isClosed = false
  void line.ended.then(() => (isClosed = true))
  line.channel.end()
  await settle()
  expect([isClosed, line.story]).toEqual([true, ''])
})

test('presence reaches the others and those who come later, and is never logged', async () => {
  const world = openWorld()
  const [ada, bea] = [
    new Line(world).hello(new Author(world.clock)),
    new Line(world).hello(new Author(world.clock)),
  ]
  await settle()
  const update = presenceOf(7, 1)
  ada.channel.send({ type: 'Awareness', update })
  await settle()
  const late = new Line(world).hello(new Author(world.clock))
  await settle()
  expect(ada.of('Awareness')).toHaveLength(0)
  expect(bea.of('Awareness')).toEqual([{ type: 'Awareness', update }])
  expect(late.of('Awareness')).toHaveLength(1)
  expect(await world.store.state(NAMESPACE)).toBe('unknown')
})

test('[14] a slow reader costs bounded memory, loses nothing, and goes on where it was', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  const slow = new Line(world).hello(new Author(world.clock))
  await settle()
  slow.connection.hold('down')
  const backlog: number[] = []
  for (let i = 0; i < 120; i++) {
    line.push(line.cursor?.epoch ?? null, ada.note(`n${i}`, 'x'.repeat(90_000)))
    await settle()
    backlog.push(slow.hubChannel?.backlogBytes ?? 0)
  }
  // 10 MB were written; what waits for the slow one is bounded.
  expect(Math.max(...backlog)).toBeGreaterThan(limits.backlogBytesMax)
  expect(Math.max(...backlog)).toBeLessThan(limits.backlogBytesMax + 200_000)
  slow.connection.release('down')
  await settle()
  await settle()
  const counters = slow.of('Tail').flatMap(({ commits }) => commits.map(({ counter }) => counter))
  expect(counters).toEqual(Array.from({ length: 120 }, (_, i) => i + 1))
  // It fell behind: what came later travelled in pages of the log, not in one message a commit.
  expect(slow.of('Tail').length).toBeLessThan(80)
  expect(slow.of('CaughtUp')).toHaveLength(1)
})

test('[14] a reader that takes nothing is closed in time', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  const slow = new Line(world).hello(new Author(world.clock))
  await settle()
  slow.connection.hold('down')
  for (let i = 0; i < 60; i++) {
    line.push(line.cursor?.epoch ?? null, ada.note(`n${i}`, 'x'.repeat(90_000)))
    await settle()
  }
  expect(world.hub.metrics().sessions).toBe(2)
  for (let ms = 0; ms < limits.backlogMsMax + 2_000; ms += 1_000) await pass(world.clock, 1_000)
  expect(world.hub.metrics().sessions).toBe(1)
  expect(line.of('Ack')).toHaveLength(60)
})

test('[3] closing tells every session, and answers what is under way first', async () => {
  let release = (): void => {}
  class SlowStore extends MapHubStore {
    override async append(namespace: Namespace, after: number, body: Uint8Array) {
      await new Promise<void>((resolve) => (release = resolve))
      return await super.append(namespace, after, body)
    }
  }
  const world = openWorld({ store: new SlowStore() })
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  const idle = new Line(world).hello(new Author(world.clock), null, { namespace: 'elsewhere' })
  await settle()
  line.push(null, ada.note('milk'))
  await settle()
  const closed = world.hub.close()
  await settle()
  expect(idle.story).toMatch(/CaughtUp@none:0 Closing:HUB_CLOSING$/)
  expect(idle.of('Closing')[0]?.retryAfterMs).toBeGreaterThan(0)
  release()
  await closed
  await settle()
  expect(line.story).toMatch(/Closing:HUB_CLOSING Ack:1@1/)
  await Promise.all([line.ended, idle.ended])
  const late = new Line(world).hello(new Author(world.clock))
  await settle()
  expect(late.story).toBe('Closing:HUB_CLOSING')
})

test('[14] closing does not wait for a store that never answers', async () => {
  class DeadStore extends MapHubStore {
    override append(): Promise<never> {
      return new Promise(() => {})
    }
  }
  const world = openWorld({ store: new DeadStore() })
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  line.push(null, ada.note('milk'))
  await settle()
  const closed = world.hub.close()
  await pass(world.clock, limits.closingMsMax + 100)
  await closed
  await line.ended
  expect(line.of('Ack')).toHaveLength(0)
})

test('what goes wrong in one session leaves the others served', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const [line, bad] = [new Line(world).hello(ada), new Line(world)]
  bad.channel.send({ type: 'Bye' })
  await settle()
  line.push(null, ada.note('milk'))
  await settle()
  expect(bad.story).toBe('Closing:MESSAGE_UNEXPECTED')
  expect(textsOf(new Line(world).updates)).toEqual({})
  expect(line.of('Ack')).toHaveLength(1)
})

test('[14] a catch-up waits for whoever reads it, page by page', async () => {
  const world = openWorld({ retention: { bytes: Infinity } })
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  for (let i = 0; i < 100; i++) {
    line.push(line.cursor?.epoch ?? null, ada.note(`n${i}`, 'x'.repeat(90_000)))
    await settle()
  }
  const reader = new Line(world)
  reader.connection.hold('down')
  reader.hello(new Author(world.clock), line.of('Tail')[0]?.cursor ?? null)
  for (let i = 0; i < 5; i++) await settle()
  expect(reader.hubChannel?.backlogBytes).toBeGreaterThan(limits.tailBytesMax / 2)
  expect(reader.hubChannel?.backlogBytes).toBeLessThan(2 * limits.tailBytesMax)
  reader.connection.release('down')
  for (let i = 0; i < 5; i++) await settle()
  expect(reader.of('Tail').flatMap(({ commits }) => commits)).toHaveLength(99)
  expect(reader.story).toMatch(/CaughtUp@100:0$/)
})
