/** Every case by its name. */
import { acks, acksOverSockets } from './acks.ts'
import type { BenchCase } from './case.ts'
import { chains } from './chains.ts'
import { checkpointStall } from './checkpoint-stall.ts'
import { documentAsWritten, documentAtRandom } from './document.ts'
import { importing } from './importing.ts'
import { opening } from './opening.ts'
import { overwrite } from './overwrite.ts'
import { reading } from './reading.ts'
import { rebuild } from './rebuild.ts'
import { strict } from './strict.ts'
import { turnsOf100, turnsOf2 } from './turns.ts'

export const cases: ReadonlyMap<string, BenchCase> = new Map([
  ['document', documentAsWritten],
  ['document-at-random', documentAtRandom],
  ['turns-of-2', turnsOf2],
  ['turns-of-100', turnsOf100],
  ['overwrite', overwrite],
  ['importing', importing],
  ['reading', reading],
  ['strict', strict],
  ['rebuild', rebuild],
  ['opening', opening],
  ['chains', chains],
  ['acks', acks],
  ['acks-over-sockets', acksOverSockets],
  ['checkpoint-stall', checkpointStall],
])
