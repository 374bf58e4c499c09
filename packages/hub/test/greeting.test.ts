// The first message of a channel, and its turn: what keeps it waiting is said as what it is, and nothing is read meanwhile.
import { expect, test } from 'vitest'
import { limits, type CloseReason, type Hello, type HubChannel, type UpMessage } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { receiveHello } from '../src/greeting.ts'

const hello: Hello = {
  type: 'Hello',
  namespace: 'office',
  domain: 'intents',
  domainVersion: 1,
  replica: 'AAECAwQFBgcICQoLDA0ODw',
  cursor: null,
  ackedCounter: 0,
  capabilities: [],
}

function greeted() {
  const clock = new VirtualClock(1)
  let say: (message: UpMessage) => void = () => {}
  let drain = (): void => {}
  let close: (reason: CloseReason) => void = () => {}
  const channel: HubChannel = {
    oneShot: false,
    backlogBytes: 0,
    bill: { bytesUp: 0, bytesDown: 0 },
    closed: new Promise((resolve) => (close = resolve)),
    receive: () => new Promise((resolve) => (say = resolve)),
    drained: () => new Promise((resolve) => (drain = resolve)),
    send: () => {},
    end: () => {},
    close: () => {},
  }
  let outcome: unknown = 'waits'
  receiveHello(channel, clock).then(
    (message) => (outcome = message),
    (error: unknown) => (outcome = error),
  )
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  const after = async (ms: number): Promise<unknown> => {
    await settle()
    clock.advance(ms)
    await settle()
    return outcome
  }
  return {
    say: () => say(hello),
    drain: () => drain(),
    close: () => close({ code: null, message: '' }),
    after,
  }
}

test('a Hello counts once its turn has come', async () => {
  const { say, drain, after } = greeted()
  say()
  expect(await after(limits.greetingMsMax - 1)).toBe('waits')
  drain()
  expect(await after(0)).toEqual(hello)
})

test('a Hello that came late has the same time for its turn, and whoever gets none is told so', async () => {
  const { say, after } = greeted()
  expect(await after(limits.answerMsMax - 1)).toBe('waits')
  say()
  expect(await after(limits.greetingMsMax - 1)).toBe('waits')
  expect(await after(1)).toMatchObject({ code: 'RATE_LIMITED', retryable: true })
})

test('[14] nothing is read for a channel that closed while it waited', async () => {
  const { say, close, after } = greeted()
  say()
  expect(await after(1)).toBe('waits')
  close()
  expect(await after(0)).toBe(null)
})

test('who says nothing is told that', async () => {
  expect(await greeted().after(limits.answerMsMax)).toMatchObject({ code: 'TIMED_OUT' })
})
