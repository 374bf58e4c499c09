/**
 * What every `Channel` keeps, whatever carries it: order, whole messages, half and full closes with their reasons, an
 * honest backlog and bill, and quiet between channels of one connection. A transport runs it in one call.
 */
import type { CloseReason, DownMessage, HubChannel, ReplicaChannel, UpMessage } from '@rejoin/core'
import { declareCases, type Cannot, type TestRunner } from './suite-cases.ts'

export interface OpenedChannel {
  readonly replica: ReplicaChannel
  /** Appears with the replica's first message; where messages up wait for `end()`, after that. */
  readonly hub: Promise<HubChannel>
}

export interface ChannelFixture {
  /** A channel; further calls open further channels of the same connection. */
  open(): Promise<OpenedChannel>
  close(): Promise<void>
}

export interface ChannelSuiteOptions {
  readonly test: TestRunner
  /** A connection between a replica and a hub, new for each case. */
  readonly connect: () => Promise<ChannelFixture>
  readonly cannot?: Cannot
}

type Case = (fixture: ChannelFixture) => Promise<void>

export function channelSuite(options: ChannelSuiteOptions): void {
  const { test, connect, cannot } = options
  const connected = (run: Case) => async () => {
    const fixture = await connect()
    try {
      await run(fixture)
    } finally {
      await fixture.close()
    }
  }
  const named = Object.entries(cases).map(([name, run]) => [name, connected(run)] as const)
  declareCases(test, Object.fromEntries(named), cannot)
}

const MiB = 1024 * 1024
const refused: CloseReason = { code: 'FORBIDDEN', message: 'this room is not yours' }

const cases: Readonly<Record<string, Case>> = {
  'messages arrive in order, up and then down': async (fixture) => {
    const { replica, hub } = await greeted(fixture)
    for (let i = 1; i <= 300; i++) replica.send(pushOf(i, 40))
    replica.end()
    const hubChannel = await hub
    equal(counters(await drain(hubChannel)), [0, ...upTo(300)], 'what the hub receives')
    for (let i = 1; i <= 300; i++) hubChannel.send(ackOf(i))
    hubChannel.close()
    equal(counters(await drain(replica)), upTo(300), 'what the replica receives')
  },

  'messages arrive in order while both sides speak': async (fixture) => {
    const { replica, hub } = await greeted(fixture)
    const hubChannel = await hub
    equal((await hubChannel.receive())?.type, 'Hello', 'the first message')
    for (let i = 1; i <= 100; i++) {
      replica.send(pushOf(i, 40))
      hubChannel.send(ackOf(i))
    }
    for (let i = 1; i <= 100; i++) {
      equal(counters([await hubChannel.receive()]), [i], 'a message up')
      equal(counters([await replica.receive()]), [i], 'a message down')
    }
  },

  'large messages arrive whole, in order with small ones': async (fixture) => {
    const { replica, hub } = await greeted(fixture)
    const up = pushOf(1, 4 * MiB)
    replica.send(up)
    replica.send(pushOf(2, 1))
    replica.end()
    const hubChannel = await hub
    const received = await drain(hubChannel)
    equal(counters(received), [0, 1, 2], 'the order up')
    checkSameMessage(received[1], up)
    const down = snapshotOf(5 * MiB)
    hubChannel.send(ackOf(1))
    hubChannel.send(down)
    hubChannel.send(ackOf(2))
    hubChannel.close()
    const answered = await drain(replica)
    equal(counters(answered), [1, 0, 2], 'the order down')
    checkSameMessage(answered[1], down)
  },

  'after an end the peer hears null, and the other direction goes on': async (fixture) => {
    const { replica, hub } = await greeted(fixture)
    replica.end()
    replica.send(pushOf(1, 1))
    const hubChannel = await hub
    equal(counters(await drain(hubChannel)), [0], 'what was sent before the end')
    equal(await hubChannel.receive(), null, 'a further receive')
    hubChannel.send(ackOf(1))
    equal(counters([await replica.receive()]), [1], 'an answer after the end')
    hubChannel.end()
    equal(await replica.receive(), null, 'what follows the end of the hub')
    equal((await replica.closed).code, null, 'the reason once both have ended')
    equal((await hubChannel.closed).code, null, 'the reason once both have ended')
  },

  "the hub's close arrives with its reason, after what it sent": async (fixture) => {
    const { replica, hub } = await greeted(fixture)
    replica.end()
    const hubChannel = await hub
    hubChannel.send(ackOf(1))
    hubChannel.close(refused)
    hubChannel.close({ code: 'HUB_INTERNAL', message: 'a second close' })
    hubChannel.send(ackOf(2))
    equal(await replica.closed, refused, "the replica's reason")
    equal(await hubChannel.closed, refused, "the hub's own reason")
    equal(counters(await drain(replica)), [1], 'what was sent before the close')
    equal(await hubChannel.receive(), null, 'receiving at the side that closed')
  },

  "the replica's close arrives with its reason, after what it sent": async (fixture) => {
    const { replica, hub } = await greeted(fixture)
    const hubChannel = await hub
    replica.send(pushOf(1, 10))
    replica.close({ code: 'CHANNEL_CLOSED', message: 'leaving' })
    equal(await hubChannel.closed, { code: 'CHANNEL_CLOSED', message: 'leaving' }, 'the reason')
    equal(counters(await drain(hubChannel)), [0, 1], 'what was sent before the close')
  },

  'a receive that waits hears null when its own side closes': async (fixture) => {
    const { replica } = await greeted(fixture)
    const waiting = replica.receive()
    replica.close()
    equal(await waiting, null, 'the waiting receive')
    equal(await replica.receive(), null, 'a later receive')
    equal((await replica.closed).code, null, 'an ordinary close')
  },

  'a receive that waits hears null when the peer closes': async (fixture) => {
    const { replica, hub } = await greeted(fixture)
    const hubChannel = await hub
    const waiting = replica.receive()
    hubChannel.close()
    equal(await waiting, null, 'the waiting receive')
  },

  'the backlog falls to 0, and drained says so': async (fixture) => {
    const { replica, hub } = await greeted(fixture)
    replica.end()
    const hubChannel = await hub
    equal(hubChannel.backlogBytes, 0, 'the backlog before')
    await hubChannel.drained()
    hubChannel.send(snapshotOf(3 * MiB))
    check(hubChannel.backlogBytes >= 3 * MiB, 'a message counts from the moment it is sent')
    const received = replica.receive()
    await hubChannel.drained()
    equal(hubChannel.backlogBytes, 0, 'the backlog once drained')
    equal((await received)?.type, 'Snapshot', 'what was sent')
  },

  'drained resolves when the channel closes': async (fixture) => {
    const { replica, hub } = await greeted(fixture)
    replica.send(pushOf(1, 4 * MiB))
    const drained = replica.drained()
    replica.close()
    await drain(await hub)
    await drained
    equal(replica.backlogBytes, 0, 'the backlog of a closed channel')
  },

  'both sides are billed the same, and no less than what passed': async (fixture) => {
    const { replica, hub } = await greeted(fixture)
    replica.send(pushOf(1, 2 * MiB))
    replica.end()
    const hubChannel = await hub
    await drain(hubChannel)
    hubChannel.send(snapshotOf(1 * MiB))
    hubChannel.close()
    await drain(replica)
    await hubChannel.closed
    equal(replica.bill, hubChannel.bill, 'the bill')
    const { bytesUp, bytesDown } = replica.bill
    check(bytesUp > 2 * MiB && bytesUp < 2.01 * MiB, `bytes up: ${bytesUp}`)
    check(bytesDown > 1 * MiB && bytesDown < 1.01 * MiB, `bytes down: ${bytesDown}`)
  },

  'channels of one connection do not disturb each other': async (fixture) => {
    const opened = await Promise.all(upTo(20).map(() => greeted(fixture)))
    opened.forEach(({ replica }, i) => {
      replica.send(pushOf(i + 1, i < 2 ? 2 * MiB : 10))
      replica.end()
    })
    const hubs = await Promise.all(opened.map(({ hub }) => hub))
    const received = await Promise.all(hubs.map((channel) => drain(channel)))
    received.forEach((messages, i) => equal(counters(messages), [0, i + 1], `channel ${i}`))
    hubs[3]?.close(refused)
    for (const channel of hubs.slice(0, 2)) channel.send(snapshotOf(2 * MiB))
    hubs.forEach((channel, i) => channel.send(ackOf(i + 1)))
    for (const channel of hubs) channel.close()
    const answers = await Promise.all(opened.map(({ replica }) => drain(replica)))
    answers.forEach((messages, i) =>
      equal(counters(messages), i < 2 ? [0, i + 1] : i === 3 ? [] : [i + 1], `channel ${i}`),
    )
    const reasons = await Promise.all(opened.map(({ replica }) => replica.closed))
    equal(reasons[3], refused, 'the reason of the channel that was refused')
    check(
      reasons.every(({ code }, i) => i === 3 || code === null),
      'the others closed in the ordinary way',
    )
  },
}

/** Opens a channel and greets: the hub's end appears with the first message. */
async function greeted(fixture: ChannelFixture): Promise<OpenedChannel> {
  const opened = await fixture.open()
  opened.replica.send({
    type: 'Hello',
    namespace: 'support',
    domain: 'todo',
    domainVersion: 1,
    replica: 'A'.repeat(22),
    cursor: null,
    ackedCounter: 0,
    capabilities: ['delta'],
  })
  return opened
}

function pushOf(counter: number, bytes: number): UpMessage {
  const ops = [{ type: 'Noted', text: `note ${counter}` }]
  const commit = { counter, prev: counter - 1, hlc: '0'.repeat(14) as never, domainVersion: 1, ops }
  return { type: 'Push', epoch: null, commits: [{ ...commit, update: patternOf(bytes) }] }
}

function ackOf(counter: number): DownMessage {
  return { type: 'Ack', counter, seq: counter, duplicate: false, durability: 'durable' }
}

function snapshotOf(bytes: number): DownMessage {
  return {
    type: 'Snapshot',
    cursor: { epoch: 1, seq: 9, tag: '0123456789abcdef' },
    snapshot: patternOf(bytes),
  }
}

/** Bytes in which a piece lost, doubled or moved shows. */
function patternOf(bytes: number): Uint8Array {
  const pattern = new Uint8Array(bytes)
  for (let i = 0; i < bytes; i++) pattern[i] = (i * 31 + (i >> 8) * 17 + (i >> 16)) & 0xff
  return pattern
}

async function drain<Message>(channel: { receive(): Promise<Message | null> }): Promise<Message[]> {
  const messages: Message[] = []
  for (let next = await channel.receive(); next !== null; next = await channel.receive()) messages.push(next)
  return messages
}

/** A push's or an answer's counter, 0 for messages without one. */
function counters(messages: readonly (UpMessage | DownMessage | null)[]): number[] {
  return messages.map((message) => {
    if (message?.type === 'Push') return message.commits[0]?.counter ?? 0
    return message?.type === 'Ack' ? message.counter : 0
  })
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1)
}

function checkSameMessage(received: unknown, sent: UpMessage | DownMessage): void {
  const [a, b] = [largeBytes(received), largeBytes(sent)]
  check(a.length === b.length && a.every((byte, i) => byte === b[i]), `${sent.type} arrived as it was sent`)
}

function largeBytes(message: unknown): Uint8Array {
  const { snapshot, commits } = message as { snapshot?: Uint8Array; commits?: { update: Uint8Array }[] }
  return snapshot ?? commits?.[0]?.update ?? new Uint8Array()
}

function equal(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)]
  check(a === b, `${what}: expected ${b}, got ${a}`)
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(`channel contract broken: ${what}`)
}
