// A power cut, simulated: what was never synced is gone, what was answered is there. `npm run soak` cuts more often.
import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { withFolder } from '../../support/command.ts'
import { Seeded } from '../../support/seeded.ts'
import { countsText, type History } from '../counts.ts'
import { cutHub, cutLevel, cutReplica, type CutCounts } from './trials.ts'
import { withoutWitness } from './witness.ts'

const seed = randomInt(2 ** 31)
const without = await withoutWitness()
if (without !== null) console.log(`the simulated power cuts are left out: ${without}`)

test.runIf(without === null)('the harness shows what LevelDB loses when it does not sync', async () => {
  await withFolder(async (folder) => {
    const random = new Seeded(seed)
    const unsynced = await cutLevel(random, folder, 'unsynced')
    const synced = await cutLevel(random, folder, 'synced')
    console.log(`LevelDB alone, seed ${seed}:`, { unsynced, synced })
    expect(unsynced.lost).toBeGreaterThan(0)
    expect(synced.lost).toBe(0)
  })
})

test.runIf(without === null)(
  '[3] [5] a hub whose power was cut has every acknowledged commit, once',
  async () => {
    await checkCut('hub', cutHub)
  },
  120_000,
)

test.runIf(without === null)(
  '[4] a replica whose power was cut has every saved commit',
  async () => {
    await checkCut('replica', cutReplica)
  },
  120_000,
)

async function checkCut(
  victim: string,
  cut: (random: Seeded, history: History) => Promise<CutCounts>,
): Promise<void> {
  await withFolder(async (folder) => {
    const history = { folder, faults: 4, isOver: () => false }
    const counts = await cut(new Seeded(seed), history).catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error })
    })
    console.log(`${victim} cut with seed ${seed}: ${countsText(counts)};`, counts.cut)
    expect(counts.faults).toBe(4)
    expect(counts.saved).toBeGreaterThan(0)
  })
}
