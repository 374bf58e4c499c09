// How long a replica waits before it greets a hub again.
import { limits, type Clock } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { expect, test } from 'vitest'
import { Backoff } from '../src/backoff.ts'

/** A clock whose chance is always the same. */
function chance(byte: number): Clock {
  const clock = new VirtualClock(1)
  return {
    now: () => clock.now(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    random: (bytes) => new Uint8Array(bytes).fill(byte),
  }
}

test('waits double from the least to the most, half of each left to chance', () => {
  const [shortest, longest] = [new Backoff(chance(0)), new Backoff(chance(255))]
  for (let attempt = 0; attempt < 40; attempt++) {
    const ceiling = Math.min(limits.reconnectMsMax, limits.reconnectMsMin * 2 ** attempt)
    expect(shortest.next()).toBe(Math.max(limits.reconnectMsMin, ceiling / 2))
    expect(longest.next()).toBe(ceiling)
  }
})

test('a hub that asks for longer gets that, within the most; and success begins anew', () => {
  const backoff = new Backoff(chance(0))
  expect(backoff.next(5_000)).toBe(5_000)
  expect(backoff.next(10 * limits.reconnectMsMax)).toBe(limits.reconnectMsMax)
  for (let i = 0; i < 10; i++) backoff.next()
  backoff.reset()
  expect(backoff.next()).toBe(limits.reconnectMsMin)
})
