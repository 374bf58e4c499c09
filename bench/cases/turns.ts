/**
 * 200,000 single overwrites of 10,000 keys at random, by writers who take turns for ever: the worst moment in bytes and
 * memory, with rebuild by policy for those who have it, and what is left after one.
 */
import { figure, type Figure } from '../figure.ts'
import { exactly, memoryMB, sampleMs } from '../measures.ts'
import { subjectNames, subjectOf, type SharedDocument, type Subject } from '../subjects/subject.ts'
import { overwrites } from '../workload.ts'
import type { BenchCase } from './case.ts'

const OVERWRITES = 200_000
const KEYS = 10_000
/** Overwrites between two looks at bytes and memory: as often as a hub folds its log. */
const LOOK_EVERY = 5_000

export const turnsOf2 = turnsOf(2)
export const turnsOf100 = turnsOf(100)

function turnsOf(writers: number): BenchCase {
  return {
    about: `200,000 single overwrites at random by ${writers} writers taking turns, with rebuild by policy`,
    // Not for one that walks its keys: ten minutes.
    subjects: subjectNames.filter((name) => name !== 'y-key-value'),
    run: async (name) => await taking(await subjectOf(name), writers),
  }
}

interface Worst {
  bytes: number
  memory: number
  rebuilds: number
}

async function taking(subject: Subject, writers: number): Promise<readonly Figure[]> {
  const before = await memoryMB()
  const shared = subject.openShared()
  const worst: Worst = { bytes: 0, memory: 0, rebuilds: 0 }
  for (let done = 0; done < OVERWRITES; done += LOOK_EVERY) {
    takeTurns(shared, writers, done)
    worst.bytes = Math.max(worst.bytes, shared.encode().length)
    worst.memory = Math.max(worst.memory, (await memoryMB()) - before)
    if (shared.tidy()) worst.rebuilds++
  }
  const bytes = shared.encode()
  const tidied = shared.tidied()
  shared.close()
  const loaded = sampleMs(() => subject.open(bytes).close())
  return [
    figure('encoded at the worst moment', 'bytes', exactly(worst.bytes), { atMost: 2_000_000 }),
    figure('memory at the worst moment', 'MB', exactly(worst.memory), { atMost: 40 }),
    figure('encoded at the end', 'bytes', exactly(bytes.length)),
    ...(tidied === null
      ? []
      : [figure('encoded after a rebuild', 'bytes', exactly(tidied.length), { atMost: 450_000 })]),
    figure('rebuilds by policy', '', exactly(worst.rebuilds)),
    figure('load of the end', 'ms', loaded),
  ]
}

function takeTurns(shared: SharedDocument, writers: number, from: number): void {
  for (let i = from; i < from + LOOK_EVERY; i++)
    shared.commitAs(1 + (i % writers), overwrites(i, 1, KEYS, 'at random', 'token'))
}
