/** A rebuild in canonical form of a document that took as many overwrites as it has keys, at random, one a commit. */
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { figure, type Figure } from '../figure.ts'
import { exactly, sampleMs } from '../measures.ts'
import { RejoinDocument } from '../subjects/rejoin.ts'
import { firstWrites, overwrites } from '../workload.ts'
import type { BenchCase } from './case.ts'

export const rebuild: BenchCase = {
  about: 'a rebuild of 10,000 and of 100,000 live keys',
  subjects: ['rejoin'],
  run: async () => [...rebuilt(10_000, 150), ...rebuilt(100_000, 1_500)],
}

function rebuilt(keys: number, msMax: number): readonly Figure[] {
  const document = new RejoinDocument([])
  for (let done = 0; done < keys; done += 100) document.commit(firstWrites(done, 100))
  for (let done = 0; done < keys; done++) document.commit(overwrites(done, 1, keys, 'at random'))
  const bytes = document.encode()
  document.close()
  const sample = sampleMs(() => yjsCrdt.updates.rebuild([bytes]))
  return [
    figure(`rebuild of ${keys} live keys`, 'ms', sample, { atMost: msMax }),
    figure(`${keys} live keys before`, 'bytes', exactly(bytes.length)),
    figure(`${keys} live keys after`, 'bytes', exactly(yjsCrdt.updates.rebuild([bytes]).snapshot.length)),
  ]
}
