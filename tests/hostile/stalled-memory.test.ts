// What a hub holds for peers that read nothing (HAZARDS G6), counted to the byte and without a network: it does not grow with
// how many they are, nor with how much is written, nor with time; and whoever reads again has everything.
import { expect, test } from 'vitest'
import { limits } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone, openHub } from '@rejoin/hub'
import { openReplica } from '@rejoin/replica'
import { MapHubStore, MapReplicaStore, VirtualClock } from '@rejoin/testkit'
import { memoryDial } from '@rejoin/transport'
import { intents } from 'rejoin'
import { Peers } from '../../packages/transport/src/server/peers.ts'
import { NAMESPACE, StalledPlainClient, StalledReplica, type StalledPeer } from './stalled-peers.ts'
import { KiB } from './world.ts'

const PEERS = 60
/** Below what a log keeps: nobody comes back by a snapshot. */
const COMMITS = 20
const TEXT_BYTES = 100 * KiB
/** One message of a commit, or of all that was there before, with what is around it. */
const MESSAGE_BYTES_MAX = TEXT_BYTES + 4 * KiB

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

async function openWorld() {
  const clock = new VirtualClock(1)
  const hub = openHub({ store: new MapHubStore(), updates: yjsCrdt.updates, domains: [intents], clock })
  const { dial } = memoryDial({ clock, accept: (channel) => void hub.accept(channel, anyone) })
  const store = new MapReplicaStore()
  const writer = await openReplica({
    domain: intents,
    namespace: NAMESPACE,
    store,
    crdt: yjsCrdt,
    clock,
    dial,
  })
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    for (let i = 0; i < 2_000 && !holds(); i++) await settle()
    if (!holds()) throw new Error(`never happened: ${what}`)
  }
  let written = 0
  const write = async (): Promise<void> => {
    const text = `${written++} `.padEnd(TEXT_BYTES, 'x')
    writer.apply({ type: 'DomainDescription', domain: `d${written % 4}`, description: text })
    await until('a commit is logged', () => writer.status.pending === 0)
    await settle()
  }
  const head = (): number => hub.status().rooms[0]?.head?.seq ?? 0
  const close = async (): Promise<void> => {
    await writer.close()
    await hub.close()
  }
  return { hub, clock, peers: new Peers(clock), write, head, until, close }
}

function heldBy(stalled: readonly StalledPeer[]): number {
  return stalled.reduce((sum, { heldBytes }) => sum + heldBytes, 0)
}

const principals = [
  ['of one principal', () => 'ada', 2 * limits.outgoingBytesMax],
  ['of a principal each', (i: number) => `user ${i}`, limits.outgoingBytesOfAllMax],
] as const

/** The most that was held while much was written, and while time passed. */
async function mostHeld(
  { clock, write }: Awaited<ReturnType<typeof openWorld>>,
  stalled: readonly StalledPeer[],
): Promise<number> {
  let most = 0
  for (let i = 0; i < COMMITS; i++) {
    await write()
    most = Math.max(most, heldBy(stalled))
  }
  for (let second = 0; second < 10; second++) {
    clock.advance(1_000)
    await settle()
    most = Math.max(most, heldBy(stalled))
  }
  return most
}

test.each(principals)('[14] sixty replicas %s that read nothing', async (_, principalOf, bytesMax) => {
  const world = await openWorld()
  await world.write()
  const stalled = Array.from({ length: PEERS }, (_each, i) => new StalledReplica(world, principalOf(i), i))
  await settle()
  const most = await mostHeld(world, stalled)
  // What was written for all of them is four times as much.
  expect(most).toBeGreaterThan(bytesMax)
  expect(most).toBeLessThan(bytesMax + PEERS * MESSAGE_BYTES_MAX)
  for (const peer of stalled) peer.read()
  await world.until('all have everything', () => stalled.every(({ cursor }) => cursor?.seq === world.head()))
  expect(world.peers.outgoingBytes).toBe(0)
  await world.close()
})

test.each(principals)(
  '[14] sixty plain Yjs clients %s that read nothing',
  async (_, principalOf, bytesMax) => {
    const world = await openWorld()
    await world.write()
    const stalled = Array.from({ length: PEERS }, (_each, i) => new StalledPlainClient(world, principalOf(i)))
    await settle()
    const most = await mostHeld(world, stalled)
    expect(most).toBeGreaterThan(bytesMax)
    expect(most).toBeLessThan(bytesMax + PEERS * MESSAGE_BYTES_MAX)
    for (const peer of stalled) peer.read()
    await world.until('all have everything', () => stalled.every(({ updates }) => hasLast(updates)))
    expect(world.peers.outgoingBytes).toBe(0)
    await world.close()
  },
)

function hasLast(updates: readonly Uint8Array[]): boolean {
  return updates.some((update) => Buffer.from(update).includes(`${COMMITS} xxx`))
}
