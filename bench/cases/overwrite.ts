/**
 * One overwrite, one a commit, among 10,000 and 100,000 live keys: in the order in which keys were written, and at random, which
 * is harder on everyone who keeps runs; of a document without history, and with some.
 */
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { planWrites } from '@rejoin/core'
import { figure, type Figure } from '../figure.ts'
import { sampleEachMicros } from '../measures.ts'
import { weights } from '../subjects/domain.ts'
import { opOf, stampsFrom } from '../subjects/rejoin.ts'
import {
  subjectNames,
  subjectOf,
  type BenchDocument,
  type Subject,
  type SubjectName,
} from '../subjects/subject.ts'
import { firstWrites, overwrites, type Order } from '../workload.ts'
import type { BenchCase } from './case.ts'

const COMMIT_WRITES = 10_000
/** Overwrites before the second measure, for each key. */
const HISTORY_TIMES = 4
const HISTORY_COMMIT_WRITES = 100

export const overwrite: BenchCase = {
  about: 'one overwrite a commit among 10,000 and 100,000 live keys, without and with history',
  subjects: subjectNames,
  run,
}

async function run(name: SubjectName): Promise<readonly Figure[]> {
  const subject = await subjectOf(name)
  const figures: Figure[] = []
  for (const order of ['as written', 'at random'] as const) {
    figures.push(
      ...measured(subject, name, order, 10_000, 20),
      ...measured(subject, name, order, 100_000, 60),
    )
  }
  if (name === 'rejoin') figures.push(planned(10_000))
  return figures
}

function measured(
  subject: Subject,
  name: SubjectName,
  order: Order,
  keys: number,
  microsMax: number,
): readonly Figure[] {
  const document = filled(subject, keys)
  const target = { atMost: microsMax }
  const what = `one overwrite among ${keys} keys, ${order}`
  const figures = [figure(what, 'µs', each(document, 0, keys, order), target)]
  // One that walks its keys would take hours to get a history.
  if (name !== 'y-key-value') {
    const history = keys * HISTORY_TIMES
    for (let done = 0; done < history; done += HISTORY_COMMIT_WRITES) {
      document.commit(overwrites(done, HISTORY_COMMIT_WRITES, keys, order))
    }
    figures.push(figure(`${what}, after ${history} more`, 'µs', each(document, history, keys, order), target))
  }
  document.close()
  return figures
}

function each(document: BenchDocument, from: number, keys: number, order: Order) {
  return sampleEachMicros((done) => document.commit(overwrites(from + done, 1, keys, order)))
}

function filled(subject: Subject, keys: number): BenchDocument {
  const document = subject.open()
  for (let done = 0; done < keys; done += COMMIT_WRITES) document.commit(firstWrites(done, COMMIT_WRITES))
  return document
}

/** What a replica does besides: the op is checked against the domain and its writes are planned. */
function planned(keys: number): Figure {
  const document = yjsCrdt.open(2_000, [])
  const stamps = stampsFrom(1)
  const apply = (pairs: ReturnType<typeof firstWrites>): void => {
    const hlc = stamps()
    document.write(planWrites(weights, [opOf(pairs)], document, hlc, 'required'), hlc)
  }
  apply(firstWrites(0, keys))
  const sample = sampleEachMicros((done) => apply(overwrites(done, 1, keys, 'at random')))
  return figure(`one overwrite among ${keys} keys, at random, with its op checked and planned`, 'µs', sample)
}
