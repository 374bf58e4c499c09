/** An import of 100,000 entries in commits of 10,000, and loading what it left. */
import { figure, type Figure } from '../figure.ts'
import { sampleMs, scaled } from '../measures.ts'
import { subjectNames, subjectOf, type Subject, type SubjectName } from '../subjects/subject.ts'
import { rows } from '../workload.ts'
import type { BenchCase } from './case.ts'

const ENTRIES = 100_000
const COMMIT_WRITES = 10_000

export const importing: BenchCase = {
  about: 'an import of 100,000 entries in commits of 10,000',
  subjects: subjectNames,
  run,
}

async function run(name: SubjectName): Promise<readonly Figure[]> {
  const subject = await subjectOf(name)
  const commits = Array.from({ length: ENTRIES / COMMIT_WRITES }, (_, i) =>
    rows(i * COMMIT_WRITES, COMMIT_WRITES),
  )
  const imported = sampleMs(() => importAll(subject, commits))
  const bytes = importAll(subject, commits)
  return [
    figure(
      'import, an entry',
      'µs',
      scaled(imported, (ms) => (ms * 1_000) / ENTRIES),
      { atMost: 3 },
    ),
    figure(
      'load of the import',
      'ms',
      sampleMs(() => subject.open(bytes).close()),
    ),
  ]
}

function importAll(subject: Subject, commits: readonly ReturnType<typeof rows>[]): Uint8Array {
  const document = subject.open()
  for (const commit of commits) document.commit(commit)
  const bytes = document.encode()
  document.close()
  return bytes
}
