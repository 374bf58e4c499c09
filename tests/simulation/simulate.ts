/**
 * `npm run simulate -- [--minutes 10] [--histories N] [--steps 200] [--seed N] [--threads N] [--json]`: histories from new
 * seeds on all cores, after those that are kept, until the time is over or so many were played. `--seed N` alone plays that one and tells it step by step. Exit codes: 0
 * nothing found, 1 something was (told with its seed and a shortened story: keep that seed in `seeds.json`), 2 a wrong command line.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { figuresText, type Figures } from './figures.ts'
import { playHistory, runHistory, type HistoryResult } from './history.ts'
import { runHistories } from './run.ts'
import { keptHistories, keptText, knownDefects, seedsFrom } from './kept.ts'
import { drawHistory } from './draw.ts'
import { failureText, shrunk } from './shrinking.ts'

const usage =
  'usage: npm run simulate -- [--minutes 10] [--histories N] [--steps 200] [--seed N] [--threads N] [--json]'
const PROGRESS_EVERY_MS = 10_000

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
  return asked.alone === null ? runMany(asked) : runOne(asked.alone, asked)
}

async function runOne(seed: number, { steps, json }: Asked): Promise<number> {
  const result = await runHistory(seed, { steps })
  if (json) console.log(JSON.stringify(result))
  else {
    console.log(`seed ${seed} (${result.theme}), trace ${result.traceHash}`)
    for (const [i, line] of result.lines.entries()) console.log(`  ${i + 1}. ${line}`)
    if (result.findings.length === 0) console.log('nothing found')
  }
  if (result.findings.length === 0) return 0
  if (!json) await tellFailure(result, steps)
  return 1
}

async function runMany({ minutes, histories, steps, threads, json }: Asked): Promise<number> {
  const first = randomInt(2 ** 31)
  const over = new AbortController()
  const end = (): void => over.abort()
  const timer = histories === null ? setTimeout(end, minutes * 60_000) : null
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  if (!json) console.error(`${keptHistories.length} kept histories, then seeds from ${first}`)
  const relapses: string[] = []
  for (const { why, breaks, drawn } of keptHistories) {
    const { findings } = await playHistory(drawn)
    const broken = findings[0]?.rule ?? null
    if (broken !== breaks)
      relapses.push(
        `kept history ${drawn.seed} breaks ${broken ?? 'nothing'}, not ${breaks ?? 'nothing'}: ${why}`,
      )
  }
  let toldAt = performance.now()
  const tell = (figures: Figures): void => {
    if (!process.stderr.isTTY || performance.now() - toldAt < PROGRESS_EVERY_MS) return
    toldAt = performance.now()
    console.error(`${figures.histories} histories, ${figures.steps} steps`)
  }
  const report = await runHistories({
    seeds: seedsFrom(first, histories ?? Infinity),
    steps,
    ...(threads === null ? {} : { threads }),
    signal: over.signal,
    onProgress: tell,
  })
  if (timer !== null) clearTimeout(timer)
  const { figures, failed, known, elapsedMs } = report
  if (json)
    console.log(
      JSON.stringify({
        first,
        elapsedMs,
        ...figures,
        relapses,
        failed,
        known: known.map(({ seed }) => seed),
      }),
    )
  else {
    console.log(figuresText(figures, elapsedMs))
    for (const relapse of relapses) console.error(relapse)
    if (known.length > 0)
      console.error(
        `${known.length} failed by ${knownDefects.length} known defects: ${known.map(({ seed }) => seed).join(', ')}`,
      )
    for (const result of failed) await tellFailure(result, steps)
  }
  return failed.length === 0 && relapses.length === 0 ? 0 : 1
}

async function tellFailure(result: HistoryResult, steps: number): Promise<void> {
  // What replays it is told before a shorter one is looked for.
  console.error(`seed ${result.seed} fails; looking for a shorter history`)
  const shorter = await shrunk(result, { steps })
  console.error(failureText(result, shorter))
  console.error(`for seeds.json: ${keptText(drawHistory(result.seed, steps), result, shorter)}`)
}

interface Asked {
  readonly minutes: number
  /** Null: as many as there is time for. */
  readonly histories: number | null
  readonly steps: number
  /** This one only, step by step; null: many. */
  readonly alone: number | null
  readonly threads: number | null
  readonly json: boolean
}

/** @returns what was asked, `help`, or what is wrong with it. */
function readArgs(): Asked | string {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string' },
        histories: { type: 'string' },
        steps: { type: 'string' },
        seed: { type: 'string' },
        threads: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    if (values.help === true) return 'help'
    const minutes = Number(values.minutes ?? 10)
    if (!(minutes > 0)) return '--minutes is a number above 0'
    const wholes = { histories: values.histories, steps: values.steps, threads: values.threads }
    for (const [name, value] of Object.entries(wholes)) {
      if (value !== undefined && !(Number.isInteger(Number(value)) && Number(value) > 0))
        return `--${name} is a whole number from 1`
    }
    const alone = values.seed === undefined ? null : Number(values.seed)
    if (alone !== null && !(Number.isInteger(alone) && alone >= 0)) return '--seed is a whole number from 0'
    return {
      minutes,
      histories: numberOf(values.histories),
      steps: numberOf(values.steps) ?? 200,
      alone,
      threads: numberOf(values.threads),
      json: values.json === true,
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function numberOf(value: string | undefined): number | null {
  return value === undefined ? null : Number(value)
}
