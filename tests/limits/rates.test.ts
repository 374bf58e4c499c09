// [14] What one principal may send: so much at once after a rest and not one more; and a second later so much again.
import { expect, test } from 'vitest'
import { limits, type SignIn } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { Peers, type Seat } from '../../packages/transport/src/server/peers.ts'

const ada: SignIn = { id: 'ada', expiresAt: null, revoked: new AbortController().signal }
const nothing = { messages: 0, bytes: 0, commits: 0 }
const KiB64 = 64 * 1024

interface Bucket {
  readonly perSecond: number
  readonly burst: number
  /** What one step takes. */
  readonly unit: number
  /** False where there is no more. */
  readonly take: (seat: Seat, clock: VirtualClock) => boolean
}

const buckets: Readonly<Record<string, Bucket>> = {
  messages: {
    perSecond: limits.messagesPerSecondMax,
    burst: limits.messagesBurstMax,
    unit: 1,
    take: ({ meter }) => meter.take({ ...nothing, messages: 1 }) === null,
  },
  bytes: {
    perSecond: limits.bytesUpPerSecondMax,
    burst: limits.bytesUpBurstMax,
    unit: KiB64,
    take: ({ meter }) => meter.take({ ...nothing, bytes: KiB64 }) === null,
  },
  commits: {
    perSecond: limits.commitsPerSecondMax,
    burst: limits.commitsBurstMax,
    unit: 1,
    take: ({ meter }) => meter.take({ ...nothing, commits: 1 }) === null,
  },
  frames: {
    perSecond: limits.framesPerSecondMax,
    burst: limits.framesBurstMax,
    unit: 1,
    take: ({ frames }, clock) => {
      if (frames.waitMs(clock.now()) > 0) return false
      frames.take(1)
      return true
    },
  },
}

test.each(Object.entries(buckets))('[14] %s', (_, { perSecond, burst, unit, take }) => {
  const clock = new VirtualClock(1)
  const seat = new Peers(clock).enter(ada, null)
  const takeAll = (): number => {
    let taken = 0
    while (taken <= burst && take(seat, clock)) taken += unit
    return taken
  }
  expect(takeAll()).toBe(burst)
  clock.advance(1_000)
  expect(takeAll()).toBe(perSecond)
  clock.advance((1_000 * burst) / perSecond + 10_000)
  expect(takeAll()).toBe(burst)
})
