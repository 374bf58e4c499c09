import { expect, test } from 'vitest'
import { limits, SyncError, type HubSignals, type Namespace } from '@rejoin/core'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { readLog, verifyNamespace } from '../src/index.ts'
import { Author, Line, NAMESPACE, openWorld, pass, settle, textsOf } from './world.ts'

/** A store whose appends wait for a word. */
class SlowStore extends MapHubStore {
  #release: (() => void)[] = []
  appends = 0
  held = true

  override async append(namespace: Namespace, after: number, body: Uint8Array) {
    this.appends++
    if (this.held) await new Promise<void>((resolve) => this.#release.push(resolve))
    return await super.append(namespace, after, body)
  }

  release(): void {
    this.held = false
    for (const release of this.#release.splice(0)) release()
  }
}

async function idsIn(store: MapHubStore): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of readLog(store, NAMESPACE)) ids.push(`${id.replica.slice(0, 3)}:${id.counter}`)
  return ids
}

test('[3] nothing is acknowledged or seen by others before the append is durable', async () => {
  const store = new SlowStore()
  const world = openWorld({ store })
  const ada = new Author(world.clock)
  const reader = new Line(world).hello(new Author(world.clock))
  const line = new Line(world).hello(ada)
  await settle()
  line.push(null, ada.note('milk'))
  await settle()
  expect(store.appends).toBe(1)
  expect(line.of('Ack')).toHaveLength(0)
  expect(reader.of('Tail')).toHaveLength(0)
  store.release()
  await settle()
  expect(line.story).toMatch(/Ack:1@1 Tail@1\[own1\]$/)
})

test('[3][5] a resend of what still waits for its append is acknowledged only with it', async () => {
  const store = new SlowStore()
  const world = openWorld({ store })
  const ada = new Author(world.clock)
  const [first, second] = [new Line(world).hello(ada), new Line(world).hello(ada)]
  await settle()
  const commit = ada.note('milk')
  first.push(null, commit)
  await settle()
  second.push(null, commit)
  await settle()
  expect(second.of('Ack')).toHaveLength(0)
  store.release()
  await settle()
  expect(first.story).toMatch(/Ack:1@1 Tail@1\[own1\]$/)
  expect(second.of('Ack')).toEqual([
    { type: 'Ack', counter: 1, seq: 1, duplicate: true, durability: 'durable' },
  ])
  expect(await idsIn(store)).toHaveLength(1)
})

test('pushes that arrive during an append wait and share the next one', async () => {
  const store = new SlowStore()
  const world = openWorld({ store })
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  for (const id of ['a', 'b', 'c', 'd']) line.push(null, ada.note(id))
  await settle()
  store.release()
  await settle()
  expect(store.appends).toBeLessThanOrEqual(2)
  expect(line.of('Ack').map(({ counter }) => counter)).toEqual([1, 2, 3, 4])
  expect(textsOf(new Line(world).hello(new Author(world.clock)).updates)).toEqual({})
})

test('[14] a record carries no more than a tail message does', async () => {
  const store = new SlowStore()
  const world = openWorld({ store })
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  const large = 'x'.repeat(90_000)
  for (let i = 0; i < 20; i++) line.push(null, ada.note(`n${i}`, large))
  await settle()
  store.release()
  await settle()
  expect(line.of('Ack')).toHaveLength(20)
  const { records } = await store.readTail(NAMESPACE, 0, { records: 100, bytes: Infinity }).then((tail) => {
    return tail.kind === 'records' ? tail : { records: [] }
  })
  expect(records.length).toBeGreaterThan(2)
  for (const { body } of records) expect(body.length).toBeLessThan(limits.tailBytesMax + 1_000)
})

test('[5] two hubs on one store: who finds the log moved reads on and admits again', async () => {
  const store = new MapHubStore()
  const clock = new VirtualClock(1)
  const [one, two] = [openWorld({ store, clock }), openWorld({ store, clock })]
  const [ada, bea] = [new Author(clock), new Author(clock)]
  const adas = new Line(one).hello(ada)
  const beas = new Line(two).hello(bea)
  await settle()
  adas.push(null, ada.note('milk'))
  beas.push(null, bea.note('bread'))
  await settle()
  adas.push(null, ada.note('salt'))
  await settle()
  expect(adas.of('Ack').map(({ counter }) => counter)).toEqual([1, 2])
  expect(beas.of('Ack').map(({ counter }) => counter)).toEqual([1])
  await pass(clock, limits.followMs + 200)
  for (const line of [adas, beas]) {
    expect(line.cursor?.seq).toBe(3)
    expect(line.of('Tail').flatMap(({ commits }) => commits)).toHaveLength(3)
  }
  const faults = await verifyNamespace(store, yjsCrdt.updates, NAMESPACE)
  expect(faults).toMatchObject({ commits: 3, faults: [] })
})

test('two hubs on one store hear of each other by signal at once', async () => {
  const listeners = new Set<(namespace: Namespace) => void>()
  const signals: HubSignals = {
    publish: (namespace) => listeners.forEach((listener) => listener(namespace)),
    listen: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const store = new MapHubStore()
  const clock = new VirtualClock(1)
  const [one, two] = [openWorld({ store, clock, signals }), openWorld({ store, clock, signals })]
  const ada = new Author(clock)
  const adas = new Line(one).hello(ada)
  const beas = new Line(two).hello(new Author(clock))
  await settle()
  adas.push(null, ada.note('milk'))
  await settle()
  expect(beas.story).toBe('Welcome:unknown CaughtUp@none:0 Tail@1[1]')
  await Promise.all([one.hub.close(), two.hub.close()])
  expect(listeners.size).toBe(0)
})

test('[5] an append whose outcome was not heard, and had happened, is acknowledged and logged once', async () => {
  let failures = 1
  const store = new MapHubStore({
    fault: (call) =>
      call === 'append done' && failures-- > 0 ? new SyncError('STORE_UNAVAILABLE', 'no answer') : undefined,
  })
  const world = openWorld({ store })
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  line.push(null, ada.note('milk'))
  await pass(world.clock, 1_000)
  expect(line.story).toMatch(/CaughtUp@none:0 Ack:1@1 Tail@1\[own1\]$/)
  expect(await idsIn(store)).toHaveLength(1)
})

test('[3] an append that did not happen is tried again, verbatim', async () => {
  let failures = 3
  const store = new MapHubStore({
    fault: (call) =>
      call === 'append' && failures-- > 0 ? new SyncError('STORE_UNAVAILABLE', 'away') : undefined,
  })
  const world = openWorld({ store })
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  line.push(null, ada.note('milk'))
  await settle()
  expect(line.of('Ack')).toHaveLength(0)
  await pass(world.clock, 1_000)
  expect(line.story).toMatch(/Ack:1@1 Tail@1\[own1\]$/)
})

test('[14][11] a store that stays away makes commits refused as what may be tried again, and nothing is forgotten of it', async () => {
  let away = true
  const store = new MapHubStore({
    fault: (call) => (away && call === 'append' ? new SyncError('STORE_UNAVAILABLE', 'away') : undefined),
  })
  const world = openWorld({ store })
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  const [one, two] = [ada.note('milk'), ada.note('bread')]
  line.push(null, one, two)
  await pass(world.clock, 10_000)
  expect(line.of('Refused').map(({ counter, code, retryable }) => [counter, code, retryable])).toEqual([
    [1, 'STORE_UNAVAILABLE', true],
    [2, 'STORE_UNAVAILABLE', true],
  ])
  away = false
  line.push(null, one, two)
  await pass(world.clock, 1_000)
  expect(line.story).toMatch(/Ack:1@1 Ack:2@1 Tail@1\[own1,own2\]$/)
})

test('[5] the late push of a dead connection and the resend after it are one commit', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const dead = new Line(world).hello(ada)
  await settle()
  const commit = ada.note('milk')
  dead.connection.hold('up')
  dead.push(null, commit)
  const line = new Line(world).hello(ada)
  await settle()
  line.push(null, commit)
  await settle()
  dead.connection.release('up')
  await settle()
  expect(line.of('Ack')).toMatchObject([{ duplicate: false }])
  expect(dead.of('Ack')).toMatchObject([{ duplicate: true }])
  expect(world.hub.metrics().commits).toBe(1)
})

test('[5] a push whose connection is cut before the answer is logged, and its resend acknowledged as a duplicate', async () => {
  const world = openWorld()
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  const commit = ada.note('milk')
  line.connection.swallow('down')
  line.push(null, commit)
  await settle()
  line.connection.cut()
  const next = new Line(world).hello(ada)
  await settle()
  expect(next.story).toBe('Welcome:tail Tail@1[1] CaughtUp@1:1')
  next.push(next.cursor?.epoch ?? null, commit)
  await settle()
  expect(next.of('Ack')).toMatchObject([{ counter: 1, duplicate: true }])
  expect(world.hub.metrics().commits).toBe(1)
})

test('a full disk refuses commits as what may be tried again', async () => {
  const store = new MapHubStore({
    fault: (call) => (call === 'append' ? new SyncError('STORE_FULL', 'full') : undefined),
  })
  const world = openWorld({ store })
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  line.push(null, ada.note('milk'))
  await settle()
  expect(line.story).toMatch(/Refused:1:STORE_FULL$/)
})

test('[5][8] of two contents under one commit id the first stands, and whoever pushed the second is sent it', async () => {
  const store = new SlowStore()
  const world = openWorld({ store })
  const ada = new Author(world.clock)
  const twin = new Author(world.clock, [], ada.replica)
  const [first, second] = [new Line(world).hello(ada), new Line(world).hello(ada)]
  await settle()
  first.push(null, ada.note('milk', 'two litres'))
  await settle()
  second.push(null, twin.note('milk', 'three litres'))
  await settle()
  store.release()
  await settle()
  expect(first.story).toMatch(/Ack:1@1 Tail@1\[own1\]$/)
  expect(second.story).toMatch(/Ack:1again@1 Tail@1\[1\]$/)
  expect(textsOf(second.updates)).toEqual({ milk: 'two litres' })
})

test('[14] a hub reads no more of a session than it may leave unanswered', async () => {
  const store = new SlowStore()
  let inspected = 0
  const inspect = (update: Uint8Array) => {
    inspected++
    return yjsCrdt.updates.inspect(update)
  }
  const world = openWorld({ store, updates: { ...yjsCrdt.updates, inspect } })
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  await settle()
  // Each about 200 kB on the wire, ops and update together.
  for (let i = 0; i < 100; i++) line.push(null, ada.note(`n${i}`, 'x'.repeat(99_000)))
  for (let i = 0; i < 10; i++) await settle()
  expect(inspected).toBeGreaterThan(30)
  expect(inspected).toBeLessThan(limits.pushUnansweredBytesMax / 190_000 + 20)
  store.release()
  for (let i = 0; i < 10; i++) await settle()
  expect(line.of('Ack').map(({ counter }) => counter)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
})
