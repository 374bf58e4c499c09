/**
 * Batches of one target in a process of its own, run with `--expose-gc` and little memory. Arguments: a JSON object,
 * `StrikeArguments`. Before each input it writes its place into a file, so that whoever watches can name what a process died
 * or hung of. Prints `done` and what it did, or `failed` and what was wrong, as JSON.
 */
import { inspect } from 'node:util'
import { Seeded } from '../support/seeded.ts'
import type { Target } from './target.ts'
import { targetNamed } from './targets/all.ts'
import { Place, Watch } from './watch.ts'

export interface StrikeArguments {
  readonly target: string
  /** One batch each. */
  readonly seeds: readonly number[]
  readonly placeFile: string
}

export interface StrikeFigures {
  readonly inputs: number
  /** How inputs ended, by a word. */
  readonly ended: Readonly<Record<string, number>>
  /** Heap that is held more than after the first batch. */
  readonly growthBytes: number
  /** Milliseconds of work of the slowest input; of a batch that was run again, the last time. */
  readonly slowestMs: number
}

export interface StrikeFault {
  readonly seed: number
  readonly input: number
  readonly shown: string
  readonly why: string
}

/** An input that seems to hang is run again with its batch: what only others at work made slow is not the input's. */
const AGAIN_MAX = 5

if (process.argv[1] === import.meta.filename)
  await main(JSON.parse(process.argv[2] ?? '{}') as StrikeArguments)

async function main({ target: name, seeds, placeFile }: StrikeArguments): Promise<void> {
  process.stdin.resume().on('end', () => process.exit(1))
  const target = targetNamed(name)
  const place = new Place(placeFile)
  const ended = new Map<string, number>()
  let [inputs, slowestMs, heapBytes] = [0, 0, 0]
  const failed = (seed: number, watch: Watch, why: string, input = watch.input): never => {
    const fault: StrikeFault = { seed, input, shown: watch.shown(input), why }
    console.log(`failed ${JSON.stringify(fault)}`)
    process.exit(1)
  }
  for (const [batch, seed] of seeds.entries()) {
    const watch = new Watch(place, seed, ended, 'clock')
    await runBatch(target, seed, watch).catch((error: unknown) => failed(seed, watch, inspect(error)))
    let slow = watch.slow
    for (let again = 0; slow.size > 0 && again < AGAIN_MAX; again++) {
      const repeated = new Watch(place, seed, new Map(), 'processor')
      await runBatch(target, seed, repeated).catch((error: unknown) => failed(seed, repeated, inspect(error)))
      slow = new Map([...slow].filter(([input]) => repeated.slow.has(input)))
      if (slow.size === 0) slowestMs = Math.max(slowestMs, repeated.slowestMs)
    }
    for (const [input, ms] of slow)
      failed(seed, watch, `took ${ms.toFixed(0)} ms, ${AGAIN_MAX} times again`, input)
    inputs += watch.input
    if (watch.slow.size === 0) slowestMs = Math.max(slowestMs, watch.slowestMs)
    if (batch === 0) heapBytes = await heldBytes()
  }
  const growthBytes = (await heldBytes()) - heapBytes
  const figures: StrikeFigures = { inputs, ended: Object.fromEntries(ended), growthBytes, slowestMs }
  if (growthBytes > target.growthBytesMax) {
    const fault: StrikeFault = {
      seed: seeds[0] ?? 0,
      input: inputs,
      shown: '',
      why: `holds ${growthBytes} bytes more`,
    }
    console.log(`failed ${JSON.stringify(fault)}`)
    process.exit(1)
  }
  console.log(`done ${JSON.stringify(figures)}`)
  process.exit(0)
}

async function runBatch(target: Target, seed: number, watch: Watch): Promise<void> {
  await target.run(new Seeded(seed), watch)
}

/** After garbage collection, what lies outside of the heap too. */
async function heldBytes(): Promise<number> {
  for (let turn = 0; turn < 4; turn++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
