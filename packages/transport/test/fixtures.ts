// What the tests of transport share: messages, hubs that echo, and real servers on loopback.
import type { DownMessage, HubChannel, ReplicaChannel, UpMessage } from '@rejoin/core'
import type { ChannelFixture } from '@rejoin/testkit'
import { VirtualClock } from '@rejoin/testkit'
import { serveHub, type HubServer, type ServeHubOptions } from '../src/server.ts'

/** A signal of a dial that nobody gives up. */
export function never(): AbortSignal {
  return new AbortController().signal
}

export function hello(namespace = 'support'): UpMessage {
  return {
    type: 'Hello',
    namespace,
    domain: 'intents',
    domainVersion: 1,
    replica: 'AAECAwQFBgcICQoLDA0ODw',
    cursor: { epoch: 4_503_599_627_370_495, seq: 1_000_000, tag: '0123456789abcdef' },
    ackedCounter: 100_000,
    capabilities: ['delta'],
  }
}

export function ack(counter: number): DownMessage {
  return { type: 'Ack', counter, seq: counter, duplicate: false, durability: 'durable' }
}

/** A hub that acknowledges each message by its number, and closes when the replica has ended. */
export function echo(channel: HubChannel): void {
  void (async () => {
    let count = 0
    while ((await channel.receive()) !== null) channel.send(ack(++count))
    channel.close()
  })()
}

export function serve(options: Partial<ServeHubOptions<string>> = {}): Promise<HubServer> {
  return serveHub<string>({
    accept: echo,
    host: '127.0.0.1',
    port: 0,
    clock: new VirtualClock(1),
    ...options,
  })
}

/** Hands out a hub's channels in the order in which they appear. */
export class Arrivals {
  readonly #arrived: HubChannel[] = []
  readonly #waiting: ((channel: HubChannel) => void)[] = []

  readonly accept = (channel: HubChannel): void => {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#arrived.push(channel)
    else waiting(channel)
  }

  next(): Promise<HubChannel> {
    const arrived = this.#arrived.shift()
    return arrived === undefined
      ? new Promise((resolve) => this.#waiting.push(resolve))
      : Promise.resolve(arrived)
  }
}

/** For the channel suite: `open` and the arrivals pair up in order, since channels appear in the order of their greetings. */
export function fixtureOf(
  arrivals: Arrivals,
  open: () => Promise<ReplicaChannel>,
  close: () => Promise<void>,
): ChannelFixture {
  return {
    open: async () => ({ replica: await open(), hub: arrivals.next() }),
    close,
  }
}
