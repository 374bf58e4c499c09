/** Reading one key, and every row under one prefix (100 of them), among 100,000: through typed tables where there are such. */
import { figure, type Figure } from '../figure.ts'
import { sampleEachMicros } from '../measures.ts'
import { subjectNames, subjectOf, type BenchDocument, type SubjectName } from '../subjects/subject.ts'
import { PREFIX_ROWS, rowAt, rows, type Pair } from '../workload.ts'
import type { BenchCase } from './case.ts'

const ROWS = 100_000
const COMMIT_WRITES = 10_000
/** A prime, so that steps of it come everywhere. */
const STRIDE = 7_919

export const reading: BenchCase = {
  about: 'reading one key, and a prefix of 100 rows, among 100,000',
  subjects: subjectNames,
  run,
}

async function run(name: SubjectName): Promise<readonly Figure[]> {
  const subject = await subjectOf(name)
  const document = subject.open()
  for (let done = 0; done < ROWS; done += COMMIT_WRITES) document.commit(rows(done, COMMIT_WRITES))
  const asked = Array.from({ length: ROWS }, (_, i) => rowAt((i * STRIDE) % ROWS))
  return [
    figure(
      'one key',
      'µs',
      sampleEachMicros((done) => readKey(document, asked, done)),
      { atMost: 1 },
    ),
    figure(
      'a prefix of 100 rows',
      'µs',
      sampleEachMicros((done) => readPrefix(document, asked, done)),
      {
        atMost: 50,
      },
    ),
  ]
}

function readKey(document: BenchDocument, asked: readonly Pair[], done: number): void {
  const row = asked[done % asked.length]
  if (row === undefined || document.get(row.key) === undefined) throw new Error('every key is there')
}

function readPrefix(document: BenchDocument, asked: readonly Pair[], done: number): void {
  const row = asked[done % asked.length]
  if (row === undefined || document.countUnder(row.key[0] ?? '') !== PREFIX_ROWS)
    throw new Error('every row is there')
}
