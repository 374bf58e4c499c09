// One seed replays everything: the same trace, record by record, whoever else ran before and however often (invariant 15).
import { expect, test } from 'vitest'
import type { HistoryEvent } from 'rejoin/testing'
import { drawHistory, type Theme } from './draw.ts'
import { playHistory, runHistory } from './history.ts'

const seeds = Array.from({ length: 12 }, (_, i) => 100 + i)

test('[15] the same seed gives the same trace, and another seed another', async () => {
  const first: string[] = []
  for (const seed of seeds) first.push((await runHistory(seed)).traceHash)
  const again: string[] = []
  for (const seed of seeds.toReversed()) again.unshift((await runHistory(seed)).traceHash)
  expect(again).toEqual(first)
  expect(new Set(first).size).toBe(seeds.length)
})

test('[15] who listens changes nothing, and hears the same each time', async () => {
  const heard = async (): Promise<{ events: readonly HistoryEvent[]; traceHash: string }> => {
    const events: HistoryEvent[] = []
    const { traceHash } = await runHistory(7, { onEvent: (event) => events.push(event) })
    return { events, traceHash }
  }
  const first = await heard()
  expect(await heard()).toEqual(first)
  expect((await runHistory(7)).traceHash).toBe(first.traceHash)
  expect(first.events.map(({ index }) => index)).toEqual(first.events.map((_, i) => i))
})

test('[15] a step that is left out changes no draw of the others', async () => {
  const drawn = drawHistory(5)
  const whole = await playHistory(drawn)
  const without = await playHistory({ ...drawn, steps: drawn.steps.slice(0, 150) })
  expect(without.lines).toEqual(whole.lines.slice(0, 150))
})

test('every theme is drawn, and none is rare', () => {
  const themes = new Map<Theme, number>()
  for (let seed = 0; seed < 1_000; seed++) {
    const { theme } = drawHistory(seed, 1).shape
    themes.set(theme, (themes.get(theme) ?? 0) + 1)
  }
  expect(themes.size).toBe(7)
  expect(Math.min(...themes.values())).toBeGreaterThan(50)
})
