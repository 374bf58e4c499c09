/** Many histories on all cores: seeds are handed to threads, a few at a time, until there are none left or it is time. */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { bundled } from '../support/bundle.ts'
import { addFigures, noFigures, type Figures } from './figures.ts'
import type { HistoryResult } from './history.ts'
import { isKnown } from './kept.ts'
import type { Batch, Played } from './worker.ts'

/** A thread hears of an end only between two of them. */
const SEEDS_A_BATCH = 5
/** Worlds are made and dropped by the thousand: what is young dies young where there is room for it. */
const YOUNG_MIB = 64

export interface RunOptions {
  /** One after the other; may be endless. */
  readonly seeds: Iterable<number>
  /** Of each history; default 200. */
  readonly steps?: number
  /** Default: as many as there are cores. */
  readonly threads?: number
  /** Nothing new is begun once it is aborted. */
  readonly signal?: AbortSignal
  /** Called now and then with what there is so far. */
  readonly onProgress?: (figures: Figures) => void
  /** So many failures are enough. */
  readonly failuresMax?: number
}

export interface RunReport {
  readonly figures: Figures
  readonly failed: readonly HistoryResult[]
  /** That failed by what is known and not mended yet. */
  readonly known: readonly HistoryResult[]
  readonly elapsedMs: number
}

export async function runHistories(options: RunOptions): Promise<RunReport> {
  const { steps = 200, threads = availableParallelism(), signal, onProgress, failuresMax = 10 } = options
  const seeds = options.seeds[Symbol.iterator]()
  const script = await bundled(new URL('worker.ts', import.meta.url).pathname)
  const figures = noFigures()
  const failed: HistoryResult[] = []
  const known: HistoryResult[] = []
  const startedAt = performance.now()
  const startedCpu = process.cpuUsage()
  const next = (): Batch | null => {
    if (signal?.aborted === true || failed.length >= failuresMax) return null
    const batch: number[] = []
    for (let seed = seeds.next(); seed.done !== true; seed = seeds.next()) {
      batch.push(seed.value)
      if (batch.length === SEEDS_A_BATCH) break
    }
    return batch.length === 0 ? null : { seeds: batch, steps }
  }
  const work = async (): Promise<void> => {
    const worker = new Worker(script, { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB } })
    try {
      for (let batch = next(); batch !== null; batch = next()) {
        const played = await answerOf(worker, batch)
        addFigures(figures, played.figures)
        for (const result of played.failed) (isKnown(result) ? known : failed).push(result)
        onProgress?.(figures)
      }
    } finally {
      await worker.terminate()
    }
  }
  await Promise.all(Array.from({ length: threads }, work))
  const { user, system } = process.cpuUsage(startedCpu)
  figures.cpuMs = (user + system) / 1_000
  return { figures, failed, known, elapsedMs: performance.now() - startedAt }
}

function answerOf(worker: Worker, batch: Batch): Promise<Played> {
  return new Promise((resolve, reject) => {
    const failed = (error: unknown): void =>
      reject(new Error(`a thread ended amid the seeds ${batch.seeds.join(', ')}`, { cause: error }))
    const exited = (code: number): void => failed(`exit code ${code}`)
    worker.once('error', failed)
    worker.once('exit', exited)
    worker.once('message', (played: Played) => {
      worker.off('error', failed)
      worker.off('exit', exited)
      resolve(played)
    })
    worker.postMessage(batch)
  })
}
