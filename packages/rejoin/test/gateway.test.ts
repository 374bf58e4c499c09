// What the gateway holds, and how long: streamed answers and replicas, by a clock that is moved by hand.
import { describe, expect, test } from 'vitest'
import { limits, SyncError } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub } from '@rejoin/hub'
import { intents } from '@rejoin/intents'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { jsonParts, streamedAnswer } from '../src/gateway/answers.ts'
import { GatewayReplicas } from '../src/gateway/replicas.ts'

async function* counted(to: number, made: number[]): AsyncGenerator<string, void> {
  try {
    for (let i = 1; i <= to; i++) {
      await Promise.resolve()
      made.push(i)
      yield String(i)
    }
  } finally {
    made.push(0)
  }
}

/** Lets everybody who was woken work. */
async function turns(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('a streamed answer', () => {
  const faults: unknown[] = []
  const answer = (parts: AsyncGenerator<string, void>, clock = new VirtualClock(1)): Promise<Response> =>
    streamedAnswer(parts, 'text/plain', clock, (error) => faults.push(error))

  test('[14] makes no more than is wanted', async () => {
    const made: number[] = []
    const response = await answer(counted(10, made))
    await turns()
    expect(made).toEqual([1])
    const reader = response.body!.getReader()
    await reader.read()
    await reader.read()
    await turns()
    expect(made).toEqual([1, 2])
    await reader.cancel()
    expect(made).toEqual([1, 2, 0])
  })

  test('is no fault where its reader leaves while the next part is made', async () => {
    let wake: () => void = () => {}
    async function* waiting(): AsyncGenerator<string, void> {
      yield 'first'
      await new Promise<void>((resolve) => (wake = resolve))
      yield 'last'
    }
    const before = faults.length
    const response = await answer(waiting())
    const reader = response.body!.getReader()
    await reader.read()
    void reader.read()
    await turns()
    const left = reader.cancel()
    wake()
    await left
    await turns()
    expect(faults.slice(before)).toEqual([])
  })

  test('[14] lets a reader go that takes nothing', async () => {
    const made: number[] = []
    const clock = new VirtualClock(1)
    const response = await answer(counted(10, made), clock)
    const reader = response.body!.getReader()
    await reader.read()
    clock.advance(limits.backlogMsMax)
    await turns()
    await expect(reader.read()).rejects.toMatchObject({ code: 'PEER_TOO_SLOW' })
    expect(made.at(-1)).toBe(0)
  })

  test('that fails before its first part is a refusal, and later it is cut off', async () => {
    async function* failing(after: number): AsyncGenerator<string, void> {
      for (let i = 0; i < after; i++) yield* counted(1, [])
      throw new SyncError('STORE_CORRUPT', 'broken')
    }
    await expect(answer(failing(0))).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    const response = await answer(failing(1))
    await expect(response.text()).rejects.toThrow(/terminated|broken|STORE_CORRUPT/)
    expect(faults).toHaveLength(1)
  })

  test('is the JSON that its members make', async () => {
    const of = async (count: number): Promise<string> =>
      (await answer(jsonParts('[', counted(count, []), ']'))).text()
    expect([await of(0), await of(1), await of(3)]).toEqual(['[]', '[1]', '[1,2,3]'])
  })
})

describe('replicas of the gateway', () => {
  function open() {
    const clock = new VirtualClock(1)
    const hub = openHub({ store: new MapHubStore(), updates: yjsCrdt.updates, domains: [intents], clock })
    const accept = (...[channel, who]: Parameters<typeof hub.accept>) => void hub.accept(channel, who)
    return { clock, hub, replicas: new GatewayReplicas({ accept, clock }) }
  }

  test('[14] are bounded in number, and closed when nobody has used them for a minute', async () => {
    const { clock, hub, replicas } = open()
    for (let i = 0; i < 40; i++) await replicas.use(`n${i}`, anyone, () => Promise.resolve())
    expect(replicas.count).toBe(32)
    for (let i = 0; i < 4; i++) {
      clock.advance(30_000)
      await turns()
    }
    expect(replicas.count).toBe(0)
    expect(hub.status().rooms).toEqual([])
    await replicas.close()
    await hub.close()
  })

  test('[14] refuse whom they have no room for, and serve the others', async () => {
    const { hub, replicas } = open()
    let release = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const busy = Array.from({ length: 32 }, (_, i) => replicas.use(`n${i}`, anyone, () => held))
    await expect(replicas.use('one-more', anyone, () => held)).rejects.toMatchObject({ code: 'RATE_LIMITED' })
    const waiting = Array.from({ length: 63 }, () => replicas.use('n0', anyone, () => held))
    await expect(replicas.use('n0', anyone, () => held)).rejects.toMatchObject({ code: 'RATE_LIMITED' })
    release()
    await Promise.all([...busy, ...waiting])
    await replicas.close()
    await hub.close()
  })

  test('are used by one at a time, and one that failed is made anew', async () => {
    const { hub, replicas } = open()
    const order: string[] = []
    const work = (name: string) => async (): Promise<void> => {
      order.push(`${name} begins`)
      await turns()
      order.push(`${name} ends`)
    }
    await Promise.all([replicas.use('n', anyone, work('a')), replicas.use('n', anyone, work('b'))])
    expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
    const idOf = (): Promise<string> => replicas.use('n', anyone, (replica) => Promise.resolve(replica.id))
    const first = await idOf()
    expect(await idOf()).toBe(first)
    await expect(replicas.use('n', anyone, () => Promise.reject(new Error('x')))).rejects.toThrow('x')
    expect(await idOf()).not.toBe(first)
    await replicas.close()
    await expect(idOf()).rejects.toMatchObject({ code: 'HUB_CLOSING' })
    await hub.close()
  })
})
