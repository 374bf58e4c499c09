// The contract of the `Channel` port, for every way in which its messages can travel.
import { describe, test } from 'vitest'
import { channelSuite, VirtualClock } from '@rejoin/testkit'
import { httpBatch, memoryConnection, webSocketDialer } from '../src/index.ts'
import { Arrivals, fixtureOf, never, serve } from './fixtures.ts'

describe('in memory', () => {
  channelSuite({
    test,
    connect: async () => {
      const arrivals = new Arrivals()
      const connection = memoryConnection({ clock: new VirtualClock(1), accept: arrivals.accept })
      return fixtureOf(
        arrivals,
        async () => connection.open(),
        async () => connection.cut(),
      )
    },
  })
})

describe('by WebSocket', () => {
  channelSuite({
    test,
    connect: async () => {
      const arrivals = new Arrivals()
      const clock = new VirtualClock(1)
      const server = await serve({ accept: arrivals.accept, clock })
      const dialer = webSocketDialer({ url: server.url, clock })
      return fixtureOf(
        arrivals,
        () => dialer.dial(never()),
        async () => {
          await dialer.close()
          await server.close()
        },
      )
    },
  })
})

describe('by HTTP', () => {
  const oneShot = 'everything goes up in one request before anything comes down in its response'
  channelSuite({
    test,
    connect: async () => {
      const arrivals = new Arrivals()
      const clock = new VirtualClock(1)
      const server = await serve({ accept: arrivals.accept, clock })
      const batch = httpBatch({ url: server.url, clock })
      let sent = false
      return fixtureOf(
        arrivals,
        async () => {
          const channel = await batch.dial(never())
          // All channels of a case are opened before the first of them ends.
          if (!sent) setImmediate(() => void batch.send())
          sent = true
          return channel
        },
        () => server.close(),
      )
    },
    cannot: {
      'messages arrive in order while both sides speak': oneShot,
      "the replica's close arrives with its reason, after what it sent": oneShot,
      'a receive that waits hears null when its own side closes': oneShot,
      'a receive that waits hears null when the peer closes': oneShot,
      'drained resolves when the channel closes': oneShot,
    },
  })
})
