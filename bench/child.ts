/** Measures one case of one subject in this process, and tells the parent: `child.ts CASE SUBJECT`. */
import { cases } from './cases/index.ts'
import type { Outcome } from './report.ts'
import { PeerMissing } from './subjects/peers.ts'
import { subjectNames, subjectOf } from './subjects/subject.ts'

const [caseName, subjectName] = process.argv.slice(2)
const benchCase = cases.get(caseName ?? '')
const subject = subjectNames.find((name) => name === subjectName)
if (benchCase === undefined || subject === undefined) throw new Error(`no case ${caseName} of ${subjectName}`)
process.send?.(await outcomeOf())

async function outcomeOf(): Promise<Outcome> {
  if (benchCase === undefined || subject === undefined) throw new Error('checked above')
  try {
    const { version } = await subjectOf(subject)
    return { kind: 'measured', version, figures: await benchCase.run(subject) }
  } catch (error) {
    if (error instanceof PeerMissing) return { kind: 'peer missing', why: error.message }
    throw error
  }
}
