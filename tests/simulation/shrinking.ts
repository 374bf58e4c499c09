/** The shortest history that is found to break the same rule: steps are left out, many at first, as long as it still does. */
import type { SimulatedStep } from 'rejoin/testing'
import { drawHistory, type DrawnHistory } from './draw.ts'
import { playHistory, type HistoryOptions, type HistoryResult } from './history.ts'

const TRIES_MAX = 400

export interface Shrunk {
  readonly result: HistoryResult
  readonly steps: readonly SimulatedStep[]
  readonly tries: number
}

/** @param failed the result of the whole history. */
export async function shrunk(
  failed: HistoryResult,
  options: HistoryOptions = {},
  triesMax = TRIES_MAX,
): Promise<Shrunk> {
  const drawn = drawHistory(failed.seed, options.steps)
  const rule = failed.findings[0]?.rule
  let best: { readonly result: HistoryResult; readonly steps: readonly SimulatedStep[] } = {
    result: failed,
    steps: drawn.steps.slice(0, failed.taken),
  }
  let tries = 0
  for (let size = Math.ceil(best.steps.length / 2); size > 0 && tries < triesMax;) {
    let isShorter = false
    for (let at = Math.max(0, best.steps.length - size); tries < triesMax; at -= size) {
      const steps = best.steps.toSpliced(Math.max(0, at), Math.min(size, at + size))
      tries++
      const result = await playHistory({ ...drawn, steps } satisfies DrawnHistory, options)
      if (result.findings[0]?.rule === rule) {
        best = { result, steps: steps.slice(0, result.taken) }
        isShorter = true
      }
      if (at <= 0) break
    }
    if (!isShorter || size > best.steps.length) size = Math.min(Math.floor(size / 2), best.steps.length)
  }
  return { ...best, tries }
}

/** Everything that somebody needs who sees it fail. */
export function failureText(failed: HistoryResult, { result, tries }: Shrunk): string {
  return [
    `seed ${failed.seed} (${failed.theme}) breaks rules of docs/SPEC.md:`,
    ...result.findings.map(({ rule, what }) => `  [${rule}] ${what}`),
    `by ${result.lines.length} of its ${failed.taken} steps (${tries} shorter histories were tried):`,
    ...result.lines.map((line, i) => `  ${i + 1}. ${line}`),
    `replay it: npm run simulate -- --seed ${failed.seed}; keep it: tests/simulation/seeds.json`,
  ].join('\n')
}
