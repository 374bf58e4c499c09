// 100,000 strange inputs and 100,000 honest ones, drawn from new seeds beside those that are kept. Whatever is strange is refused
// with a code, or harmless; no input crashes a process, takes longer than 100 ms, leaves memory behind, or disturbs anybody else.
// `npm run fuzz -- --minutes 60` goes on for longer; what it finds is kept in `seeds.json`.
import { randomInt } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { figuresText, strikeAt } from './fuzzing.ts'
import { keptSeeds, keptTargets } from './kept-seeds.ts'
import { targetNamed, targets } from './targets/all.ts'

const seed = randomInt(2 ** 31)
const minutes = 60_000

/** New batches of each; its kept ones come first. */
const strange: Readonly<Record<string, number>> = {
  codec: 11,
  frames: 5,
  requests: 3,
  updates: 9,
  admission: 10,
  plain: 3,
}

test('every target has a kept seed, and every kept seed a target', () => {
  expect([...keptTargets].toSorted()).toEqual(targets.map(({ name }) => name).toSorted())
})

describe.concurrent('as many as a day of strangers', () => {
  test(
    '[11] [12] [14] 100,000 strange inputs are refused, or harmless, and disturb nobody',
    async () => {
      let inputs = 0
      for (const [name, batches] of Object.entries(strange)) inputs += await runTarget(name, batches)
      expect(inputs).toBeGreaterThanOrEqual(100_000)
    },
    10 * minutes,
  )

  test(
    '[1] [5] 100,000 honest commits are admitted, each once, and read by everybody',
    async () => {
      expect(await runTarget('honest', 49)).toBeGreaterThanOrEqual(100_000)
    },
    10 * minutes,
  )
})

/** @returns how many inputs it had. */
async function runTarget(name: string, batches: number): Promise<number> {
  const fresh = Array.from({ length: batches }, (_, i) => seed + i)
  const figures = await strikeAt(targetNamed(name), [...keptSeeds(name), ...fresh])
  console.log(`seeds from ${seed}: ${figuresText(name, figures)}`)
  return figures.inputs
}
