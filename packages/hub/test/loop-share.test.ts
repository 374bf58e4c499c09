// [14] What one session does in one turn of the loop, and what it may have done again and again: counted, never timed.
import { expect, test } from 'vitest'
import { limits, type CrdtUpdates, type PlainUp, type PushedCommit } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { VirtualClock } from '@rejoin/testkit'
import { anyone, type Principal } from '../src/index.ts'
import { PlainClient } from './plain-client.ts'
import { Author, Line, openWorld, pass, presenceOf, settle } from './world.ts'

/** A clock whose turns of the loop are given one by one. */
class TurnClock extends VirtualClock {
  readonly #waiting: (() => void)[] = []

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms > 0) return super.sleep(ms, signal)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** False where nobody waits for one. */
  async turn(): Promise<boolean> {
    const waiting = this.#waiting.splice(0)
    for (const resolve of waiting) resolve()
    await settle()
    return waiting.length > 0
  }
}

function countedUpdates() {
  const calls = { inspect: 0, encodePresence: 0, readPresence: 0 }
  const updates: CrdtUpdates = {
    ...yjsCrdt.updates,
    inspect: (update) => {
      calls.inspect++
      return yjsCrdt.updates.inspect(update)
    },
    readPresence: (update) => {
      calls.readPresence++
      return yjsCrdt.updates.readPresence(update)
    },
    encodePresence: (states) => {
      calls.encodePresence++
      return yjsCrdt.updates.encodePresence(states)
    },
  }
  return { updates, calls }
}

const FULL = limits.pushCommitsMax

/** So many commits without bytes, each on the one before it, that build on nothing the log has. */
function stray(author: Author, count: number): PushedCommit[] {
  const commit = { ...author.note('x'), update: new Uint8Array(0) }
  return Array.from({ length: count }, (_, i) => ({ ...commit, counter: i + 5, prev: i + 4 }))
}

test('[14] a session checks no more than one full push a turn, and in the end answers each commit once', async () => {
  const clock = new TurnClock(1)
  const { updates, calls } = countedUpdates()
  const world = openWorld({ clock, updates })
  const author = new Author(clock)
  const line = new Line(world).hello(author)
  await settle()
  const malformed = { ...author.note('milk'), update: Uint8Array.of(0, 1) }
  const pushes = 20
  for (let i = 0; i < pushes; i++) line.push(null, ...Array.from({ length: FULL }, () => malformed))
  await settle()
  const seen = [calls.inspect]
  while (await clock.turn()) seen.push(calls.inspect)
  expect(seen.slice(0, pushes)).toEqual(Array.from({ length: pushes }, (_, i) => (i + 1) * FULL))
  expect(line.of('Refused')).toHaveLength(pushes * FULL)
})

test('[14] many small pushes take their turns as one large one does, and others are served between them', async () => {
  const clock = new TurnClock(1)
  const { updates, calls } = countedUpdates()
  const world = openWorld({ clock, updates })
  const [author, bob] = [new Author(clock), new Author(clock)]
  const [line, other] = [new Line(world).hello(author), new Line(world).hello(bob)]
  await settle()
  const malformed = { ...author.note('milk'), update: Uint8Array.of(0, 1) }
  for (let i = 0; i < 3 * FULL; i++) line.push(null, malformed)
  other.push(null, bob.note('bread'))
  await settle()
  expect(calls.inspect).toBe(FULL + 1)
  expect(other.of('Ack')).toHaveLength(1)
  await clock.turn()
  expect(calls.inspect).toBe(2 * FULL + 1)
})

test('[14] large commits count by their bytes', async () => {
  const clock = new TurnClock(1)
  const { updates, calls } = countedUpdates()
  const world = openWorld({ clock, updates })
  const author = new Author(clock)
  const line = new Line(world).hello(author)
  await settle()
  const large = { ...author.note('milk'), update: new Uint8Array(limits.pushBytesMax).fill(1) }
  for (let i = 0; i < 3; i++) line.push(null, large)
  await settle()
  expect(calls.inspect).toBe(1)
  await clock.turn()
  expect(calls.inspect).toBe(2)
})

test('[5] [14] behind a gap nothing of a push is looked at, and each commit of it is answered once, in order', async () => {
  let checks = 0
  const counted: Principal = {
    ...anyone,
    canWrite: () => {
      checks++
      return true
    },
  }
  const world = openWorld()
  const author = new Author(world.clock)
  const line = new Line(world, counted).hello(author)
  await settle()
  const [one, two] = [author.note('milk'), author.note('bread')]
  line.push(null, one, two)
  await settle()
  line.forget()
  checks = 0
  const strays = stray(author, FULL - 1)
  line.push(null, ...strays, one)
  await settle()
  // The first that does not follow, and the one that is no later than it.
  expect(checks).toBe(2)
  expect(line.of('Refused').map(({ counter, code }) => [counter, code])).toEqual(
    strays.map(({ counter }) => [counter, 'PUSH_GAP']),
  )
  expect(line.of('Ack')).toMatchObject([{ counter: 1, duplicate: true }])
  // The next push is looked at anew.
  line.push(null, author.note('salt'))
  await settle()
  expect(checks).toBe(3)
})

/** A room that is full of presence, and one who asks. */
async function crowd(clock: VirtualClock) {
  const { updates, calls } = countedUpdates()
  const world = openWorld({ clock, updates })
  const ada = new Author(clock)
  const shower = new Line(world).hello(ada)
  await settle()
  shower.push(null, ada.note('milk'))
  const show = (at: number): void => {
    const states = Array.from({ length: limits.presencePerSessionMax }, (_, i) => i)
    shower.channel.send({
      type: 'Awareness',
      update: yjsCrdt.updates.encodePresence(
        states.map((i) => ({ client: 10_000 + i, clock: at, json: '{}' })),
      ),
    })
  }
  show(1)
  await pass(clock, 1_000)
  const connect = (plain: PlainClient): PlainClient => plain.connect(world.hub)
  const heard = (plain: PlainClient): number =>
    plain.received.filter(({ type }) => type === 'Awareness').length
  return { world, calls, show, connect, heard }
}

const ask: PlainUp = { type: 'QueryAwareness' }

test('[14] however often plain clients ask who is there, each is told once a tick, and it is encoded once until it changes', async () => {
  const clock = new VirtualClock(1)
  const { calls, show, connect, heard } = await crowd(clock)
  const clients = [9_001, 9_002, 9_003].map((id) => connect(new PlainClient(clock, id)))
  await pass(clock, 1_000)
  const [before, encoded] = [clients.map(heard), calls.encodePresence]
  // It shows something itself: what it is told is encoded no more often for that.
  clients[0]?.say({ type: 'Awareness', update: presenceOf(9_001, 1) })
  await pass(clock, 1_000)
  const changed = calls.encodePresence
  const told = clients.map(heard)
  for (const client of clients) for (let i = 0; i < 200; i++) client.say(ask)
  await settle()
  expect(calls.encodePresence - changed).toBe(1)
  await pass(clock, 1_000)
  // Told at once, and with the next tick for what was asked after that.
  expect(clients.map(heard).map((count, i) => count - (told[i] ?? 0))).toEqual([2, 2, 2])
  for (const client of clients) client.say(ask)
  await pass(clock, 1_000)
  expect(calls.encodePresence - changed).toBe(1)
  expect(before).toEqual([1, 1, 1])
  expect(encoded).toBeLessThan(changed)
  show(2)
  await pass(clock, 1_000)
  const again = calls.encodePresence
  clients[1]?.say(ask)
  await pass(clock, 1_000)
  expect(calls.encodePresence - again).toBe(1)
  const last = clients[1]?.received.findLast((message) => message.type === 'Awareness')
  const states = last === undefined ? [] : yjsCrdt.updates.readPresence(last.update)
  expect(states).toHaveLength(limits.presencePerSessionMax + 1)
})

test('[14] nothing is encoded for whoever asks and does not read', async () => {
  const clock = new VirtualClock(1)
  const { world, calls, show, connect, heard } = await crowd(clock)
  class Full extends PlainClient {
    override readonly backlogBytes = limits.frameBytesMax + 1
  }
  const full = connect(new Full(clock, 9_001))
  await pass(clock, 1_000)
  show(2)
  await pass(clock, 1_000)
  const before = calls.encodePresence
  for (let i = 0; i < 200; i++) full.say(ask)
  await pass(clock, 1_000)
  expect(calls.encodePresence).toBe(before)
  expect(heard(full)).toBe(0)
  expect(world.hub.metrics().sessions).toBe(2)
})

test('[14] what a plain client says takes its turns, too', async () => {
  const clock = new TurnClock(1)
  const { updates, calls } = countedUpdates()
  const world = openWorld({ clock, updates })
  const plain = new PlainClient(clock, 9_001).connect(world.hub)
  await settle()
  const before = calls.readPresence
  for (let i = 1; i <= 3 * FULL; i++) plain.say({ type: 'Awareness', update: presenceOf(9_001, i) })
  await settle()
  const first = calls.readPresence - before
  expect(first).toBeGreaterThan(FULL - 10)
  expect(first).toBeLessThanOrEqual(FULL)
  await clock.turn()
  expect(calls.readPresence - before).toBe(first + FULL)
})
