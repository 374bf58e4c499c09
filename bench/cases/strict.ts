/** Reading an update of a stranger strictly, without a document: one op, and 100 kB. Beside it, Yjs's own lenient reader. */
import * as Y from 'yjs'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { figure, type Figure } from '../figure.ts'
import { sampleEachMicros, scaled } from '../measures.ts'
import { RejoinDocument } from '../subjects/rejoin.ts'
import { firstWrites, overwrites } from '../workload.ts'
import type { BenchCase } from './case.ts'

const KEYS = 100_000
/** So many new entries take 100 kB. */
const ENTRIES = 1_750

export const strict: BenchCase = {
  about: 'reading strictly an update of one op, and one of 100 kB',
  subjects: ['rejoin'],
  run: async () => {
    const { one, large } = updates()
    return [...figuresOf('a one-op update', one), ...figuresOf('a 100 kB update', large)]
  },
}

function updates(): { one: Uint8Array; large: Uint8Array } {
  const document = new RejoinDocument([])
  for (let done = 0; done < KEYS; done += 10_000) document.commit(firstWrites(done, 10_000))
  const one = document.commitUpdate(overwrites(KEYS, 1, KEYS))
  const large = new RejoinDocument([]).commitUpdate(firstWrites(0, ENTRIES))
  document.close()
  return { one, large }
}

function figuresOf(what: string, update: Uint8Array): readonly Figure[] {
  const read = sampleEachMicros(() => yjsCrdt.updates.inspect(update))
  const yjs = sampleEachMicros(() => Y.decodeUpdate(update))
  const bytesAMicro = (micros: number): number => update.length / micros
  return update.length < 1_000
    ? [
        figure(`${what} (${update.length} bytes)`, 'µs', read, { atMost: 20 }),
        figure(`${what}, read by Yjs`, 'µs', yjs),
      ]
    : [
        figure(`${what} (${update.length} bytes)`, 'MB/s', scaled(read, bytesAMicro), { atLeast: 100 }),
        figure(`${what}, read by Yjs`, 'MB/s', scaled(yjs, bytesAMicro)),
      ]
}
