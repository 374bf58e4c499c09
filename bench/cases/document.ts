/** A document after a million overwrites of 10,000 keys in commits of 100: bytes, memory, and loading it until it can be read. */
import * as Y from 'yjs'
import { figure, type Figure } from '../figure.ts'
import { cpuMicros, exactly, memoryMB, sampleMs } from '../measures.ts'
import {
  subjectNames,
  subjectOf,
  type BenchDocument,
  type Subject,
  type SubjectName,
} from '../subjects/subject.ts'
import { firstWrites, keyAt, overwrites, type Order } from '../workload.ts'
import type { BenchCase } from './case.ts'

const OVERWRITES = 1_000_000
const COMMIT_WRITES = 100
const KEYS = 10_000

export const documentAsWritten: BenchCase = {
  about:
    'a million overwrites of 10,000 keys in commits of 100, in the order of writing: bytes, memory, load',
  subjects: subjectNames,
  run: (name) => measured(name, 'as written'),
}

export const documentAtRandom: BenchCase = {
  about: 'the same at random',
  // One that walks its keys would need ten minutes.
  subjects: subjectNames.filter((name) => name !== 'y-key-value'),
  run: (name) => measured(name, 'at random'),
}

async function measured(name: SubjectName, order: Order): Promise<readonly Figure[]> {
  const subject = await subjectOf(name)
  const before = await memoryAfterWarmUp(subject)
  const document = subject.open()
  const micros = cpuMicros(() => overwriteAll(document, order))
  const memory = (await memoryMB()) - before
  const bytes = document.encode()
  document.close()
  const first = cpuMicros(() => load(subject, bytes)) / 1_000
  const loaded = sampleMs(() => load(subject, bytes))
  const alone = name === 'rejoin' ? sampleMs(() => loadIntoYjs(bytes)) : null
  const loadTarget = alone === null ? null : { atMost: alone.median * 1.5 + 50 }
  return [
    figure('encoded', 'bytes', exactly(bytes.length), { atMost: 600_000 }),
    figure('memory of document and index', 'MB', exactly(memory), { atMost: 25 }),
    figure('load, ready to read', 'ms', loaded, loadTarget),
    ...(alone === null ? [] : [figure('what Yjs alone needs to apply those bytes', 'ms', alone)]),
    figure('first load', 'ms', exactly(first)),
    figure('CPU time an overwrite', 'µs', exactly(micros / OVERWRITES)),
  ]
}

function overwriteAll(document: BenchDocument, order: Order): void {
  document.commit(firstWrites(0, KEYS))
  for (let done = 0; done < OVERWRITES; done += COMMIT_WRITES) {
    document.commit(overwrites(done, COMMIT_WRITES, KEYS, order))
  }
}

/** Code and caches that a first document leaves behind are nobody's document. */
async function memoryAfterWarmUp(subject: Subject): Promise<number> {
  const small = subject.open()
  for (let i = 0; i < 20; i++) small.commit(overwrites(i * COMMIT_WRITES, COMMIT_WRITES, 1_000))
  small.close()
  return await memoryMB()
}

function load(subject: Subject, bytes: Uint8Array): void {
  const loaded = subject.open(bytes)
  if (loaded.get(keyAt(1)) === undefined) throw new Error('a loaded document is ready to read')
  loaded.close()
}

function loadIntoYjs(bytes: Uint8Array): void {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, bytes)
  doc.destroy()
}
