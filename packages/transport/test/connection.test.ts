// Many channels over one socket: bounds, fairness, and what a peer that breaks the rules brings about.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits, type CloseReason, type HubChannel } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { hashOf } from '../src/assembly.ts'
import { decodeFrame, encodeFrame, PAYLOAD_BYTES_MAX, type Frame } from '../src/frames.ts'
import {
  encodeDown,
  encodeUp,
  hubConnection,
  memoryConnection,
  memoryDial,
  replicaConnection,
  type Socket,
  type SocketHandler,
} from '../src/index.ts'
import { ack, Arrivals, hello, never } from './fixtures.ts'

const KiB = 1024
const MiB = 1024 * KiB

/** A socket whose peer is the test. */
class ScriptedSocket implements Socket {
  readonly pausable: boolean
  readonly sent: Frame[] = []
  closedWith: CloseReason | null = null
  paused = false
  /** While true, the network takes nothing. */
  stuck = false
  #handler: SocketHandler | null = null

  constructor(pausable = true) {
    this.pausable = pausable
  }

  handle(handler: SocketHandler): void {
    this.#handler = handler
  }

  send(bytes: Uint8Array, taken: () => void): void {
    this.sent.push(decodeFrame(bytes))
    if (!this.stuck) queueMicrotask(taken)
  }

  close(reason: CloseReason): void {
    this.closedWith = reason
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  give(...frames: Frame[]): void {
    for (const frame of frames) this.#handler?.frame(encodeFrame(frame))
  }

  giveBytes(bytes: Uint8Array): void {
    this.#handler?.frame(bytes)
  }
}

function hubSide(accept: (channel: HubChannel) => void = () => {}) {
  const socket = new ScriptedSocket()
  const clock = new VirtualClock(1)
  const faults: unknown[] = []
  const connection = hubConnection(socket, clock, accept, { onFault: (error) => faults.push(error) })
  return { socket, clock, connection, faults }
}

const greeting = (channel: number): Frame => ({ kind: 'whole', channel, payload: encodeUp(hello()) })
const awareness = (bytes: number): Uint8Array =>
  encodeUp({ type: 'Awareness', update: new Uint8Array(bytes) })
const first = (channel: number, whole: Uint8Array, piece: number, hash = hashOf(whole)): Frame => ({
  kind: 'first',
  channel,
  total: whole.length,
  hash,
  payload: whole.subarray(0, piece),
})
const further = (channel: number, payload: Uint8Array): Frame => ({ kind: 'further', channel, payload })

describe('[14] a peer that breaks the rules loses its connection, with the reason', () => {
  const whole = awareness(15 * KiB)

  test.each<[string, Frame[], string]>([
    [
      'a total above the limit',
      [first(1, new Uint8Array(limits.messageUpBytesMax + 1), 10)],
      'MESSAGE_TOO_LARGE',
    ],
    [
      'fragments that are altered',
      [first(1, whole, 8 * KiB, new Uint8Array(8)), further(1, whole.subarray(8 * KiB))],
      'MESSAGE_MALFORMED',
    ],
    ['fragments beyond their total', [first(1, whole, 8 * KiB), further(1, whole)], 'MESSAGE_MALFORMED'],
    [
      'crumbs for fragments',
      [first(1, whole, 8 * KiB), further(1, whole.subarray(0, 1))],
      'MESSAGE_MALFORMED',
    ],
    ['a further fragment without a first', [further(1, whole)], 'MESSAGE_MALFORMED'],
    [
      'two fragmented messages at once',
      [first(1, whole, 8 * KiB), first(2, whole, 8 * KiB)],
      'MESSAGE_MALFORMED',
    ],
    [
      'a message inside of another of its channel',
      [first(1, whole, 8 * KiB), greeting(1)],
      'MESSAGE_MALFORMED',
    ],
    [
      'an end inside of a message',
      [first(1, whole, 8 * KiB), { kind: 'end', channel: 1 }],
      'MESSAGE_MALFORMED',
    ],
    [
      'a message after the end',
      [greeting(1), { kind: 'end', channel: 1 }, greeting(1)],
      'MESSAGE_UNEXPECTED',
    ],
    [
      'a message that is none',
      [{ kind: 'whole', channel: 1, payload: Uint8Array.of(1, 2, 3) }],
      'MESSAGE_MALFORMED',
    ],
    [
      'a message of another version',
      [{ kind: 'whole', channel: 1, payload: Uint8Array.of(9) }],
      'PROTOCOL_VERSION',
    ],
    ['a message down', [{ kind: 'whole', channel: 1, payload: encodeDown(ack(1)) }], 'MESSAGE_UNKNOWN'],
  ])('%s', (_, frames, code) => {
    const { socket, connection } = hubSide()
    socket.give(...frames)
    expect(socket.closedWith).toMatchObject({ code })
    expect(connection.isOpen).toBe(false)
  })

  test.each([
    ['nothing', [], 'MESSAGE_MALFORMED'],
    ['an unknown kind', [1, 9], 'MESSAGE_UNKNOWN'],
    ['channel 0', [0, 0, 1, 4], 'MESSAGE_MALFORMED'],
    ['a padded channel', [0x81, 0x00, 0], 'MESSAGE_MALFORMED'],
    ['a cut first fragment', [1, 1, 5, 1, 2, 3], 'MESSAGE_MALFORMED'],
    ['an end with something behind it', [1, 3, 0], 'MESSAGE_MALFORMED'],
  ])('a frame of %s', (_, bytes, code) => {
    const { socket } = hubSide()
    socket.giveBytes(Uint8Array.from(bytes))
    expect(socket.closedWith).toMatchObject({ code })
  })

  test('a frame above the limit', () => {
    const { socket } = hubSide()
    socket.giveBytes(new Uint8Array(limits.frameBytesMax + 1))
    expect(socket.closedWith).toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
  })

  test('random frames close it or do nothing, and never throw', () => {
    const anyFrame = fc
      .tuple(fc.nat(3), fc.nat(6), fc.uint8Array({ maxLength: 40 }))
      .map(([channel, kind, rest]) => Uint8Array.from([channel, kind, ...rest]))
    fc.assert(
      fc.property(fc.array(fc.oneof(anyFrame, fc.uint8Array())), (frames) => {
        const { socket, faults } = hubSide()
        for (const frame of frames) socket.giveBytes(frame)
        expect(faults).toEqual([])
      }),
      { numRuns: 500 },
    )
  })

  test('a message that takes too long', async () => {
    const { socket, clock } = hubSide()
    socket.give(first(1, whole, 8 * KiB))
    clock.advance(limits.fragmentsMsMax - 1)
    await settled()
    expect(socket.closedWith).toBeNull()
    clock.advance(1)
    await settled()
    expect(socket.closedWith).toMatchObject({ code: 'TIMED_OUT' })
  })

  test('one channel more than the limit', () => {
    const { socket } = hubSide()
    for (let channel = 1; channel <= limits.roomsPerConnectionMax; channel++) socket.give(greeting(channel))
    expect(socket.closedWith).toBeNull()
    socket.give(greeting(limits.roomsPerConnectionMax + 1))
    expect(socket.closedWith).toMatchObject({ code: 'RATE_LIMITED' })
  })

  test('a hub that opens a channel', () => {
    const socket = new ScriptedSocket()
    replicaConnection(socket, new VirtualClock(1))
    socket.give({ kind: 'whole', channel: 1, payload: encodeDown(ack(1)) })
    expect(socket.closedWith).toMatchObject({ code: 'MESSAGE_UNEXPECTED' })
  })

  test('its channels hear the reason', async () => {
    const arrivals = new Arrivals()
    const { socket } = hubSide(arrivals.accept)
    socket.give(greeting(1))
    const channel = await arrivals.next()
    socket.giveBytes(Uint8Array.of(1, 77))
    expect(await channel.closed).toMatchObject({ code: 'MESSAGE_UNKNOWN' })
  })
})

describe('what is no fault of the peer', () => {
  test('frames that were under way when their channel was closed are ignored, fragments too', async () => {
    const arrivals = new Arrivals()
    const { socket } = hubSide(arrivals.accept)
    const whole = awareness(15 * KiB)
    socket.give(greeting(1), first(1, whole, 8 * KiB))
    const channel = await arrivals.next()
    channel.close()
    await channel.closed
    socket.give(further(1, whole.subarray(8 * KiB)), greeting(1), { kind: 'end', channel: 1 })
    socket.give(greeting(2), first(2, whole, 8 * KiB), further(2, whole.subarray(8 * KiB)))
    expect(socket.closedWith).toBeNull()
    const next = await arrivals.next()
    expect((await next.receive())?.type).toBe('Hello')
    expect((await next.receive())?.type).toBe('Awareness')
  })

  test('a whole message of another channel between two fragments', async () => {
    const arrivals = new Arrivals()
    const { socket } = hubSide(arrivals.accept)
    const whole = awareness(15 * KiB)
    socket.give(first(1, whole, 8 * KiB), greeting(2), further(1, whole.subarray(8 * KiB)))
    expect((await (await arrivals.next()).receive())?.type).toBe('Awareness')
    expect((await (await arrivals.next()).receive())?.type).toBe('Hello')
  })

  test('a fragmented message that came in time, however long ago', async () => {
    const { socket, clock } = hubSide()
    const whole = awareness(15 * KiB)
    socket.give(first(1, whole, 8 * KiB), further(1, whole.subarray(8 * KiB)))
    clock.advance(2 * limits.fragmentsMsMax)
    await settled()
    expect(socket.closedWith).toBeNull()
  })

  test('a message that its channel left unfinished when it closed', async () => {
    const { socket, clock } = hubSide()
    const whole = awareness(15 * KiB)
    const reason = { code: null, message: 'left' }
    socket.give(first(1, whole, 8 * KiB), { kind: 'close', channel: 1, reason })
    socket.give(first(2, whole, 8 * KiB), further(2, whole.subarray(8 * KiB)))
    clock.advance(2 * limits.fragmentsMsMax)
    await settled()
    expect(socket.closedWith).toBeNull()
  })

  test('a bug of the hub closes the connection without telling what it was', () => {
    const { socket, faults } = hubSide(() => {
      throw new Error('secret path')
    })
    socket.give(greeting(1))
    expect(socket.closedWith?.code).toBe('HUB_INTERNAL')
    expect(socket.closedWith?.message).not.toContain('secret')
    expect(faults).toHaveLength(1)
  })
})

describe('[14] what waits is bounded', () => {
  test('messages that nobody reads pause the socket, and reading them lets it go on', async () => {
    const arrivals = new Arrivals()
    const { socket } = hubSide(arrivals.accept)
    const payload = awareness(16 * KiB)
    const count = Math.ceil(limits.backlogBytesMax / payload.length) + 1
    for (let i = 0; i < count; i++) socket.give({ kind: 'whole', channel: 1, payload })
    expect(socket.paused).toBe(true)
    const channel = await arrivals.next()
    for (let i = 0; i < count; i++) await channel.receive()
    expect(socket.paused).toBe(false)
    expect(socket.closedWith).toBeNull()
  })

  test('closing the channel that did not read lets the socket go on', async () => {
    const arrivals = new Arrivals()
    const { socket } = hubSide(arrivals.accept)
    const payload = awareness(16 * KiB)
    while (!socket.paused) socket.give({ kind: 'whole', channel: 1, payload })
    ;(await arrivals.next()).close()
    expect(socket.paused).toBe(false)
  })

  test('a socket that cannot pause is closed instead, PEER_TOO_SLOW', async () => {
    const socket = new ScriptedSocket(false)
    const channel = replicaConnection(socket, new VirtualClock(1)).open()
    channel.send(hello())
    const cursor = { epoch: 1, seq: 1, tag: '0123456789abcdef' }
    const payload = encodeDown({ type: 'Snapshot', cursor, snapshot: new Uint8Array(PAYLOAD_BYTES_MAX - 64) })
    const bytes = encodeFrame({ kind: 'whole', channel: 1, payload })
    // Every one of them is a view of the same bytes.
    for (let sum = 0; sum <= limits.messageDownBytesMax; sum += payload.length) socket.giveBytes(bytes)
    expect((await channel.closed).code).toBe('PEER_TOO_SLOW')
  })

  test('a socket gets no more than it takes', () => {
    const socket = new ScriptedSocket()
    socket.stuck = true
    const channel = replicaConnection(socket, new VirtualClock(1)).open()
    for (let i = 0; i < 1_000; i++) channel.send({ type: 'Awareness', update: new Uint8Array(16 * KiB) })
    const given = socket.sent.reduce((sum, frame) => sum + ('payload' in frame ? frame.payload.length : 0), 0)
    expect(given).toBeLessThan(5 * limits.frameBytesMax)
    expect(channel.backlogBytes).toBeGreaterThan(1_000 * 16 * KiB)
  })

  test('a peer that takes nothing keeps a channel from closing only so long', async () => {
    const socket = new ScriptedSocket()
    socket.stuck = true
    const clock = new VirtualClock(1)
    const connection = replicaConnection(socket, clock)
    const channel = connection.open()
    channel.send(hello())
    channel.close()
    let closed = false
    void channel.closed.then(() => (closed = true))
    clock.advance(limits.backlogMsMax - 1)
    await settled()
    expect(closed).toBe(false)
    clock.advance(1)
    await settled()
    expect(closed).toBe(true)
    expect(channel.backlogBytes).toBe(0)
    expect(connection.channelCount).toBe(0)
  })
})

describe('fairness', () => {
  test('a small message does not wait for a large one of another channel', async () => {
    const socket = new ScriptedSocket()
    const connection = replicaConnection(socket, new VirtualClock(1))
    const [large, small] = [connection.open(), connection.open()]
    const update = new Uint8Array(4 * MiB)
    const ops = [{ type: 'A' }]
    const commit = { counter: 1, prev: 0, hlc: '0'.repeat(14) as never, domainVersion: 1, ops, update }
    large.send({ type: 'Push', epoch: null, commits: [commit] })
    small.send(hello())
    await settled()
    const order = socket.sent.map(({ kind }) => kind)
    expect(order.filter((kind) => kind === 'further').length).toBeGreaterThan(10)
    expect(order.indexOf('whole')).toBeLessThan(order.lastIndexOf('further'))
  })

  test('channels get their numbers when they first speak', async () => {
    const socket = new ScriptedSocket()
    const connection = replicaConnection(socket, new VirtualClock(1))
    const [first, second] = [connection.open(), connection.open()]
    second.send(hello())
    first.send(hello())
    await settled()
    expect(socket.sent.map(({ channel }) => channel)).toEqual([1, 2])
    second.close()
    await settled()
    expect(socket.sent.at(-1)).toMatchObject({ kind: 'close', channel: 1 })
  })

  test('a channel that never spoke closes without a word', async () => {
    const socket = new ScriptedSocket()
    const connection = replicaConnection(socket, new VirtualClock(1))
    const channel = connection.open()
    channel.close()
    expect((await channel.closed).code).toBeNull()
    expect(socket.sent).toEqual([])
    expect(connection.channelCount).toBe(0)
  })

  test('no more channels than the hub takes', () => {
    const connection = replicaConnection(new ScriptedSocket(), new VirtualClock(1))
    for (let i = 0; i < limits.roomsPerConnectionMax; i++) connection.open()
    expect(connection.isFull).toBe(true)
    expect(() => connection.open()).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }))
  })
})

describe('the wire in memory', () => {
  test('held frames arrive once released', async () => {
    const arrivals = new Arrivals()
    const connection = memoryConnection({ clock: new VirtualClock(1), accept: arrivals.accept })
    connection.hold('up')
    const channel = connection.open()
    channel.send(hello())
    await settled()
    expect(channel.backlogBytes).toBeGreaterThan(0)
    connection.release('up')
    expect((await (await arrivals.next()).receive())?.type).toBe('Hello')
    await channel.drained()
  })

  test('a cut is HUB_UNREACHABLE to the replica and CHANNEL_CLOSED to the hub; the next dial connects anew', async () => {
    const arrivals = new Arrivals()
    const hub = memoryDial({ clock: new VirtualClock(1), accept: arrivals.accept })
    const channel = await hub.dial(never())
    channel.send(hello())
    const hubChannel = await arrivals.next()
    hub.cut()
    expect((await channel.closed).code).toBe('HUB_UNREACHABLE')
    expect((await hubChannel.closed).code).toBe('CHANNEL_CLOSED')
    ;(await hub.dial(never())).send(hello())
    expect((await (await arrivals.next()).receive())?.type).toBe('Hello')
  })

  test('swallowed frames are taken and never arrive', async () => {
    const arrivals = new Arrivals()
    const hub = memoryDial({ clock: new VirtualClock(1), accept: arrivals.accept })
    const channel = await hub.dial(never())
    channel.send(hello())
    const hubChannel = await arrivals.next()
    hub.swallow('down')
    hubChannel.send(ack(1))
    await hubChannel.drained()
    hub.cut()
    expect(await channel.receive()).toBeNull()
  })

  test('an unreachable hub refuses to be dialled', async () => {
    const hub = memoryDial({ clock: new VirtualClock(1), accept: () => {} })
    hub.unreachable(true)
    await expect(hub.dial(never())).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' })
    hub.unreachable(false)
    await expect(hub.dial(never())).resolves.toBeDefined()
  })
})

/** Lets everything that waits for microtasks happen. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
