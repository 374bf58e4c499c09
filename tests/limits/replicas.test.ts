// [14] As many replicas as a namespace knows, and those that an operator has forgotten, with real replicas: nothing is lost.
import path from 'node:path'
import { expect, test } from 'vitest'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub, rebuildNamespace, verifyNamespace, type Hub, type HubOptions } from '@rejoin/hub'
import { openReplica, type Replica } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial, type MemoryHub } from '@rejoin/transport'
import { intents, openClient, startHub } from 'rejoin'
import { systemClock } from '../../packages/rejoin/src/wiring/system-clock.ts'
import { openHubFolder } from '@rejoin/persistence-level/node'
import { withFolder } from '../support/command.ts'

type Support = Replica<typeof intents>

const NAMESPACE = 'support'
const DAY_MS = 24 * 60 * 60 * 1000

const described = (domain: string, description: string | null) =>
  ({ type: 'DomainDescription', domain, description }) as const

const textsOf = ({ tables }: Support): Record<string, unknown> =>
  Object.fromEntries(Array.from(tables.domains.entries(), ([domain, row]) => [domain, row]))

const digestOf = (replica: Support): string => yjsCrdt.updates.digest([replica.encode()])

/** One hub after the other over a store that stays, and replicas that find whichever is there. */
class Town {
  readonly clock = new VirtualClock(1)
  readonly store = new MapHubStore()
  /** The hand on each replica's wire. */
  readonly wires = new Map<Support, MemoryHub>()
  #hub: Hub | null = null

  get hub(): Hub {
    if (this.#hub === null) throw new Error('nobody serves')
    return this.#hub
  }

  serve(options: Partial<HubOptions> = {}): this {
    const { store, clock } = this
    this.#hub = openHub({ store, updates: yjsCrdt.updates, domains: [intents], clock, ...options })
    return this
  }

  async stop(): Promise<void> {
    await this.#hub?.close()
    this.#hub = null
  }

  async open(store = new MapReplicaStore()): Promise<Support> {
    const { clock } = this
    const wire = memoryDial({
      clock,
      accept: (channel) =>
        this.#hub === null
          ? channel.close({ code: 'HUB_CLOSING', message: '' })
          : void this.#hub.accept(channel, anyone),
    })
    const { dial } = wire
    const replica = await openReplica({
      domain: intents,
      namespace: NAMESPACE,
      store,
      crdt: yjsCrdt,
      clock,
      dial,
    })
    this.wires.set(replica, wire)
    return replica
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    for (let i = 0; i < 500; i++) {
      for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
      if (holds()) return
      this.clock.advanceToNext()
    }
    throw new Error(`never happened: ${what}`)
  }

  /** As `rejoin rebuild --forget-replicas` does it. */
  async forget(days: number): Promise<number> {
    const before = this.clock.now() - days * DAY_MS
    const { forgotten } = await rebuildNamespace(
      this.store,
      yjsCrdt.updates,
      NAMESPACE,
      this.clock,
      undefined,
      before,
    )
    return forgotten
  }

  async faults(): Promise<readonly unknown[]> {
    return (await verifyNamespace(this.store, yjsCrdt.updates, NAMESPACE)).faults
  }
}

test('[4] [10] [14] what a new replica made at the bound stays with it, and is taken once an operator had old ones forgotten', async () => {
  const town = new Town().serve({ replicaLimits: { replicasMax: 1 } })
  const adas = new MapReplicaStore()
  const ada = await town.open(adas)
  ada.apply(described('a', 'of ada'))
  await town.until('ada is taken', () => ada.status.pending === 0)
  await ada.close()
  town.clock.advance(100 * DAY_MS)
  const bob = await town.open()
  bob.apply(described('b', 'of bob'))
  await town.until('bob is told', () => bob.status.lastError?.code === 'DOCUMENT_TOO_LARGE')
  expect(bob.status).toMatchObject({ pending: 1, rejected: 0, state: 'live' })
  expect(Object.keys(textsOf(bob))).toEqual(['a', 'b'])
  await town.stop()
  expect(await town.forget(90)).toBe(1)
  town.serve({ replicaLimits: { replicasMax: 1 } })
  await town.until('bob is taken', () => bob.status.pending === 0)
  expect(bob.status.rejected).toBe(0)
  await bob.close()
  await town.stop()
  expect(await town.faults()).toEqual([])
})

/** What became of ada's last commit, and of ada's folder, a hundred days before an operator has the hub forget ada. */
interface Story {
  /** Whether ada had a document of the hub's when it was made. */
  readonly base: 'a base' | 'no base'
  /** `lost`: the hub took it, and ada did not hear so. */
  readonly ack: 'heard' | 'lost' | 'made offline'
  /** What bob did with it, where it was taken. */
  readonly since: 'nothing' | 'overwritten' | 'removed'
  readonly folder: 'the same' | 'a copy'
}

const stories: readonly Story[] = (
  [
    ['a base', 'heard'],
    ['a base', 'lost'],
    ['no base', 'lost'],
    ['a base', 'made offline'],
  ] as const
).flatMap(([base, ack]) =>
  (['nothing', 'overwritten', 'removed'] as const)
    .filter((since) => ack !== 'made offline' || since === 'nothing')
    .flatMap((since) => (['the same', 'a copy'] as const).map((folder) => ({ base, ack, since, folder }))),
)

async function played({ base, ack, since, folder }: Story) {
  const town = new Town().serve()
  let adas = new MapReplicaStore()
  const bob = await town.open()
  if (base === 'a base') {
    bob.apply(described('b', 'of bob'))
    await town.until('bob is taken', () => bob.status.pending === 0)
  }
  const ada = await town.open(adas)
  await town.until('ada is there', () => ada.status.state === 'live')
  if (base === 'a base') {
    ada.apply(described('first', 'of ada'))
    await town.until('ada is taken', () => ada.status.pending === 0)
  }
  if (ack === 'lost') town.wires.get(ada)?.hold('down')
  if (ack === 'made offline') town.wires.get(ada)?.unreachable(true)
  const taken = town.hub.metrics().commits
  await ada.apply(described('a', 'of ada')).saved
  if (ack !== 'made offline') await town.until('it is logged', () => town.hub.metrics().commits > taken)
  if (ack === 'heard') await town.until('it is heard', () => ada.status.pending === 0)
  else if (ada.status.pending !== 1) throw new Error('ada heard that it was taken')
  town.wires.get(ada)?.unreachable(true)
  await ada.close()
  adas = adas.crash()
  if (ack !== 'made offline') await town.until('bob has it', () => 'a' in textsOf(bob))
  town.clock.advance(1_000)
  if (since !== 'nothing') bob.apply(described('a', since === 'removed' ? null : 'of bob'))
  town.clock.advance(100 * DAY_MS)
  bob.apply(described('late', 'of bob'))
  await town.until('bob is done', () => bob.status.pending === 0)
  await town.stop()
  expect(await town.forget(90)).toBe(1)
  town.serve()
  const again = await town.open(folder === 'a copy' ? adas.noticedCopy() : adas)
  await town.until('ada is back', () => again.status.pending === 0 && again.status.state === 'live')
  again.apply(described('next', 'of ada'))
  await town.until('ada goes on', () => again.status.pending === 0)
  await town.until('bob has all', () => digestOf(bob) === digestOf(again))
  const { rejected } = again
  const outcome = { texts: textsOf(bob), conflicts: bob.conflicts().length, rejected: rejected.length }
  await Promise.all([again.close(), bob.close()])
  await town.stop()
  expect(await town.faults()).toEqual([])
  return outcome
}

test.each(stories)(
  '[4] [10] [14] forgotten with $base, its last ack $ack, $since since, $folder folder: it goes on, and nothing is lost',
  async (story) => {
    const { ack, since } = story
    const { texts, conflicts, rejected } = await played(story)
    // What it was never told to be in the log is logged again: what others had done with it since stands beside it.
    const isLoggedAgain = ack === 'lost' && since !== 'nothing'
    const isGone = since === 'removed' && !isLoggedAgain
    expect([texts['a'] ?? null, conflicts, rejected]).toEqual([
      isGone ? null : since === 'overwritten' ? 'of bob' : 'of ada',
      isLoggedAgain && since === 'overwritten' ? 1 : 0,
      0,
    ])
    expect(texts).toMatchObject({ late: 'of bob', next: 'of ada' })
    expect(Object.keys(texts)).toEqual(expect.arrayContaining(story.base === 'a base' ? ['b', 'first'] : []))
  },
)

test('[4] [14] [22] one that stands where the rebuild begins makes it itself, is told that nothing of its own is known, and goes on', async () => {
  const town = new Town().serve()
  const [ada, bob] = [await town.open(), await town.open()]
  ada.apply(described('a', 'of ada'))
  await town.until('ada is taken', () => ada.status.pending === 0)
  town.clock.advance(100 * DAY_MS)
  bob.apply(described('b', 'of bob'))
  await town.until('both have it', () => bob.status.pending === 0 && 'b' in textsOf(ada))
  await town.stop()
  ada.apply(described('c', 'of ada'))
  expect(await town.forget(90)).toBe(1)
  town.serve()
  await town.until('ada goes on', () => ada.status.pending === 0)
  await town.until('bob has all', () => digestOf(bob) === digestOf(ada))
  expect(textsOf(bob)).toEqual({ a: 'of ada', b: 'of bob', c: 'of ada' })
  expect(ada.bill.paths.rebuild?.times).toBe(1)
  expect([ada.rejected.length, bob.conflicts().length]).toEqual([0, 0])
  await Promise.all([ada.close(), bob.close()])
  await town.stop()
  expect(await town.faults()).toEqual([])
})

test('[4] whose commits came here lately is not forgotten, however old their stamps are', async () => {
  const town = new Town().serve()
  const ada = await town.open()
  await town.until('ada is there', () => ada.status.state === 'live')
  town.wires.get(ada)?.unreachable(true)
  ada.apply(described('a', 'of ada'))
  town.clock.advance(100 * DAY_MS)
  town.wires.get(ada)?.unreachable(false)
  await town.until('ada is taken', () => ada.status.pending === 0)
  await ada.close()
  await town.stop()
  expect(await town.forget(90)).toBe(0)
})

test('[4] [14] over HTTP, where everything is said at once, a forgotten replica goes on in the second exchange', async () => {
  await withFolder(async (folder) => {
    const [data, laptop] = [path.join(folder, 'hub'), path.join(folder, 'laptop')]
    const exchange = async (text: string): Promise<number> => {
      const hub = await startHub({ data, domains: [intents], port: 0 })
      const client = await openClient({ data: laptop, hub: hub.url })
      try {
        const replica = await client.open(intents, NAMESPACE, { live: false })
        await replica.apply(described(text, text)).saved
        await replica.syncOnce()
        return replica.status.pending
      } finally {
        await client.close()
        await hub.close()
      }
    }
    expect(await exchange('a')).toBe(0)
    const hubFolder = await openHubFolder(data)
    const { store } = hubFolder
    const { forgotten } = await rebuildNamespace(
      store,
      yjsCrdt.updates,
      NAMESPACE,
      systemClock,
      undefined,
      systemClock.now() + DAY_MS,
    )
    expect(forgotten).toBe(1)
    await hubFolder.close()
    expect(await exchange('b')).toBe(0)
    expect(await exchange('c')).toBe(0)
    const folderAfter = await openHubFolder(data)
    expect((await verifyNamespace(folderAfter.store, yjsCrdt.updates, NAMESPACE)).faults).toEqual([])
    await folderAfter.close()
  })
})
