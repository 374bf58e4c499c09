// [14] A document at its bound, with real replicas: what waits is kept and arrives once somebody has made room.
import { expect, test } from 'vitest'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub } from '@rejoin/hub'
import { openReplica, type Replica } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial } from '@rejoin/transport'
import { intents } from 'rejoin'

type Support = Replica<typeof intents>

const described = (domain: string, bytes: number) =>
  ({ type: 'DomainDescription', domain, description: 'x'.repeat(bytes) }) as const

const domainsOf = ({ tables }: Support): readonly string[] =>
  Array.from(tables.domains.entries(), ([domain]) => domain).sort()

test('[4] [10] [14] a replica keeps what a full document has no room for, reads on, and is taken once others removed something', async () => {
  const clock = new VirtualClock(1)
  const hub = openHub({
    store: new MapHubStore(),
    updates: yjsCrdt.updates,
    domains: [intents],
    clock,
    documentBytesMax: 20_000,
  })
  const { dial } = memoryDial({ clock, accept: (channel) => void hub.accept(channel, anyone) })
  const open = (): Promise<Support> =>
    openReplica({
      domain: intents,
      namespace: 'support',
      store: new MapReplicaStore(),
      crdt: yjsCrdt,
      clock,
      dial,
    })
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    for (let i = 0; i < 500; i++) {
      for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
      if (holds()) return
      clock.advanceToNext()
    }
    throw new Error(`never happened: ${what}`)
  }
  const [ada, bob] = await Promise.all([open(), open()])
  // One fits as it is logged, with its ops; both do when they are folded.
  ada.apply(described('a', 8_000))
  await until('the first is there', () => ada.status.pending === 0)
  ada.apply(described('b', 8_000))
  await until('both are there', () => domainsOf(bob).length === 2)
  expect(hub.metrics().checkpoints).toBeGreaterThan(0)
  ada.apply(described('c', 6_000))
  ada.apply(described('d', 10))
  await until('it is told', () => ada.status.lastError?.code === 'DOCUMENT_TOO_LARGE')
  expect(ada.status).toMatchObject({ pending: 2, rejected: 0, state: 'live' })
  expect(domainsOf(ada).length).toBe(4)
  expect(domainsOf(bob).length).toBe(2)
  bob.apply({ type: 'DomainDescription', domain: 'a', description: null })
  await until('there is room', () => ada.status.pending === 0)
  await until('bob has it', () => domainsOf(bob).length === 3)
  expect(bob.status).toMatchObject({ pending: 0, rejected: 0 })
  for (const replica of [ada, bob]) expect(domainsOf(replica)).toEqual(['b', 'c', 'd'])
  await Promise.all([ada.close(), bob.close()])
  await hub.close()
})
