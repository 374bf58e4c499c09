// Who has read a ping, and who only says so.
import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { limits, type CloseReason } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import type { WebSocket } from 'ws'
import { beat } from '../src/server/heartbeat.ts'

/** @param answer what a peer says to the pings that it was sent so far, the last one at the end. */
async function closedAfter(beats: number, answer: (pings: readonly Buffer[]) => Buffer | null) {
  const clock = new VirtualClock(1)
  const pings: Buffer[] = []
  const events = new EventEmitter()
  const far = { ping: (said: Uint8Array) => pings.push(Buffer.from(said)), terminate: () => {} }
  let closed: CloseReason | null = null
  const connection = { beat: () => {}, close: (reason: CloseReason) => void (closed ??= reason) }
  beat(clock, Object.assign(events, far) as unknown as WebSocket, connection)
  for (let i = 0; i < beats && closed === null; i++) {
    clock.advance(limits.heartbeatMs)
    await new Promise((resolve) => setImmediate(resolve))
    const said = answer(pings)
    if (said !== null) events.emit('pong', said)
  }
  return { closed, pings }
}

test('a peer that answers each ping stays, also one that is late, or answers only the last', async () => {
  expect((await closedAfter(20, (pings) => pings.at(-1) ?? null)).closed).toBe(null)
  expect((await closedAfter(20, (pings) => pings.at(-2) ?? null)).closed).toBe(null)
  const everySecond = (pings: readonly Buffer[]) => (pings.length % 2 === 0 ? (pings.at(-1) ?? null) : null)
  expect((await closedAfter(20, everySecond)).closed).toBe(null)
})

test('[14] a peer that says pong and has read no ping is gone after two', async () => {
  for (const answer of [() => Buffer.alloc(0), () => Buffer.alloc(8), () => null]) {
    const { closed, pings } = await closedAfter(20, answer)
    expect(closed).toMatchObject({ code: 'TIMED_OUT' })
    expect(pings).toHaveLength(2)
  }
  // The same one again and again tells nothing either.
  const { closed, pings } = await closedAfter(20, ([first]) => first ?? null)
  expect(closed).toMatchObject({ code: 'TIMED_OUT' })
  expect(pings).toHaveLength(3)
})
