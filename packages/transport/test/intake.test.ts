// What requests may hold together, on real sockets: bytes are counted where they are held, and nobody is kept out for long.
import { connect as connectTcp, type Socket as TcpSocket } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { limits, SyncError, type ReplicaChannel } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { BODY_BYTES_MAX, FrameStream, prefixed } from '../src/frame-stream.ts'
import { encodeFrame } from '../src/frames.ts'
import { encodeUp, httpDialer, webSocketDialer } from '../src/index.ts'
import { refusalOf } from '../src/refusal.ts'
import type { HubServer, ServeHubOptions } from '../src/server.ts'
import { Intake, intakeBounds, NoRoom, type IntakeBounds, type Place } from '../src/server/intake.ts'
import { serveHubWith } from '../src/server/serve.ts'
import { Arrivals, echo, hello, never } from './fixtures.ts'

const KiB = 1024
const MiB = 1024 * KiB

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

describe('[14] requests hold no more together than they may', () => {
  test('40 endless ones are each answered and closed, while bystanders are served', async () => {
    const { server, intake } = await serve({ bytesMax: 8 * MiB })
    const live = await liveChannel(server)
    const attackers = await Promise.all(Array.from({ length: 40 }, () => post(server, 'chunked')))
    const answers = attackers.map((attacker) => attacker.answer())
    for (const attacker of attackers) attacker.sendEndlessly()
    for (let i = 0; i < 5; i++) {
      expect(await oneShot(server)).toEqual({ answers: 1, code: null })
      await exchanges(live)
    }
    for (const { status, body } of await Promise.all(answers)) {
      expect([status, body]).toEqual([503, expect.objectContaining({ code: 'RATE_LIMITED' })])
    }
    expect(intake.peak).toBeGreaterThan(4 * MiB)
    expect(intake.peak).toBeLessThanOrEqual(8 * MiB)
    expect(intake.bytes).toBe(0)
  })

  test('those that hold much and fall silent have to go for one that holds little', async () => {
    const { server, intake } = await serve({ bytesMax: 1 * MiB })
    const [small, large] = [await post(server, 'chunked'), await post(server, 'chunked')]
    small.send(new Uint8Array(300 * KiB))
    large.send(new Uint8Array(700 * KiB))
    await intake.until(() => intake.bytes === 1_000 * KiB)
    const refused = large.answer()
    expect(await oneShot(server, 100 * KiB)).toEqual({ answers: 2, code: null })
    expect((await refused).status).toBe(503)
    expect(intake.bytes).toBe(300 * KiB)
  })

  test('a request that runs counts until its channels are closed, and may have to go too', async () => {
    const arrivals = new Arrivals()
    const { server, intake } = await serve({ bytesMax: 1 * MiB }, { accept: arrivals.accept })
    const running = oneShot(server, 700 * KiB)
    await arrivals.next()
    expect(intake.bytes).toBeGreaterThan(700 * KiB)
    const next = oneShot(server, 400 * KiB)
    const pushing = await arrivals.next()
    const released = intake.until(() => intake.bytes === 0 && intake.exchanges > 0)
    echo(pushing)
    expect(await running).toEqual({ answers: 0, code: 'RATE_LIMITED' })
    expect(await next).toEqual({ answers: 2, code: null })
    await released
  })

  test('one that announces more than there is room for is refused before its body is read', async () => {
    const { server, intake } = await serve({ bytesMax: 1 * MiB })
    const first = await post(server, 'chunked')
    first.send(new Uint8Array(300 * KiB))
    await intake.until(() => intake.bytes === 300 * KiB)
    const second = await post(server, 800 * KiB)
    expect(await second.answer()).toMatchObject({ status: 503, body: { code: 'RATE_LIMITED' } })
    expect(intake.bytes).toBe(300 * KiB)
  })

  test('beyond so many exchanges the next is told when to come back, before its body is read', async () => {
    const { server, intake } = await serve({ exchangesMax: 2 })
    const open = [await post(server, 1_000), await post(server, 'chunked')]
    await intake.until(() => intake.exchanges === 2)
    const third = await post(server, 1_000)
    const { status, head, body } = await third.answer()
    expect(status).toBe(503)
    expect(head).toMatch(/\r\nretry-after: 1\r\n/i)
    expect(body).toEqual({
      code: 'RATE_LIMITED',
      message: expect.stringContaining('2 exchanges'),
      retryAfterMs: 1_000,
    })
    expect(await oneShot(server, 3 * MiB)).toEqual({ answers: 0, code: 'RATE_LIMITED' })
    await exchanges(await liveChannel(server))
    open[0]?.leave()
    await intake.until(() => intake.exchanges === 1)
    expect(await oneShot(server)).toEqual({ answers: 1, code: null })
  })

  test('an exchange counts until its caller has the answer or is gone', async () => {
    const arrivals = new Arrivals()
    const { server, intake } = await serve({}, { accept: arrivals.accept })
    const caller = await post(server, request().length)
    caller.sendRaw(request())
    const channel = await arrivals.next()
    expect(intake.exchanges).toBe(1)
    // More than the network takes by itself.
    channel.send({
      type: 'Snapshot',
      cursor: { epoch: 1, seq: 1, tag: '0'.repeat(16) },
      snapshot: new Uint8Array(32 * MiB),
    })
    channel.close()
    expect(intake.exchanges).toBe(1)
    caller.leave()
    await intake.until(() => intake.exchanges === 0)
    expect(intake.bytes).toBe(0)
  })

  test('a caller that leaves amid its request is no fault, and holds nothing', async () => {
    const faults: unknown[] = []
    const { server, intake } = await serve(
      {},
      { log: (event) => void (event.event === 'fault' && faults.push(event)) },
    )
    const caller = await post(server, 'chunked')
    caller.send(new Uint8Array(100 * KiB))
    await intake.until(() => intake.bytes === 100 * KiB)
    caller.leave()
    await intake.until(() => intake.exchanges === 0)
    expect(intake.bytes).toBe(0)
    expect(faults).toEqual([])
  })
})

describe('a single request that is too large is answered, and then closed', () => {
  test('an endless one', async () => {
    const { server, intake } = await serve({})
    const endless = await post(server, 'chunked')
    endless.sendEndlessly()
    const { status, body } = await endless.answer()
    expect(status).toBe(413)
    expect(body).toEqual({
      code: 'MESSAGE_TOO_LARGE',
      message: expect.stringContaining(`${BODY_BYTES_MAX} bytes`),
    })
    expect(intake.peak).toBeLessThanOrEqual(BODY_BYTES_MAX)
    await endless.closed
  })

  test('one that says so, before its body is read', async () => {
    const { server, intake } = await serve({})
    const announcing = await post(server, BODY_BYTES_MAX + 1)
    expect(await announcing.answer()).toMatchObject({ status: 413, body: { code: 'MESSAGE_TOO_LARGE' } })
    expect(intake.peak).toBe(0)
  })
})

describe('who has to go', () => {
  test('whoever holds most, and never more is held than the bound', () => {
    const step = fc.record({ who: fc.nat(5), bytes: fc.integer({ min: 1, max: 120 }), leaves: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const intake = new Intake({ bytesMax: 100, exchangesMax: 6 })
        const places: (Place | undefined)[] = []
        for (const { who, bytes, leaves } of steps) {
          const place = places[who]?.stands === true ? places[who] : intake.enter(0)
          const others = places.filter((other) => other !== undefined && other !== place && other.stands)
          const before = others.map((other) => other?.bytes ?? 0)
          place.onEvicted = () => place.leave()
          places[who] = place
          const asked = place.bytes + bytes
          place.hold(bytes)
          expect(intake.bytes).toBeLessThanOrEqual(100)
          expect(intake.bytes).toBe(places.reduce((sum, one) => sum + (one?.bytes ?? 0), 0))
          // Whoever holds less than the one that asks, stays.
          others.forEach((other, i) => expect(other?.stands === true || (before[i] ?? 0) > asked).toBe(true))
          if (leaves) place.leave()
        }
        for (const place of places) place?.leave()
        expect([intake.bytes, intake.exchanges]).toEqual([0, 0])
      }),
    )
  })

  test('two of the largest requests fit at once', () => {
    expect(intakeBounds.bytesMax).toBeGreaterThanOrEqual(2 * BODY_BYTES_MAX)
  })
})

describe('what a replica hears', () => {
  const url = new URL('http://127.0.0.1:1')

  test('503 RATE_LIMITED is a refusal that may be tried again', () => {
    const said = JSON.stringify({ code: 'RATE_LIMITED', message: 'full', retryAfterMs: 1_000 })
    expect(refusalOf(url, 503, said)).toMatchObject({
      code: 'RATE_LIMITED',
      message: 'full',
      retryable: true,
    })
    expect(refusalOf(url, 503, 'a proxy')).toMatchObject({ code: 'HUB_UNREACHABLE', retryable: true })
    expect(new NoRoom('full')).toBeInstanceOf(SyncError)
  })
})

describe('a body cut into frames', () => {
  test('however it comes in, in crumbs too', () => {
    const sizes = fc.array(fc.oneof(fc.nat(3), fc.nat(1_000), fc.constant(70_000)), { maxLength: 8 })
    fc.assert(
      fc.property(
        sizes,
        fc.infiniteStream(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 9_000 }))),
        (frames, cuts) => {
          const sent = frames.map((size, i) => new Uint8Array(size).fill(i + 1))
          const body = Buffer.concat(sent.map(prefixed))
          const stream = new FrameStream()
          const got: Uint8Array[] = []
          for (let at = 0; at < body.length;) {
            const cut = cuts.next().value ?? 1
            stream.push(body.subarray(at, at + cut))
            at += cut
            for (let next = at % 2 === 0 ? stream.next() : null; next !== null; next = stream.next())
              got.push(next)
          }
          for (let next = stream.next(); next !== null; next = stream.next()) got.push(next)
          stream.end()
          expect(got.map((frame) => [frame.length, frame[0]])).toEqual(
            sent.map((frame) => [frame.length, frame[0]]),
          )
        },
      ),
    )
  })

  test('keeps nothing of what the network has read', () => {
    const stream = new FrameStream()
    const read = Buffer.from(prefixed(Uint8Array.of(7)))
    stream.push(read)
    read.fill(0)
    expect(stream.next()).toEqual(Uint8Array.of(7))
  })
})

/** Remembers the most that was held, and tells of changes. */
class WatchedIntake extends Intake {
  peak = 0
  #waiting: { readonly when: () => boolean; readonly go: () => void }[] = []

  until(when: () => boolean): Promise<void> {
    if (when()) return Promise.resolve()
    return new Promise((go) => this.#waiting.push({ when, go }))
  }

  override enter(announced: number): Place {
    const place = super.enter(announced)
    this.#look()
    return place
  }

  override changed(bytes: number): void {
    super.changed(bytes)
    this.peak = Math.max(this.peak, this.bytes)
    this.#look()
  }

  override forget(place: Place): void {
    super.forget(place)
    this.#look()
  }

  #look(): void {
    for (const { when, go } of this.#waiting) if (when()) go()
  }
}

async function serve(bounds: Partial<IntakeBounds>, options: Partial<ServeHubOptions<string>> = {}) {
  const intake = new WatchedIntake({ ...intakeBounds, ...bounds })
  const clock = new VirtualClock(1)
  const server = await serveHubWith<string>(intake, {
    accept: echo,
    host: '127.0.0.1',
    port: 0,
    clock,
    ...options,
  })
  closing.push(() => server.close())
  return { server, intake }
}

async function liveChannel(server: HubServer): Promise<ReplicaChannel> {
  const made = webSocketDialer({ url: server.url, clock: new VirtualClock(2) })
  closing.push(() => made.close())
  return await made.dial(never())
}

async function exchanges(channel: ReplicaChannel): Promise<void> {
  channel.send(hello())
  expect((await channel.receive())?.type).toBe('Ack')
}

/** A greeting by HTTP, and with it `pushed` bytes. */
async function oneShot(server: HubServer, pushed = 0) {
  const channel = await httpDialer({ url: server.url, clock: new VirtualClock(3) }).dial(never())
  channel.send(hello())
  if (pushed > 0) channel.send(pushOf(pushed))
  channel.end()
  let answers = 0
  while ((await channel.receive()) !== null) answers++
  return { answers, code: (await channel.closed).code }
}

function pushOf(bytes: number) {
  const commit = { counter: 1, prev: 0, hlc: '0'.repeat(14) as never, domainVersion: 1, ops: [{ type: 'A' }] }
  return { type: 'Push' as const, epoch: null, commits: [{ ...commit, update: new Uint8Array(bytes) }] }
}

function request(): Uint8Array {
  const whole = encodeFrame({ kind: 'whole', channel: 1, payload: encodeUp(hello()) })
  return Buffer.concat([prefixed(whole), prefixed(encodeFrame({ kind: 'end', channel: 1 }))])
}

/** A request in the test's own hands, with its head sent. */
async function post(server: HubServer, length: number | 'chunked') {
  const { port, host } = new URL(server.url)
  const socket = connectTcp(Number(port), '127.0.0.1')
  closing.push(async () => void socket.destroy())
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.on('error', () => {})
  await new Promise<void>((resolve) => socket.once('connect', resolve))
  const size = length === 'chunked' ? 'transfer-encoding: chunked' : `content-length: ${length}`
  socket.write(`POST /v1/sync HTTP/1.1\r\nhost: ${host}\r\n${size}\r\n\r\n`)
  const send = (bytes: Uint8Array) =>
    socket.write(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]))
  return {
    /** Asked for before the socket closes: a socket that nobody reads loses it. */
    answer: () => answerOf(socket),
    closed,
    send,
    sendRaw: (bytes: Uint8Array) => void socket.write(bytes),
    sendEndlessly: () => {
      const chunk = new Uint8Array(limits.frameBytesMax)
      const more = () => {
        while (!socket.destroyed && send(chunk));
      }
      socket.on('drain', more)
      more()
    },
    leave: () => void socket.destroy(),
  }
}

interface Answer {
  readonly status: number
  readonly head: string
  readonly body: unknown
}

function answerOf(socket: TcpSocket): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      const [head = '', body = ''] = text.split('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN)
      if (body.length === length)
        resolve({ status: Number(text.slice(9, 12)), head: `${head}\r\n`, body: JSON.parse(body) })
    })
    socket.once('close', () => reject(new Error(`the connection was closed without an answer: ${text}`)))
  })
}
