// Those who read nothing, are many, or send without end (HAZARDS G2, G6 to G9).
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { limits, replicaIdOf, type UpMessage } from '@rejoin/core'
import { encodeUp } from '@rejoin/transport'
import { encodeFrame, type Frame } from '../../packages/transport/src/frames.ts'
import type { DistantBystander } from './distant-bystander.ts'
import { frame, upgradeHead, type Raw } from './raw.ts'
import { HostileWorld, KiB, MiB } from './world.ts'
import { BulkWriter } from './bulk-writer.ts'

const world = new HostileWorld()
let bystander: DistantBystander
beforeAll(async () => {
  bystander = await world.begin()
})
afterAll(() => world.end())
beforeEach(() => world.measure())
afterEach(({ task }) => world.check(task.name))

function sent(of: Frame): Buffer {
  return frame(0x82, encodeFrame(of))
}

function message(channel: number, payload: UpMessage): Buffer {
  return sent({ kind: 'whole', channel, payload: encodeUp(payload) })
}

function hello(namespace: string, number: number): UpMessage {
  const replica = new Uint8Array(16)
  new DataView(replica.buffer).setUint32(0, number)
  return {
    type: 'Hello',
    namespace,
    domain: 'intents',
    domainVersion: 1,
    replica: replicaIdOf(replica),
    cursor: null,
    ackedCounter: 0,
    capabilities: ['delta'],
  }
}

async function repeated<T>(count: number, make: (i: number) => Promise<T>): Promise<readonly T[]> {
  return await Promise.all(Array.from({ length: count }, (_, i) => make(i)))
}

describe('who reads nothing', () => {
  let writer: BulkWriter
  beforeAll(async () => {
    writer = await BulkWriter.open(world.folder, world.url, 'archive')
    await writer.write(40)
  })
  afterAll(() => writer.close())

  test('[14] sixty live sockets, while 32 MB are written', async () => {
    await world.measureHeld()
    const stalled = await repeated(60, async (i) => {
      const raw = await world.socket()
      await raw.write(message(1, hello('archive', i)))
      await raw.until(() => raw.bytesReceived > 100 * KiB)
      raw.socket.pause()
      return raw
    })
    await writer.write(40)
    await bystander.more(3)
    for (const raw of stalled) expect(raw.bytesReceived).toBeLessThan(20 * MiB)
  })

  test('[14] sixty plain Yjs sockets, while 32 MB are written', async () => {
    await world.measureHeld()
    const stalled = await repeated(60, async () => {
      const raw = await world.socket('abuser', '/yjs/archive')
      // SyncStep1 of an empty document.
      await raw.write(frame(0x82, Uint8Array.of(0, 0, 1, 0)))
      await raw.until(() => raw.bytesReceived > 100 * KiB)
      raw.socket.pause()
      return raw
    })
    await writer.write(40)
    await bystander.more(3)
    for (const raw of stalled) expect(raw.bytesReceived).toBeLessThan(20 * MiB)
  })

  test('[14] one that asks a thousand times for a snapshot', async () => {
    const raw = await world.socket()
    raw.socket.pause()
    await raw.write(
      Buffer.concat(Array.from({ length: 1_000 }, (_, i) => message(i + 1, hello('archive', i)))),
    )
    await bystander.more(5)
    raw.socket.resume()
    await raw.until(() => raw.bytesReceived > 2 * MiB)
    expect(raw.isClosed).toBe(false)
  })

  test('[14] one that is live on a thousand channels, while more is written', async () => {
    // A thousand copies of each commit pass: most of them are garbage by then.
    await world.measureHeld()
    const raw = await world.socket()
    await raw.write(Buffer.concat(Array.from({ length: 1_000 }, (_, i) => message(i + 1, hello('notes', i)))))
    const notes = await BulkWriter.open(world.folder, world.url, 'notes')
    try {
      await notes.write(1)
      raw.socket.pause()
      const before = raw.bytesReceived
      await notes.write(4)
      await bystander.more(3)
      raw.socket.resume()
      await raw.until(() => raw.bytesReceived > before + 2 * MiB)
      expect(raw.isClosed).toBe(false)
    } finally {
      await notes.close()
    }
  })
})

test('[14] a hundred sockets with messages that never come whole', async () => {
  const first = sent({
    kind: 'first',
    channel: 1,
    total: 8 * MiB,
    hash: new Uint8Array(8),
    payload: new Uint8Array(200 * KiB),
  })
  const further = sent({ kind: 'further', channel: 1, payload: new Uint8Array(200 * KiB) })
  const raws = await repeated(100, async () => {
    const raw = await world.socket()
    await raw.write(first)
    await raw.write(further, 20)
    return raw
  })
  await bystander.more(3)
  const refused = raws.filter((raw) => raw.closeStatus === 1013)
  expect(refused.length).toBeGreaterThan(50)
})

test('[14] 2,000 connections of one principal, and of many at one address', async () => {
  const statuses = async (count: number, token: (i: number) => string): Promise<Map<number, number>> => {
    const raws = await repeated(count, async (i) => {
      const raw = world.plain()
      raw.socket.write(upgradeHead(token(i)))
      await raw.until((received) => received.includes('\r\n\r\n'))
      return raw
    })
    const counts = new Map<number, number>()
    for (const { status } of raws) counts.set(status, (counts.get(status) ?? 0) + 1)
    const told = raws.find(({ status }) => status === 429)?.received.toString()
    expect(told).toMatch(/"code":"RATE_LIMITED".*"retryAfterMs":\d+/)
    expect(told).toMatch(/retry-after: \d+/i)
    for (const raw of raws) raw.close()
    await bystander.more(3)
    return counts
  }
  const ofOne = await statuses(1_000, () => 'abuser')
  expect(ofOne.get(101)).toBeLessThanOrEqual(limits.connectionsPerPrincipalMax)
  const ofMany = await statuses(1_500, (i) => `guest ${i}`.replace(' ', '-'))
  expect(ofMany.get(101)).toBeLessThanOrEqual(limits.connectionsPerAddressMax)
  expect(ofMany.get(101)).toBeGreaterThan(100)
})

test('[14] one floods with frames of each kind, while ten who mean no harm go on', async () => {
  const others = await repeated(10, (i) => world.bystander(`honest-${i}`))
  const closing = { kind: 'close', channel: 1, reason: { code: null, message: '' } } as const
  const floods: readonly Buffer[] = [
    message(1, hello('office', 1)),
    message(1, { type: 'Awareness', update: new Uint8Array(10) }),
    sent(closing),
    sent({ kind: 'beat', channel: 0 }),
    frame(0x89, Buffer.alloc(100)),
  ]
  let goesOn = true
  const raws: Raw[] = []
  const flooding = floods.map(async (bytes) => {
    const raw = await world.socket()
    raws.push(raw)
    await raw.write(message(1, hello('office', 1)))
    const many = Buffer.concat(Array.from({ length: Math.ceil((64 * KiB) / bytes.length) }, () => bytes))
    for (let i = 0; goesOn && i < 400; i++) if (!(await raw.write(many))) break
  })
  for (const each of [bystander, ...others]) await each.more(3)
  goesOn = false
  // Above its rate it is not read, so what it wrote would take a minute to leave.
  for (const raw of raws) raw.close()
  await Promise.all(flooding)
  expect(raws).toHaveLength(floods.length)
  await world.leave(others)
}, 120_000)

test('[14] 200 each of half handshakes, half requests, silent and unsigned sockets are let go, in five seconds and a bit', async () => {
  const halves = [upgradeHead('abuser').slice(0, -20), 'POST /v1/sync HTTP/1.1\r\nhost: a\r\ncontent-le', '']
  const raws: Raw[] = []
  for (const half of halves) {
    for (let i = 0; i < 200; i++) {
      const raw = world.plain()
      raw.socket.write(half)
      raws.push(raw)
    }
  }
  raws.push(...(await repeated(100, () => world.socket(null))))
  await bystander.more(3)
  for (const raw of raws) await raw.closed
  expect(raws.filter(({ isClosed }) => !isClosed)).toEqual([])
}, 30_000)

describe('a request', () => {
  const head = (...lines: string[]): string =>
    `${['POST /v1/sync HTTP/1.1', 'host: a', 'x-api-key: abuser', 'content-type: application/vnd.rejoin.frames', ...lines].join('\r\n')}\r\n\r\n`

  test('[14] that announces 10 GB is refused before any of them', async () => {
    const raw = world.plain()
    raw.socket.write(head('content-length: 10000000000'))
    await raw.until((received) => received.includes('}'))
    expect(raw.status).toBe(413)
    await raw.write(new Uint8Array(64 * KiB), 2_000)
    await raw.closed
  })

  test('[14] in chunks without end is cut off', async () => {
    const raw = world.plain()
    raw.socket.write(head('transfer-encoding: chunked'))
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), new Uint8Array(64 * KiB), Buffer.from('\r\n')])
    await raw.write(chunk, 4_000)
    await raw.closed
    expect([413, 0]).toContain(raw.status)
  })

  test('[14] in chunks of one byte is not kept in pieces', async () => {
    const raw = world.plain()
    raw.socket.write(head('transfer-encoding: chunked'))
    const chunks = Buffer.from('1\r\na\r\n'.repeat(10_000))
    await raw.write(chunks, 50)
    await bystander.more(5)
    expect(raw.status).toBe(0)
  })

  test('[14] that is compressed is not unpacked', async () => {
    const raw = world.plain()
    const bomb = gzipSync(Buffer.alloc(200 * MiB))
    raw.socket.write(head('content-encoding: gzip', `content-length: ${bomb.length}`))
    await raw.write(bomb)
    await raw.until((received) => received.includes('}'))
    expect(raw.status).toBeGreaterThanOrEqual(400)
    expect(raw.status).toBeLessThan(500)
  })

  test('[14] that is no HTTP, or has a head without end, is refused', async () => {
    for (const [bytes, status] of [
      ['\0\0\0\0\r\n\r\n', 400],
      [`GET / HTTP/1.1\r\nx: ${'y'.repeat(100 * KiB)}`, 431],
      [`GET /${'y'.repeat(100 * KiB)} HTTP/1.1`, 431],
    ] as const) {
      const raw = world.plain()
      raw.socket.write(bytes)
      await raw.closed
      expect([status, 0]).toContain(raw.status)
    }
  })
})
