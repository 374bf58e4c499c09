// Whose turn it is to be sent much: a channel takes one to be greeted or to catch up, and keeps none that it does not use.
import { expect, test } from 'vitest'
import { limits, type CloseReason, type DownMessage, type HubChannel, type UpMessage } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { Greetings } from '../src/server/greetings.ts'
import { OutgoingBudget } from '../src/server/outgoing-budget.ts'
import { meteredChannel } from '../src/server/metered-channel.ts'
import { defaultRates, Meter } from '../src/server/rates.ts'
import { hello } from './fixtures.ts'

const caughtUp: DownMessage = {
  type: 'CaughtUp',
  cursor: { epoch: 1, seq: 1, tag: '00'.repeat(8) as never },
  ackedCounter: 0,
  ackedHlc: null,
}
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A channel of a principal whose `bytesMax` is 100, and which says one greeting. */
function world() {
  const clock = new VirtualClock(1)
  const greetings = new Greetings(100, clock, new OutgoingBudget(clock))
  const said: UpMessage[] = [hello()]
  let close: (reason: CloseReason) => void = () => {}
  const channel: HubChannel = {
    oneShot: false,
    closed: new Promise((resolve) => (close = resolve)),
    backlogBytes: 0,
    bill: { bytesUp: 0, bytesDown: 0 },
    send: () => {},
    drained: () => Promise.resolve(),
    end: () => {},
    close: (reason) => close(reason ?? { code: null, message: 'closed' }),
    receive: () => Promise.resolve(said.shift() ?? null),
  }
  const bounds = { join: () => () => {}, greetings, connectionBacklogBytes: () => 1 }
  const metered = meteredChannel(channel, new Meter(defaultRates, clock), bounds)
  /** How many others would be let through, once all is read. */
  const left = async (): Promise<number> => {
    greetings.changed(-greetings.bytes)
    let through = 0
    for (let i = 0; i < 20; i++) void greetings.enter(channel.closed).then(() => through++)
    await settle()
    return through
  }
  return { clock, greetings, metered, left }
}

test('[14] a greeting keeps its turn until it is answered', async () => {
  const { metered, left } = world()
  expect((await metered.receive())?.type).toBe('Hello')
  expect(await left()).toBe(limits.greetingsAtOnceMax - 1)
})

test('[14] whoever only waits until all has left takes no turn', async () => {
  const { clock, greetings, metered, left } = world()
  await metered.receive()
  metered.send(caughtUp)
  greetings.changed(201)
  const drained = metered.drained()
  clock.advance(5_000)
  await drained
  expect(await left()).toBe(limits.greetingsAtOnceMax)
})

test('[14] whoever is told that it is behind waits for its turn, and keeps it until it sends', async () => {
  const { clock, greetings, metered, left } = world()
  await metered.receive()
  metered.send(caughtUp)
  expect(metered.backlogBytes).toBe(0)
  greetings.changed(201)
  expect(metered.backlogBytes).toBeGreaterThan(limits.backlogBytesMax)
  let isDrained = false
  const drained = metered.drained().then(() => (isDrained = true))
  await settle()
  expect(isDrained).toBe(false)
  clock.advance(1_000)
  await drained
  expect(metered.backlogBytes).toBe(0)
  expect(await left()).toBe(limits.greetingsAtOnceMax - 1)
})
