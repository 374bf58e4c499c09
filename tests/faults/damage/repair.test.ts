// Damage at two places at once, in every kind of value of a hub and of a replica: told, kept aside, repaired, and made whole by
// who has it.
import { randomInt } from 'node:crypto'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { Seeded } from '../../support/seeded.ts'
import { hows, pairsOf, targetsOf, tryRepair, type Strike } from './repair-trials.ts'
import { layouts, makeRepairWorld, type RepairWorld } from './repair-world.ts'
import { makeWaiting, replicaTargets, tryReplicaRepair } from './replica-trials.ts'

/** Of the pairs of each log, and of the replica, drawn from the seed; every one of them is a few minutes: `REPAIR_PAIRS=100000`. */
const pairs = Number(process.env['REPAIR_PAIRS'] ?? 3)
const seed = Number(process.env['REJOIN_SEED'] ?? randomInt(2 ** 31))
let folder: string
let world: RepairWorld

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rejoin-test-'))
  world = await makeRepairWorld(folder)
})

afterAll(() => rm(folder, { recursive: true, force: true }))

test.for(layouts)(
  '[3] [13] a log that is %s is repaired whatever two of its values are damaged, and a replica makes it whole',
  { timeout: 300_000 },
  async (layout) => {
    const targets = await targetsOf(world.hub, layout)
    const struck = pairsOf([...targets, 'hub!store'])
    const wrong: string[] = []
    // All of it at once as well: then nothing is left that could be read.
    const everything = hows.map((how) => targets.map((key): Strike => ({ key, how })))
    for (const strikes of [...everything, ...drawn(struck, layout)])
      wrong.push(...(await tryRepair(world, layout, strikes, folder)))
    expect(wrong, `seed ${seed}`).toEqual([])
  },
)

test('[3] what a repair takes below a floor that nobody knew is saved, whatever it says', async () => {
  const first = 'hub!record!covered!00000000000001'
  const third = 'hub!record!covered!00000000000003'
  const state: Strike = { key: 'hub!state!covered', how: 'flipped' }
  const wrong: string[] = []
  for (const strikes of [
    // It says that the one before it is the one that it is.
    [state, { key: first, how: 'replaced' } as const],
    // Those before it can be read.
    [state, { key: third, how: 'flipped' } as const],
    [{ key: third, how: 'lost' } as const],
  ])
    wrong.push(...(await tryRepair(world, 'covered', strikes, folder)))
  expect(wrong).toEqual([])
})

test(
  '[4] a replica is repaired whatever two of its values are damaged, and every commit that can be read is pushed',
  { timeout: 300_000 },
  async () => {
    const whole = path.join(folder, 'waiting')
    await makeWaiting(world, whole)
    const targets = await replicaTargets(whole)
    const meta = targets.find((key) => key.startsWith('replica!meta!')) ?? ''
    const wrong: string[] = []
    const everything = hows.map((how) => targets.map((key): Strike => ({ key, how })))
    const fixed = [...everything, ...hows.map((how): Strike[] => [{ key: meta, how }])]
    for (const strikes of [...fixed, ...drawn(pairsOf(targets), 'replica')])
      wrong.push(...(await tryReplicaRepair(world, whole, strikes, folder)))
    expect(wrong, `seed ${seed}`).toEqual([])
  },
)

function drawn(struck: readonly (readonly Strike[])[], what: string): readonly (readonly Strike[])[] {
  const random = new Seeded(seed)
  const picked = struck.length <= pairs ? struck : Array.from({ length: pairs }, () => random.pick(struck))
  console.log(`${what}: ${picked.length} of ${struck.length} pairs of damages, seed ${seed}`)
  return picked
}
