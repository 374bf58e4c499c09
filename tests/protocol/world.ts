/** A hub on loopback whose store is in memory, and replicas that reach it by socket or by HTTP, through what is put between. */
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { limits, type Dial, type HubStore } from '@rejoin/core'
import { anyone, loggedCommits, openHub, type Hub, type HubOptions } from '@rejoin/hub'
import { intents } from '@rejoin/intents'
import { MapHubStore, MapReplicaStore } from '@rejoin/testkit'
import { httpDialer, webSocketDialer } from '@rejoin/transport'
import { deflated, serveHub } from '@rejoin/transport/server'
import { openReplica, systemClock, type Replica } from 'rejoin'

export type IntentsReplica = Replica<typeof intents>

export interface World {
  readonly url: string
  readonly hub: Hub
  readonly store: HubStore
  /** A way to the hub; `url`: of what stands in front of it. */
  socket(url?: string): Dial
  http(url?: string): Dial
  /** Offline without `dial`; `store` outlives it. */
  replica(namespace?: string, store?: MapReplicaStore, dial?: Dial): Promise<IntentsReplica>
  /** Closes the hub in the ordinary way, before the world ends. */
  stop(): Promise<void>
}

/** Closes everything whatever happens. */
export async function withWorld<R>(
  use: (world: World) => Promise<R>,
  options: Partial<HubOptions> = {},
): Promise<R> {
  const store = options.store ?? new MapHubStore()
  const hub = openHub({
    updates: yjsCrdt.updates,
    domains: [intents],
    pack: deflated,
    ...options,
    store,
    clock: systemClock,
  })
  const server = await serveHub({
    accept: (channel) => void hub.accept(channel, anyone),
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    beforeClose: () => hub.close(),
  })
  const replicas: IntentsReplica[] = []
  const dialers: { close(): Promise<void> }[] = []
  let stopped: Promise<void> | null = null
  const stop = (): Promise<void> => (stopped ??= server.close())
  try {
    return await use({
      url: server.url,
      hub,
      store,
      socket: (url = server.url) => {
        const dialer = webSocketDialer({ url, clock: systemClock })
        dialers.push(dialer)
        return dialer.dial
      },
      http: (url = server.url) => httpDialer({ url, clock: systemClock }).dial,
      replica: async (namespace = 'support', kept = new MapReplicaStore(), dial) => {
        const replica = await openReplica({
          domain: intents,
          namespace,
          store: kept,
          crdt: yjsCrdt,
          clock: systemClock,
          dial: dial ?? null,
        })
        replicas.push(replica)
        return replica
      },
      stop,
    })
  } finally {
    for (const replica of replicas) await replica.close()
    for (const dialer of dialers) await dialer.close()
    await stop()
  }
}

export function intent(id: string, text = ''): Parameters<IntentsReplica['apply']>[0] {
  return { type: 'IntentAdded', id, phrasesByLang: {}, ...(text === '' ? {} : { description: text }) }
}

/** Of random letters, so that it does not compress to nothing; below what a value may be. */
export function textOf(chars: number, seed: number): string {
  let state = seed
  let text = ''
  while (text.length < Math.min(chars, limits.valueBytesMax - 1_000)) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    text += state.toString(36)
  }
  return text.slice(0, chars)
}

export function idsIn(replica: IntentsReplica): readonly string[] {
  return Array.from(replica.tables.intents.entries(), ([id]) => String(id)).toSorted()
}

/** Names of the commits in a log, as they stand there. */
export async function loggedIn(store: HubStore, namespace: string): Promise<readonly string[]> {
  const names: string[] = []
  for (let after = 0; ;) {
    const tail = await store.readTail(namespace, after, { records: 1_000, bytes: Infinity })
    if (tail.kind !== 'records') throw new Error(`the log of ${namespace} was trimmed`)
    for (const { seq, body } of tail.records) {
      names.push(...loggedCommits(body, `record ${seq}`))
      after = seq
    }
    if (!tail.more) return names
  }
}
