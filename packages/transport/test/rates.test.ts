// How fast one principal may send: buckets by a clock, and what a replica hears at the bound.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits, type DownMessage, type HubChannel, type ReplicaChannel, type UpMessage } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { memoryConnection } from '../src/index.ts'
import { Greetings } from '../src/server/greetings.ts'
import { OutgoingBudget } from '../src/server/outgoing-budget.ts'
import { meteredChannel } from '../src/server/metered-channel.ts'
import { defaultPeerLimits, Peers } from '../src/server/peers.ts'
import { defaultRates, Meter, TokenBucket, type Rates } from '../src/server/rates.ts'
import { hello } from './fixtures.ts'

describe('[14] a bucket', () => {
  test('never gives more than its burst and what came in since, but for one overdraft', () => {
    const step = fc.record({ passMs: fc.nat(5_000), count: fc.integer({ min: 1, max: 50 }) })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.integer({ min: 1, max: 100 }),
        (steps, perSecond) => {
          const burst = 20
          const bucket = new TokenBucket({ perSecond, burst }, 0)
          let [now, taken] = [0, 0]
          for (const { passMs, count } of steps) {
            now += passMs
            if (bucket.waitMs(now) > 0) continue
            bucket.take(count)
            taken += count
          }
          expect(taken).toBeLessThanOrEqual(burst + (now * perSecond) / 1_000 + 50)
        },
      ),
    )
  })

  test('takes again after the wait that it names, and not a millisecond before', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.integer({ min: 1, max: 5_000 }),
        (count, perSecond) => {
          const bucket = new TokenBucket({ perSecond, burst: 10 }, 0)
          bucket.take(count)
          const waitMs = bucket.waitMs(0)
          expect(bucket.waitMs(waitMs)).toBe(0)
          expect(waitMs === 0).toBe(count < 10)
        },
      ),
    )
  })

  test('a clock that goes back fills nothing', () => {
    const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, 10_000)
    bucket.take(1)
    expect(bucket.waitMs(0)).toBeGreaterThan(0)
    expect(bucket.waitMs(999)).toBeGreaterThan(0)
    expect(bucket.waitMs(1_000)).toBe(0)
  })
})

const generous = { perSecond: 1e9, burst: 1e9 }

interface World {
  readonly clock: VirtualClock
  readonly say: (message: UpMessage) => void
  /** What the hub sees. */
  readonly seen: () => Promise<UpMessage | null>
  readonly heard: () => Promise<DownMessage | null>
  readonly hub: HubChannel
  readonly channel: ReplicaChannel
}

async function world(rates: Partial<Rates>, clock = new VirtualClock(1)): Promise<World> {
  const meter = new Meter({ messages: generous, bytes: generous, commits: generous, ...rates }, clock)
  const greetings = new Greetings(Infinity, clock, new OutgoingBudget(clock))
  const bounds = { join: () => () => {}, greetings, connectionBacklogBytes: () => 0 }
  let arrived: (channel: HubChannel) => void = () => {}
  const arrival = new Promise<HubChannel>((resolve) => (arrived = resolve))
  const connection = memoryConnection({
    clock,
    accept: (channel) => arrived(meteredChannel(channel, meter, bounds)),
  })
  const channel = connection.open()
  channel.send(hello())
  const hub = await arrival
  expect((await hub.receive())?.type).toBe('Hello')
  return {
    clock,
    hub,
    channel,
    say: (message) => channel.send(message),
    seen: () => hub.receive(),
    heard: () => channel.receive(),
  }
}

function push(...counters: number[]): UpMessage {
  const commits = counters.map((counter) => ({
    counter,
    prev: counter - 1,
    hlc: '00000000000000' as never,
    domainVersion: 1,
    ops: [{ type: 'Noted' }],
    update: new Uint8Array(100),
  }))
  return { type: 'Push', epoch: null, commits }
}

const bye: UpMessage = { type: 'Bye' }

describe('[14] above the rate', () => {
  test('commits are refused one by one, the hub sees none of them, and the wait is enough', async () => {
    const { clock, say, seen, heard } = await world({ commits: { perSecond: 10, burst: 2 } })
    say(push(1, 2))
    say(push(3, 4))
    say(bye)
    expect(await seen()).toMatchObject({ type: 'Push', commits: [{ counter: 1 }, { counter: 2 }] })
    expect(await seen()).toEqual(bye)
    const refusals = [await heard(), await heard()]
    for (const [i, refusal] of refusals.entries()) {
      expect(refusal).toMatchObject({
        type: 'Refused',
        counter: 3 + i,
        code: 'RATE_LIMITED',
        retryable: true,
      })
    }
    const [first] = refusals
    if (first?.type !== 'Refused' || first.retryAfterMs === null) throw new Error('expected a time')
    expect(first.message).toContain('commits')
    clock.advance(first.retryAfterMs)
    say(push(3, 4))
    expect(await seen()).toMatchObject({ type: 'Push', commits: [{ counter: 3 }, { counter: 4 }] })
  })

  test('bytes count too, and a push that is larger than the burst passes once', async () => {
    const { clock, say, seen, heard } = await world({ bytes: { perSecond: 1_000, burst: 200 } })
    say(push(1, 2, 3))
    expect(await seen()).toMatchObject({ type: 'Push' })
    say(push(4))
    say(bye)
    expect(await seen()).toEqual(bye)
    expect(await heard()).toMatchObject({
      counter: 4,
      code: 'RATE_LIMITED',
      message: expect.stringContaining('bytes'),
    })
    clock.advance(10_000)
    say(push(4))
    expect(await seen()).toMatchObject({ type: 'Push' })
  })

  test('pushes that are refused cost as well, up to a bound: whoever goes on waits longer, and not for ever', async () => {
    const { clock, say, seen, heard } = await world({ commits: { perSecond: 1_000, burst: 2 } })
    say(push(1, 2))
    for (let i = 0; i < 100; i++) say(push(3, 4))
    say(bye)
    expect(await seen()).toMatchObject({ type: 'Push' })
    expect(await seen()).toEqual(bye)
    const waits: (number | null)[] = []
    for (let i = 0; i < 200; i++) {
      const refusal = await heard()
      if (refusal?.type === 'Refused') waits.push(refusal.retryAfterMs)
    }
    expect(waits.slice(0, 4)).toEqual([3, 3, 5, 5])
    expect(waits.at(-1)).toBe(51)
    clock.advance(50)
    say(push(3, 4))
    say(bye)
    expect(await seen()).toEqual(bye)
    clock.advance(51)
    say(push(3, 4))
    expect(await seen()).toMatchObject({ type: 'Push' })
  })

  test('no more than one full push is refused in a turn of the loop, and presence is dropped no faster', async () => {
    class TurnClock extends VirtualClock {
      readonly waiting: (() => void)[] = []
      override sleep(ms: number, signal?: AbortSignal): Promise<void> {
        if (ms > 0) return super.sleep(ms, signal)
        return new Promise((resolve) => this.waiting.push(resolve))
      }
    }
    const clock = new TurnClock(1)
    const { say, seen, channel } = await world({ commits: { perSecond: 1, burst: 1 } }, clock)
    const full = limits.pushCommitsMax
    const many = Array.from({ length: full }, (_, i) => i + 2)
    say(push(1))
    for (let i = 0; i < 5; i++) say(push(...many))
    say(bye)
    expect(await seen()).toMatchObject({ type: 'Push' })
    let refused = 0
    void (async () => {
      while ((await channel.receive()) !== null) refused++
    })()
    const end = seen()
    const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    const counts: number[] = []
    for (let turn = 0; turn < 5; turn++) {
      for (let i = 0; i < 10; i++) await settle()
      counts.push(refused)
      for (const resolve of clock.waiting.splice(0)) resolve()
    }
    expect(counts).toEqual([1, 2, 3, 4, 5].map((turns) => turns * full))
    expect(await end).toEqual(bye)
  })

  test('presence is dropped without a word', async () => {
    const { say, seen } = await world({ messages: { perSecond: 1, burst: 2 } })
    const awareness: UpMessage = { type: 'Awareness', update: Uint8Array.of(1) }
    for (let i = 0; i < 10; i++) say(awareness)
    say(bye)
    expect(await seen()).toEqual(awareness)
    expect(await seen()).toEqual(bye)
  })

  test('anything else closes the channel, and says when to come back', async () => {
    const { say, seen, heard } = await world({ messages: { perSecond: 1, burst: 1 } })
    say(hello())
    expect(await seen()).toBeNull()
    expect(await heard()).toMatchObject({
      type: 'Closing',
      code: 'RATE_LIMITED',
      retryAfterMs: expect.any(Number),
    })
  })
})

describe('[14] principals', () => {
  test('share one meter among their connections, and leaving does not fill it', () => {
    const peers = new Peers(new VirtualClock(1), { commits: { perSecond: 1, burst: 5 } })
    const signIn = { id: 'ada', expiresAt: null, revoked: new AbortController().signal }
    const load = { messages: 1, bytes: 1, commits: 5 }
    const [one, two] = [peers.enter(signIn, null), peers.enter(signIn, null)]
    expect(one.meter.take(load)).toBeNull()
    expect(two.meter.take(load)).toMatchObject({ of: 'commits' })
    one.leave()
    two.leave()
    expect(peers.enter(signIn, null).meter.take(load)).toMatchObject({ of: 'commits' })
    expect(peers.enter({ ...signIn, id: 'bob' }, null).meter.take(load)).toBeNull()
  })

  test('that are at rest are forgotten, those with something to pay back are not', () => {
    const clock = new VirtualClock(1)
    const peers = new Peers(clock)
    const load = { messages: 1, bytes: 1, commits: 100_001 }
    const visit = (id: string) => {
      const peer = peers.enter({ id, expiresAt: null, revoked: new AbortController().signal }, null)
      const excess = peer.meter.take(
        id.startsWith('busy') ? load : { ...load, commits: 0, messages: 0, bytes: 0 },
      )
      peer.leave()
      return excess
    }
    visit('busy')
    for (let i = 0; i < 5_000; i++) visit(`user ${i}`)
    expect(peers.count).toBeLessThanOrEqual(1_001)
    expect(visit('busy')).toMatchObject({ of: 'commits' })
  })

  test('have the bounds that the limits name', () => {
    expect(defaultPeerLimits.connections).toBe(limits.connectionsPerPrincipalMax)
    expect(defaultPeerLimits.signIns).toBe(limits.signInsPerAddressMax)
    expect(defaultRates.commits).toEqual({
      perSecond: limits.commitsPerSecondMax,
      burst: limits.commitsBurstMax,
    })
  })
})
