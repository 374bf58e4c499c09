/** One of the threads that play histories: it is given seeds, and answers with figures and what failed. */
import { parentPort } from 'node:worker_threads'
import { addHistory, noFigures, type Figures } from './figures.ts'
import { runHistory, type HistoryResult } from './history.ts'

export interface Batch {
  readonly seeds: readonly number[]
  readonly steps: number
}

export interface Played {
  readonly figures: Figures
  readonly failed: readonly HistoryResult[]
}

// Errors are outcomes here, by the thousand, and nobody reads their stacks.
Error.stackTraceLimit = 0

parentPort?.on('message', (batch: Batch) => {
  void play(batch).then((played) => parentPort?.postMessage(played))
})

async function play({ seeds, steps }: Batch): Promise<Played> {
  const figures = noFigures()
  const failed: HistoryResult[] = []
  const before = process.cpuUsage()
  for (const seed of seeds) {
    const result = await runHistory(seed, { steps })
    addHistory(figures, result)
    if (result.findings.length > 0) failed.push(result)
  }
  const { user, system } = process.cpuUsage(before)
  // Of the whole process: the threads share it.
  figures.cpuMs = (user + system) / 1_000
  return { figures, failed }
}
