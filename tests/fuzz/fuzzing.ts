/** Runs a target's batches in a process of its own, and watches it: one that dies or stands still is named by its input. */
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { bundled } from '../support/bundle.ts'
import { startScript } from '../support/script.ts'
import type { StrikeArguments, StrikeFault, StrikeFigures } from './strike.ts'
import type { Target } from './target.ts'

/** Milliseconds in which a process comes from one input to the next, however busy the machine is. */
const STILL_MS_MAX = 30_000
const LOOK_MS = 500
/** Of the heap: an input that needs more by itself is one that a stranger kills a hub with. */
const HEAP_MiB = 256

/** One batch for each seed. @throws Error that names the target, the seed of the batch, the input and how to run it again. */
export async function strikeAt(target: Target, seeds: readonly number[]): Promise<StrikeFigures> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-fuzz-'))
  const placeFile = path.join(folder, 'place')
  const given: StrikeArguments = { target: target.name, seeds, placeFile }
  const lines: string[] = []
  const script = await bundled(path.join(import.meta.dirname, 'strike.ts'))
  const running = startScript(script, [JSON.stringify(given)], {
    // Room for what is new, so that little work goes into collecting it.
    flags: ['--expose-gc', `--max-old-space-size=${HEAP_MiB}`, '--max-semi-space-size=32'],
    onLine: (line) => lines.push(line),
  })
  const watching = watch(placeFile, () => void running.stop('SIGKILL'))
  const code = await running.ended
  const isStill = watching.end()
  const place = placeIn(placeFile)
  await rm(folder, { recursive: true, force: true })
  const done = lines.find((line) => line.startsWith('done '))
  if (done !== undefined) return JSON.parse(done.slice('done '.length)) as StrikeFigures
  const failed = lines.find((line) => line.startsWith('failed '))
  if (failed !== undefined) throw named(target, JSON.parse(failed.slice('failed '.length)) as StrikeFault)
  const why = isStill ? `stood still for ${STILL_MS_MAX} ms` : `ended with ${code}: ${running.stderr()}`
  throw named(target, { ...place, shown: '', why })
}

function named({ name }: Target, { seed, input, shown, why }: StrikeFault): Error {
  const again = `npm run fuzz -- --target ${name} --seed ${seed} --batches 1`
  return new Error(`${name}, input ${input} of seed ${seed}: ${why}\n${shown}\nrun it again: ${again}`)
}

/** Calls `onStill` where the place does not change for too long. */
function watch(placeFile: string, onStill: () => void): { end(): boolean } {
  let last = placeIn(placeFile)
  let [stillMs, isStill] = [0, false]
  const timer = setInterval(() => {
    const place = placeIn(placeFile)
    stillMs = place.seed === last.seed && place.input === last.input ? stillMs + LOOK_MS : 0
    last = place
    if (stillMs < STILL_MS_MAX) return
    isStill = true
    onStill()
  }, LOOK_MS)
  return {
    end: () => {
      clearInterval(timer)
      return isStill
    },
  }
}

function placeIn(placeFile: string): { readonly seed: number; readonly input: number } {
  if (!existsSync(placeFile)) return { seed: 0, input: 0 }
  const bytes = readFileSync(placeFile)
  return bytes.length < 16
    ? { seed: 0, input: 0 }
    : { seed: bytes.readDoubleBE(0), input: bytes.readDoubleBE(8) }
}

export function figuresText(name: string, { inputs, ended, growthBytes, slowestMs }: StrikeFigures): string {
  const counts = Object.entries(ended).toSorted(([, a], [, b]) => b - a)
  const told = counts.map(([how, count]) => `${how} ${count}`).join(', ')
  const heap = `${(growthBytes / 2 ** 20).toFixed(1)} MiB more heap`
  return `${name}: ${inputs} inputs, slowest ${slowestMs.toFixed(0)} ms, ${heap}; ${told}`
}
