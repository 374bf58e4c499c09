// What addresses, namespaces and principals may have open: at each bound one below and at it are let in, one above is not.
import { describe, expect, test } from 'vitest'
import { limits, SyncError, type SignIn } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { Gate } from '../src/server/gate.ts'
import { Greetings } from '../src/server/greetings.ts'
import { OutgoingBudget } from '../src/server/outgoing-budget.ts'
import { pacedSocket } from '../src/server/paced-socket.ts'
import { defaultPeerLimits, Peers } from '../src/server/peers.ts'
import { TokenBucket } from '../src/server/rates.ts'
import type { Socket, SocketHandler } from '../src/socket.ts'

const never = new AbortController().signal
const user = (id: string): SignIn => ({ id, expiresAt: null, revoked: never })

/** How many of many are let in; the next one has to be told when to come back. */
function taken(take: (i: number) => unknown, most = 20_000): number {
  for (let i = 0; i < most; i++) {
    try {
      take(i)
    } catch (error) {
      if (error instanceof SyncError && error.code === 'RATE_LIMITED' && (error.retryAfterMs ?? 0) > 0)
        return i
      throw error
    }
  }
  throw new Error(`${most} were let in`)
}

describe('[14] exactly so many are let in as the limit says', () => {
  const fresh = (): Peers => new Peers(new VirtualClock(1))

  test('connections of one principal, wherever it is', () => {
    const peers = fresh()
    expect(taken((i) => peers.enter(user('ada'), `10.0.${i % 50}.1`))).toBe(limits.connectionsPerPrincipalMax)
    peers.enter(user('bob'), '10.0.0.1')
  })

  test('connections of one address, whoever it is', () => {
    const peers = fresh()
    expect(taken((i) => peers.enter(user(`user ${i}`), '10.0.0.1'))).toBe(limits.connectionsPerAddressMax)
    peers.enter(user('user 0'), '10.0.0.2')
  })

  test('whoever calls from an address that has so many is refused before it is found out who it is', () => {
    const peers = fresh()
    const seats = Array.from({ length: limits.connectionsPerAddressMax }, (_, i) =>
      peers.enter(user(`user ${i}`), '10.0.0.1'),
    )
    expect(taken(() => peers.knock('10.0.0.1'))).toBe(0)
    peers.knock('10.0.0.2')
    seats[0]?.leave()
    peers.knock('10.0.0.1')
  })

  test('connections of one address where nobody signs in', () => {
    expect(
      taken(
        (
          (peers) => () =>
            peers.enter(null, '10.0.0.1')
        )(fresh()),
      ),
    ).toBe(limits.connectionsPerAddressMax)
  })

  test('channels of one namespace', () => {
    const peers = fresh()
    expect(taken(() => peers.join('office'))).toBe(limits.connectionsPerNamespaceMax)
    peers.join('home')
  })

  test('callers of one address that are judged', () => {
    const peers = fresh()
    expect(taken(() => peers.knock('10.0.0.1'))).toBe(limits.signInsPerAddressMax)
    peers.knock('10.0.0.2')
  })

  test('calls of one address, and again after the wait', () => {
    const clock = new VirtualClock(1)
    const peers = new Peers(clock)
    const call = (): void => peers.knock('10.0.0.1')()
    expect(taken(call, 100_000)).toBe(limits.callsBurstMax)
    clock.advance(1_000)
    expect(taken(call, 100_000)).toBe(limits.callsPerSecondMax)
  })

  test('TCP connections of one address: twice as many', () => {
    const peers = fresh()
    const plugs = Array.from({ length: 3_000 }, () => peers.plug('10.0.0.1'))
    expect(plugs.filter((plug) => plug !== null)).toHaveLength(2 * limits.connectionsPerAddressMax)
    plugs[0]?.()
    expect(peers.plug('10.0.0.1')).not.toBeNull()
  })

  test('bytes of unfinished messages of one principal', () => {
    const peers = fresh()
    const [one, two] = [peers.enter(user('ada'), null), peers.enter(user('ada'), null)]
    one.hold(limits.unfinishedBytesMax - 1)
    two.hold(1)
    expect(() => two.hold(1)).toThrow(SyncError)
    one.hold(-limits.unfinishedBytesMax + 1)
    two.hold(limits.unfinishedBytesMax - 1)
  })

  test('a place that was left is free again, once', () => {
    const peers = new Peers(new VirtualClock(1), {
      connections: 1,
      connectionsPerAddress: 1,
      connectionsPerNamespace: 1,
    })
    const seat = peers.enter(user('ada'), 'a')
    const leave = peers.join('office')
    for (let i = 0; i < 2; i++) {
      seat.leave()
      leave()
    }
    peers.enter(user('ada'), 'a')
    peers.join('office')
    expect(() => peers.enter(user('ada'), 'a')).toThrow(SyncError)
    expect(() => peers.join('office')).toThrow(SyncError)
  })

  test('the defaults are those of the limits', () => {
    expect(defaultPeerLimits).toEqual({
      messages: { perSecond: limits.messagesPerSecondMax, burst: limits.messagesBurstMax },
      bytes: { perSecond: limits.bytesUpPerSecondMax, burst: limits.bytesUpBurstMax },
      commits: { perSecond: limits.commitsPerSecondMax, burst: limits.commitsBurstMax },
      frames: { perSecond: limits.framesPerSecondMax, burst: limits.framesBurstMax },
      calls: { perSecond: limits.callsPerSecondMax, burst: limits.callsBurstMax },
      connections: limits.connectionsPerPrincipalMax,
      connectionsPerAddress: limits.connectionsPerAddressMax,
      connectionsPerNamespace: limits.connectionsPerNamespaceMax,
      signIns: limits.signInsPerAddressMax,
      unfinishedBytes: limits.unfinishedBytesMax,
      outgoingBytes: limits.outgoingBytesMax,
    })
  })
})

test('where nobody signs in an address may send ten times as much, and no more', () => {
  const peers = new Peers(new VirtualClock(1), { commits: { perSecond: 1, burst: 5 } })
  const { meter } = peers.enter(null, '10.0.0.1')
  const load = { messages: 0, bytes: 0, commits: 1 }
  for (let i = 0; i < 5 * limits.addressShareMax; i++) expect(meter.take(load)).toBeNull()
  expect(peers.enter(null, '10.0.0.1').meter.take(load)).toMatchObject({ of: 'commits' })
  expect(peers.enter(null, '10.0.0.2').meter.take(load)).toBeNull()
  expect(peers.enter(user('ada'), '10.0.0.1').meter.take(load)).toBeNull()
})

test.each([
  ['10.0.0.1', '::ffff:10.0.0.1', true],
  ['10.0.0.1', '10.0.0.2', false],
  ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', true],
  ['2001:DB8:1:2::1', '2001:db8:1:2::2', true],
  ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
  ['2001:db8::1', '2001:db8:0:0:5::1', true],
  ['::1', '::2', true],
])('%s and %s are one subscriber: %s', (one, other, same) => {
  const peers = new Peers(new VirtualClock(1), { connectionsPerAddress: 1 })
  peers.enter(user('ada'), one)
  let code: unknown = null
  try {
    peers.enter(user('ada'), other)
  } catch (error) {
    code = (error as SyncError).code
  }
  expect(code).toBe(same ? 'RATE_LIMITED' : null)
})

test('behind a proxy the address is the last that it names; elsewhere nobody is believed', () => {
  const asked = (isBehindProxy: boolean, forwarded?: string): string | null => {
    const gate = new Gate({ clock: new VirtualClock(1), isBehindProxy })
    const headersDistinct = forwarded === undefined ? {} : { 'x-forwarded-for': [forwarded] }
    const request = { method: 'GET', url: '/', socket: { remoteAddress: '10.0.0.1' }, headersDistinct }
    return gate.requestOf(request as never).remoteAddress
  }
  expect(asked(true, '1.2.3.4, 5.6.7.8')).toBe('5.6.7.8')
  expect(asked(true, 'evil')).toBe('10.0.0.1')
  expect(asked(true)).toBe('10.0.0.1')
  expect(asked(false, '1.2.3.4')).toBe('10.0.0.1')
})

describe('[14] greetings', () => {
  const open = new Promise<never>(() => {})
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  function many(greetings: Greetings, count: number, gone: Promise<unknown> = open) {
    const through: (() => void)[] = []
    for (let i = 0; i < count; i++) void greetings.enter(gone).then((leave) => through.push(leave))
    return through
  }

  test('are let through a few at a time', async () => {
    const clock = new VirtualClock(1)
    const through = many(new Greetings(100, clock, new OutgoingBudget(clock)), 20)
    await settle()
    expect(through).toHaveLength(limits.greetingsAtOnceMax)
    through[0]?.()
    through[0]?.()
    await settle()
    expect(through).toHaveLength(limits.greetingsAtOnceMax + 1)
  })

  test('wait while too much waits to be read, and then come one each second', async () => {
    const clock = new VirtualClock(1)
    const greetings = new Greetings(100, clock, new OutgoingBudget(clock))
    greetings.changed(100)
    const through = many(greetings, 3)
    await settle()
    expect(through).toHaveLength(3)
    greetings.changed(1)
    const later = many(greetings, 3)
    for (let i = 0; i <= 2; i++) {
      await settle()
      expect(later).toHaveLength(i)
      clock.advance(1_000)
    }
    expect(greetings.isTooMuch).toBe(false)
    greetings.changed(100)
    expect(greetings.isTooMuch).toBe(true)
    greetings.changed(-200)
    await settle()
    expect(later).toHaveLength(3)
  })

  test('of connections that have read everything come first, and alone while too much waits', async () => {
    const clock = new VirtualClock(1)
    const greetings = new Greetings(100, clock, new OutgoingBudget(clock))
    greetings.changed(101)
    let isUnread = true
    const through: string[] = []
    const enter = (who: string, unread: () => boolean): void => {
      void greetings.enter(open, unread).then(() => through.push(who))
    }
    for (const who of ['stalled', 'stalled too']) enter(who, () => isUnread)
    enter('reads', () => false)
    for (let second = 0; second < 60; second++) {
      clock.advance(1_000)
      await settle()
    }
    expect(through).toEqual(['reads'])
    isUnread = false
    clock.advance(1_000)
    await settle()
    expect(through).toEqual(['reads', 'stalled'])
    isUnread = true
    enter('reads', () => false)
    greetings.changed(-101)
    await settle()
    expect(through).toEqual(['reads', 'stalled', 'reads', 'stalled too'])
  })

  test('come the later the more waits: what stalled ones may hold does not grow with how many come', async () => {
    const clock = new VirtualClock(1)
    const greetings = new Greetings(100, clock, new OutgoingBudget(clock))
    greetings.changed(101)
    // A hundred sockets, each of which is sent 75 bytes and reads none.
    const stall = async (): Promise<void> => {
      const leave = await greetings.enter(open)
      greetings.changed(75)
      leave()
    }
    for (let i = 0; i < 100; i++) void stall()
    for (let ms = 0; ms < 30_000; ms += 1_000) {
      clock.advance(1_000)
      await settle()
    }
    // Nor are they kept out altogether, since others sign in alike.
    expect(greetings.bytes).toBeGreaterThan(300)
    expect(greetings.bytes).toBeLessThan(600)
  })

  test('of who has gone take no place', async () => {
    const clock = new VirtualClock(1)
    const greetings = new Greetings(100, clock, new OutgoingBudget(clock))
    greetings.changed(101)
    many(greetings, 100, Promise.resolve())
    await settle()
    greetings.changed(-101)
    const through = many(greetings, 20)
    await settle()
    expect(through).toHaveLength(limits.greetingsAtOnceMax)
  })
})

test('[14] a socket is read no faster than the rate, is paused by both who want it, and not once it closes', async () => {
  const clock = new VirtualClock(1)
  const calls: string[] = []
  let handler: SocketHandler | null = null
  const raw: Socket = {
    pausable: true,
    send: () => {},
    close: () => void calls.push('close'),
    pause: () => void calls.push('pause'),
    resume: () => void calls.push('resume'),
    handle: (given) => (handler = given),
  }
  const frames: number[] = []
  const socket = pacedSocket(raw, clock, new TokenBucket({ perSecond: 10, burst: 3 }, clock.now()))
  socket.handle({ frame: (bytes) => void frames.push(bytes.length), closed: () => {} })
  const given = handler as SocketHandler | null
  for (let i = 0; i < 3; i++) given?.frame(new Uint8Array(i))
  expect(calls).toEqual(['pause'])
  socket.count()
  socket.pause()
  socket.resume()
  expect(calls).toEqual(['pause', 'pause'])
  clock.advance(200)
  await new Promise((resolve) => setImmediate(resolve))
  expect(calls.at(-1)).toBe('resume')
  expect(frames).toEqual([0, 1, 2])
  socket.pause()
  socket.close({ code: null, message: 'done' })
  expect(calls.slice(-2)).toEqual(['resume', 'close'])
  for (let i = 0; i < 9; i++) given?.frame(new Uint8Array(i))
  expect(calls.at(-1)).toBe('close')
})
