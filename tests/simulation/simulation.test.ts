// Histories of the real engines in simulated worlds, half of them the same each time, half of them new, on all cores: whatever
// breaks, every rule of docs/SPEC.md that can be seen from outside holds at every step and at rest. What fails is told with its
// seed and a shortened story; `npm run simulate` goes on for as long as it is asked to.
import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { figuresText } from './figures.ts'
import { runHistories } from './run.ts'
import { playHistory } from './history.ts'
import { keptHistories, knownDefects, seedsFrom } from './kept.ts'
import { failureText, shrunk } from './shrinking.ts'

const HISTORIES = Number(process.env['REJOIN_HISTORIES'] ?? 10_000)
/** As many as fit into it: how many there were is told. */
const TIME_MS_MAX = Number(process.env['REJOIN_SIMULATION_MS'] ?? 40_000)
const HISTORIES_MIN = 50

test.each(keptHistories)('a history that has found something once: $why', async ({ drawn, breaks }) => {
  const { findings } = await playHistory(drawn)
  // What is mended: take its `breaks` out of seeds.json, and the defect out of `knownDefects`.
  expect(findings[0]?.rule ?? null).toBe(breaks)
})

test('each known defect has a kept history', () => {
  const broken = keptHistories.flatMap(({ breaks }) => (breaks === null ? [] : [breaks]))
  expect(new Set(broken)).toEqual(new Set(knownDefects.map(({ rule }) => rule)))
})

test(
  '[1] [2] [3] [4] [5] [6] [8] [9] [10] [11] [12] [13] [14] [19] [20] [21] [23] [25] [26] thousands of histories break no rule',
  async () => {
    const fresh = randomInt(2 ** 31)
    const report = await runHistories({
      seeds: halfAndHalf(fresh),
      signal: AbortSignal.timeout(TIME_MS_MAX),
      failuresMax: 1,
    })
    console.log(`new seeds from ${fresh}\n${figuresText(report.figures, report.elapsedMs)}`)
    if (report.known.length > 0)
      console.log(`by known defects failed: ${report.known.map(({ seed }) => seed).join(', ')}`)
    for (const failed of report.failed) {
      console.log(`seed ${failed.seed} fails; looking for a shorter history`)
      expect.fail(failureText(failed, await shrunk(failed)))
    }
    const { histories, faults } = report.figures
    expect(histories).toBeGreaterThanOrEqual(Math.min(HISTORIES, HISTORIES_MIN))
    // A kind of fault that never strikes proves nothing.
    expect(expectedFaults.filter((fault) => (faults[fault] ?? 0) === 0)).toEqual([])
  },
  TIME_MS_MAX + 120_000,
)

const expectedFaults = ['kill', 'power cut', 'power cut that lost something']
  .flatMap((fault) => [`replica ${fault}`, `hub ${fault}`])
  .concat([
    'partition both',
    'partition up',
    'partition down',
    'cut heard by both',
    'cut heard by replica',
    'cut heard by hub',
    'late rest',
    'late again',
    'exchange lost up',
    'exchange lost down',
    'exchange twice up',
    'disk slow',
    'disk stalls',
    'disk fails',
    'disk unsure',
    'disk full',
    'hub disk slow',
    'hub disk stalls',
    'hub disk fails',
    'hub disk unsure',
    'hub disk full',
    'clock jumps',
    'clock stands',
    'hubClock jumps',
    'rebuild by hub',
    'rebuild by another',
    'hub restored by the book',
    'hub restored without a word',
    'refusal by schema',
    'refusal by auth',
    'folder copied',
    'replica restored',
    'namespace deleted',
  ])

/** The same ones each time, and new ones, in turns. */
function* halfAndHalf(fresh: number): Iterable<number> {
  const [fixed, later] = [seedsFrom(1)[Symbol.iterator](), seedsFrom(fresh)[Symbol.iterator]()]
  for (let i = 0; i < HISTORIES; i++) yield (i % 2 === 0 ? fixed : later).next().value as number
}
