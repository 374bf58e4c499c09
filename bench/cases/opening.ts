/** Opening, reading, writing and closing a document a thousand times leaves memory where it was. */
import { figure, type Figure } from '../figure.ts'
import { exactly, memoryMB } from '../measures.ts'
import { subjectNames, subjectOf, type Subject, type SubjectName } from '../subjects/subject.ts'
import { overwrites } from '../workload.ts'
import type { BenchCase } from './case.ts'

const TIMES = 1_000
const KEYS = 1_000

export const opening: BenchCase = {
  about: 'a document opened, written and closed 1,000 times: memory that is left',
  subjects: subjectNames,
  run,
}

async function run(name: SubjectName): Promise<readonly Figure[]> {
  const subject = await subjectOf(name)
  const bytes = encoded(subject)
  openAndClose(subject, bytes, TIMES / 5)
  const before = await memoryMB()
  openAndClose(subject, bytes, TIMES)
  const left = (await memoryMB()) - before
  return [figure(`memory left after ${TIMES} documents of ${KEYS} keys`, 'MB', exactly(left), { atMost: 1 })]
}

function openAndClose(subject: Subject, bytes: Uint8Array, times: number): void {
  for (let i = 0; i < times; i++) {
    const document = subject.open(bytes)
    document.commit(overwrites(KEYS + i, 1, KEYS))
    document.countUnder('token-1')
    document.close()
  }
}

function encoded(subject: Subject): Uint8Array {
  const document = subject.open()
  document.commit(overwrites(0, KEYS, KEYS))
  const bytes = document.encode()
  document.close()
  return bytes
}
