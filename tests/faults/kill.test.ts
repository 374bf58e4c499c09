// Real processes, a real disk, and `kill -9` at moments drawn from a seed, in a form that fits; `npm run soak` goes on for longer.
import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { withFolder } from '../support/command.ts'
import { Seeded } from '../support/seeded.ts'
import { countsText, type FaultCounts, type History } from './counts.ts'
import { killHub } from './hub-kills.ts'
import { killReplica } from './replica-kills.ts'

const seed = randomInt(2 ** 31)

test('[1] [3] [5] a hub killed at random moments opens, has every acknowledged commit once, and its replicas converge', async () => {
  await checkKilled('hub', killHub)
}, 120_000)

test('[1] [4] [5] a replica killed at random moments opens, has every saved commit, and sends each once', async () => {
  await checkKilled('replica', killReplica)
}, 120_000)

async function checkKilled(
  victim: string,
  kill: (random: Seeded, history: History) => Promise<FaultCounts>,
): Promise<void> {
  await withFolder(async (folder) => {
    const counts = await kill(new Seeded(seed), { folder, faults: 10, isOver: () => false }).catch(
      (error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error })
      },
    )
    console.log(`${victim} killed with seed ${seed}: ${countsText(counts)}`)
    expect(counts.faults).toBe(10)
    expect(counts.saved).toBeGreaterThan(10)
  })
}
