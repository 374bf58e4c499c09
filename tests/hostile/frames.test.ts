// Frames and bytes that nobody honest sends (HAZARDS G3 to G5): their socket is closed with a status, and nobody notices.
import { deflateRawSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { frame, type Raw } from './raw.ts'
import { HostileWorld, KiB, MiB } from './world.ts'

const world = new HostileWorld()
beforeAll(async () => void (await world.begin()))
afterAll(() => world.end())
beforeEach(() => world.measure())
afterEach(({ task }) => world.check(task.name))

const ways: readonly [string, () => Promise<Raw>][] = [
  ['signed in', () => world.socket()],
  ['before any sign-in', () => world.socket(null)],
  ['as a plain Yjs client', () => world.socket('abuser', '/yjs/office')],
]

describe.each(ways)('a socket %s', (_, connect) => {
  test('[14] that sends a frame of 64 MiB is closed before it is taken in', async () => {
    const raw = await connect()
    await raw.write(frame(0x82, new Uint8Array(0), 64 * MiB))
    await raw.write(new Uint8Array(64 * KiB), 1_024)
    await raw.until(() => raw.closeStatus !== 0)
    expect([1009, 0]).toContain(raw.closeStatus)
    await raw.closed
  })

  test('[14] that sends 400,000 fragments of one byte is closed', async () => {
    const raw = await connect()
    const crumb = frame(0x00, Uint8Array.of(0))
    await raw.write(frame(0x02, Uint8Array.of(0)))
    const many = Buffer.concat(Array.from({ length: 4_000 }, () => crumb))
    await raw.write(many, 100)
    await raw.until(() => raw.closeStatus !== 0)
    expect([1008, 1009, 0]).toContain(raw.closeStatus)
    await raw.closed
  })

  test('[14] that sends 500,000 pings and reads nothing is not kept', async () => {
    const raw = await connect()
    raw.socket.pause()
    const many = Buffer.concat(Array.from({ length: 5_000 }, () => frame(0x89, Buffer.alloc(100))))
    await raw.write(many, 100)
    raw.socket.resume()
    await raw.closed
    expect(raw.isClosed).toBe(true)
  })

  test('[14] that sends compressed frames nobody agreed on is closed', async () => {
    const raw = await connect()
    const bomb = deflateRawSync(Buffer.alloc(100 * MiB))
    await raw.write(frame(0xc2, bomb.subarray(0, 100 * KiB)))
    await raw.until(() => raw.closeStatus !== 0)
    expect(raw.closeStatus).toBe(1002)
  })
})
