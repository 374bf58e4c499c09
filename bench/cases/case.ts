/** A case: what is measured of each subject, in a process of its own. */
import type { Figure } from '../figure.ts'
import type { SubjectName } from '../subjects/subject.ts'

export interface BenchCase {
  /** One line for the help. */
  readonly about: string
  readonly subjects: readonly SubjectName[]
  run(subject: SubjectName): Promise<readonly Figure[]>
}
