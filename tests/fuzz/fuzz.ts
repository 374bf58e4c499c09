/**
 * `npm run fuzz -- [--minutes 10] [--seed N] [--target NAME] [--batches N]`: strange inputs of one target after the other, kept
 * seeds first, until the time is over or so many batches of each are done. Exit codes: 0 nothing found, 1 something was (it
 * says what, and how to run it again: keep that seed in `seeds.json`), 2 a wrong command line.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { figuresText, strikeAt } from './fuzzing.ts'
import { keptSeeds } from './kept-seeds.ts'
import { targetNamed, targets } from './targets/all.ts'

const usage = `usage: npm run fuzz -- [--minutes 10] [--seed N] [--target ${targets.map(({ name }) => name).join('|')}] [--batches N]`
/** Of one target, before the next one has its turn. */
const BATCHES = 20

process.exitCode = await main()

async function main(): Promise<number> {
  const asked = readArgs()
  if (asked === 'help') {
    console.log(usage)
    return 0
  }
  if (typeof asked === 'string') {
    console.error(`${asked}\n${usage}`)
    return 2
  }
  const startedAt = performance.now()
  const isOver = (): boolean => performance.now() - startedAt >= asked.minutes * 60_000
  let inputs = 0
  try {
    if (asked.batches === null) {
      for (const { name } of asked.targets) inputs += await runTarget(name, keptSeeds(name))
    }
    for (let round = 0; round === 0 || (asked.batches === null && !isOver()); round++) {
      for (const { name } of asked.targets) {
        const first = asked.seed + round * BATCHES
        inputs += await runTarget(
          name,
          Array.from({ length: asked.batches ?? BATCHES }, (_, i) => first + i),
        )
      }
    }
    console.log(`${inputs} inputs, nothing found`)
    return 0
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return 1
  }
}

/** @returns how many inputs it had. */
async function runTarget(name: string, seeds: readonly number[]): Promise<number> {
  if (seeds.length === 0) return 0
  const figures = await strikeAt(targetNamed(name), seeds)
  console.error(`seeds from ${seeds[0]}: ${figuresText(name, figures)}`)
  return figures.inputs
}

interface Asked {
  readonly minutes: number
  readonly seed: number
  readonly targets: typeof targets
  /** Null: as many as there is time for. */
  readonly batches: number | null
}

/** @returns what was asked, `help`, or what is wrong with it. */
function readArgs(): Asked | string {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string' },
        seed: { type: 'string' },
        target: { type: 'string' },
        batches: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    if (values.help === true) return 'help'
    const minutes = Number(values.minutes ?? 10)
    const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
    const batches = values.batches === undefined ? null : Number(values.batches)
    if (!(minutes > 0)) return '--minutes is a number above 0'
    if (!Number.isInteger(seed) || seed < 0) return '--seed is a whole number from 0'
    if (batches !== null && !(Number.isInteger(batches) && batches > 0))
      return '--batches is a whole number from 1'
    return {
      minutes,
      seed,
      batches,
      targets: values.target === undefined ? targets : [targetNamed(values.target)],
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
