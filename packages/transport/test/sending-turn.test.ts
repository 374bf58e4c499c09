// Whose turn it is to be sent much: a channel takes one to be greeted or to catch up, and keeps none that it does not use.
import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import {
  limits,
  type CloseReason,
  type Cursor,
  type DownMessage,
  type HubChannel,
  type UpMessage,
} from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import type { WebSocket } from 'ws'
import { Greetings } from '../src/server/greetings.ts'
import { OutgoingBudget } from '../src/server/outgoing-budget.ts'
import { meteredChannel } from '../src/server/metered-channel.ts'
import { Peers } from '../src/server/peers.ts'
import { defaultRates, Meter } from '../src/server/rates.ts'
import { YjsChannel } from '../src/server/yjs-channel.ts'
import { hello } from './fixtures.ts'

const cursor: Cursor = { epoch: 1, seq: 1, tag: '00'.repeat(8) }
const caughtUp: DownMessage = {
  type: 'CaughtUp',
  cursor,
  ackedCounter: 0,
  ackedHlc: null,
}
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A channel of a principal whose `bytesMax` is 100, and which says one greeting. */
function world() {
  const clock = new VirtualClock(1)
  const greetings = new Greetings(100, clock, new OutgoingBudget(clock))
  const said: UpMessage[] = [hello()]
  let close: (reason: CloseReason) => void = () => {}
  const channel: HubChannel = {
    oneShot: false,
    closed: new Promise((resolve) => (close = resolve)),
    backlogBytes: 0,
    bill: { bytesUp: 0, bytesDown: 0 },
    send: () => {},
    drained: () => Promise.resolve(),
    end: () => {},
    close: (reason) => close(reason ?? { code: null, message: 'closed' }),
    receive: () => Promise.resolve(said.shift() ?? null),
  }
  let unread = 1
  const bounds = { join: () => () => {}, greetings, connectionBacklogBytes: () => unread }
  const metered = meteredChannel(channel, new Meter(defaultRates, clock), bounds)
  /** How many others would be let through, once all is read. */
  const left = async (): Promise<number> => {
    greetings.changed(-greetings.bytes)
    let through = 0
    for (let i = 0; i < 20; i++) void greetings.enter(channel.closed).then(() => through++)
    await settle()
    return through
  }
  const reads = (): void => {
    unread = 0
  }
  return { clock, greetings, metered, left, said, reads }
}

test('[14] a greeting keeps its turn until it is answered', async () => {
  const { metered, left } = world()
  expect((await metered.receive())?.type).toBe('Hello')
  await metered.drained()
  expect(await left()).toBe(limits.greetingsAtOnceMax - 1)
})

test('[14] whoever only waits until all has left takes no turn', async () => {
  const { clock, greetings, metered, left } = world()
  await metered.receive()
  await metered.drained()
  metered.send(caughtUp)
  greetings.changed(201)
  const drained = metered.drained()
  clock.advance(5_000)
  await drained
  expect(await left()).toBe(limits.greetingsAtOnceMax)
})

test('[14] whoever is told that it is behind waits for its turn, and keeps it until it sends', async () => {
  const { clock, greetings, metered, left, reads } = world()
  await metered.receive()
  await metered.drained()
  metered.send(caughtUp)
  expect(metered.backlogBytes).toBe(0)
  greetings.changed(201)
  expect(metered.backlogBytes).toBeGreaterThan(limits.backlogBytesMax)
  let isDrained = false
  const drained = metered.drained().then(() => (isDrained = true))
  await settle()
  expect(isDrained).toBe(false)
  // It is not read, so nothing more is for it, however long that takes.
  clock.advance(60_000)
  await settle()
  expect(isDrained).toBe(false)
  reads()
  for (let second = 0; second < 4; second++) {
    clock.advance(1_000)
    await settle()
  }
  await drained
  expect(metered.backlogBytes).toBe(0)
  expect(await left()).toBe(limits.greetingsAtOnceMax - 1)
})

const before: readonly DownMessage[] = [
  { type: 'Welcome', path: 'snapshot', why: 'it is new', durability: 'durable' },
  { type: 'NewerDomain', domainVersion: 2 },
  { type: 'HealWanted', since: 1 } as never,
  { type: 'Awareness', update: Uint8Array.of(0) },
]
test.each(before)('[14] a greeting keeps its turn while it is only told $type', async (message) => {
  const { metered, left, said } = world()
  await metered.receive()
  await metered.drained()
  metered.send(message)
  // What it brings of what the hub had lost is heard before it is answered.
  said.push({ type: 'Awareness', update: Uint8Array.of(0) })
  await metered.receive()
  expect(await left()).toBe(limits.greetingsAtOnceMax - 1)
})

const afterwards: readonly DownMessage[] = [
  { type: 'Snapshot', cursor, snapshot: Uint8Array.of(0) },
  { type: 'Tail', cursor, commits: [] },
  { type: 'Rebuild', cursor, digest: '' } as never,
  caughtUp,
]
test.each(afterwards)('[14] a greeting gives its turn back with its $type', async (message) => {
  const { metered, left } = world()
  await metered.receive()
  await metered.drained()
  metered.send(message)
  expect(await left()).toBe(limits.greetingsAtOnceMax)
})

test('[14] a Hello is heard at once, however long its turn takes', async () => {
  const { greetings, metered } = world()
  greetings.changed(101)
  expect((await metered.receive())?.type).toBe('Hello')
  let isDrained = false
  void metered.drained().then(() => (isDrained = true))
  await settle()
  expect(isDrained).toBe(false)
  metered.close()
  await settle()
  expect(isDrained).toBe(true)
})

/** Plain clients of one principal, which have asked for all of the document; none of them reads. */
function plainClients(count: number) {
  const clock = new VirtualClock(1)
  const peers = new Peers(clock)
  const revoked = new AbortController().signal
  let heard = 0
  const all = Array.from({ length: count }, () => {
    const events = new EventEmitter()
    const close: { text: string | null } = { text: null }
    const far = {
      send: () => {},
      close: (_status: number, text: string) => void (close.text = text),
      terminate: () => {},
      pause: () => {},
      resume: () => {},
    }
    const webSocket = Object.assign(events, far) as unknown as WebSocket
    const seat = peers.enter({ id: 'ada', expiresAt: null, revoked }, '10.0.0.1')
    const channel = new YjsChannel(webSocket, clock, seat)
    events.emit('message', Buffer.of(0, 0, 1, 0), true)
    void channel.receive().then((message) => {
      if (message !== null) heard++
    })
    return { channel, close }
  })
  return { clock, all, heard: () => heard }
}

test('[14] presence, beats and what others write give no turn of a plain client back, its answer does', async () => {
  const { all, heard } = plainClients(20)
  await settle()
  expect(heard()).toBe(limits.greetingsAtOnceMax)
  for (const { channel } of all) {
    channel.send({ type: 'Awareness', update: Uint8Array.of(0) })
    channel.beat()
    channel.send({ type: 'Update', update: Uint8Array.of(0, 0) })
  }
  await settle()
  expect(heard()).toBe(limits.greetingsAtOnceMax)
  all[0]?.channel.send({ type: 'SyncStep2', update: Uint8Array.of(0, 0) })
  await settle()
  expect(heard()).toBe(limits.greetingsAtOnceMax + 1)
})

test('a plain client that gets no turn hears why, before whoever waits for an answer gives up', async () => {
  const { clock, all, heard } = plainClients(20)
  await settle()
  clock.advance(limits.greetingMsMax - 1)
  await settle()
  expect(all.filter(({ close }) => close.text !== null)).toEqual([])
  clock.advance(1)
  await settle()
  expect(heard()).toBe(limits.greetingsAtOnceMax)
  expect(all.flatMap(({ close }) => close.text ?? [])).toEqual(
    Array.from({ length: 20 - limits.greetingsAtOnceMax }, () => expect.stringMatching(/^RATE_LIMITED/)),
  )
})
