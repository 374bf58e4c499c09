// A document stays as small as what is alive, whoever writes it: counted in bytes.
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { defaultRebuildPolicy } from '../../packages/hub/src/rebuild-policy.ts'
import { expect, test } from 'vitest'
import { turn } from '../support/stepped-time.ts'
import { World, type Member } from './world.ts'

const KEYS = 60
/** Every bound on bytes an eighth of what it is by default, so that a minute of work becomes seconds. */
const bytesMin = defaultRebuildPolicy.bytesMin / 8

/** Somebody who comes back with nothing, under a fresh client id, and overwrites one item. */
async function comeBack(world: World, seat: number, turnNumber: number): Promise<void> {
  world.step()
  const member = await world.newMember()
  await world.sync(member)
  const item = `item-${(turnNumber * 7) % KEYS}`
  world.apply(member, { type: 'ItemSet', list: 'a', item, text: `${seat} in turn ${turnNumber}` })
  await world.sync(member)
  member.cut()
  await turn()
}

const sizeOf = ({ replica }: Member): number => replica.encode().length
const liveSizeOf = ({ replica }: Member): number =>
  yjsCrdt.updates.rebuild([replica.encode()]).snapshot.length
const bytesDownOf = ({ channel }: Member): number => channel?.bill.bytesDown ?? 0

test.each([2, 100])(
  '[1] [22] [23] %i writers that take turns and keep coming back: within five times its live size, and nothing to download for it',
  async (writers) => {
    const world = await World.of(1, {
      replicas: 2,
      checkpoint: { bytesMin },
      rebuild: { ...defaultRebuildPolicy, bytesMin },
    })
    const [watcher, other] = [world.at(0), world.at(1)]
    world.apply(watcher, { type: 'ListAdded', id: 'a', title: 'shared' })
    for (let key = 0; key < KEYS; key++)
      world.apply(watcher, { type: 'ItemSet', list: 'a', item: `item-${key}`, text: `to begin with ${key}` })
    for (const { replica } of world.members) replica.connect()
    await world.settleLive()
    const seen = { worst: 0, best: Infinity, downMax: 0 }
    for (let i = 0; i < 900; i++) {
      const before = bytesDownOf(watcher)
      await comeBack(world, i % writers, i)
      const { length } = watcher.replica.encode()
      seen.worst = Math.max(seen.worst, length / liveSizeOf(watcher))
      if (i > 100) seen.best = Math.min(seen.best, length / liveSizeOf(watcher))
      seen.downMax = Math.max(seen.downMax, bytesDownOf(watcher) - before)
    }
    const { rebuilds, rebuildFailures } = world.hub.metrics()
    if (process.env['REPORT'] !== undefined)
      console.log({ writers, rebuilds, live: liveSizeOf(watcher), ...seen })
    expect(rebuildFailures).toBe(0)
    expect(rebuilds).toBeGreaterThan(1)
    expect(seen.worst).toBeLessThan(5)
    expect(seen.best).toBeLessThan(1.3)
    // In each turn one commit came down; in some of them also the record of a rebuild.
    expect(seen.downMax).toBeLessThan(600)
    expect(sizeOf(other)).toBe(sizeOf(watcher))
    expect(watcher.replica.status).toMatchObject({ state: 'live', divergence: null, lastError: null })
  },
  300_000,
)

test('[23] writers that stay leave nothing behind that a rebuild would be worth', async () => {
  const world = await World.of(1, { replicas: 2, checkpoint: { bytesMin } })
  world.apply(world.at(0), { type: 'ListAdded', id: 'a', title: 'shared' })
  for (const { replica } of world.members) replica.connect()
  await world.settleLive()
  for (let i = 0; i < 2_000; i++) {
    world.step()
    world.apply(world.at(i), {
      type: 'ItemSet',
      list: 'a',
      item: `item-${(i * 7) % KEYS}`,
      text: `turn ${i}`,
    })
    await turn()
  }
  await world.settleLive()
  expect(world.hub.metrics()).toMatchObject({ rebuilds: 0 })
  expect(sizeOf(world.at(0))).toBeLessThan(1.3 * liveSizeOf(world.at(0)))
})
