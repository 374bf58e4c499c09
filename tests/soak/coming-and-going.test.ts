// The soak of clients that come and go, in a form that fits: so many acts, not so much time. `npm run soak -- --clients 200
// --minutes 10` is the long one.
import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { withFolder } from '../support/command.ts'
import { Seeded } from '../support/seeded.ts'
import { comeAndGo, crowdText } from './coming-and-going.ts'

const seed = randomInt(2 ** 31)
const MiB = 2 ** 20

test('[1] [3] [4] [5] [14] clients that come and go, and are killed, converge; nothing is missing, nothing is twice', async () => {
  await withFolder(async (folder) => {
    const figures = await comeAndGo({
      folder,
      clients: 20,
      random: new Seeded(seed),
      acts: 12,
      pauseMsMax: 20,
      isOver: () => false,
      say: () => {},
    }).catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error })
    })
    console.log(`seed ${seed}: ${crowdText(figures)}`)
    expect(figures.kills).toBe(2)
    expect(figures.acked).toBeGreaterThan(40)
    const [before, ...later] = figures.memory.map(({ heap }) => heap)
    expect(Math.max(...later) - (before ?? 0)).toBeLessThan(64 * MiB)
  })
}, 180_000)
