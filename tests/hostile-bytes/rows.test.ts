// Every row of the hazards of bytes has an input here that is refused; those that are none of bytes name the test that keeps them.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { HlcClock, replicaIdOf } from '@rejoin/core'
import { checkout } from '../support/command.ts'
import { hostileUpdates, rowOf } from './hostile-updates.ts'

const rows = Object.entries({ A: 10, B: 5, C: 13, D: 9, E: 6 }).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, i) => `${letter}${i + 1}`),
)

/** What is no update, or no matter of a single one: the file that keeps it, and what it says there. */
const elsewhere: Readonly<Record<string, readonly [file: string, says: string]>> = {
  A9: ['tests/fuzz/target.ts', "error.code === 'HUB_INTERNAL'"],
  A10: ['tests/plain-yjs/hostile.test.ts', 'A10 a million clients'],
  B3: [
    'tests/hostile-bytes/every-transport.test.ts',
    'B3 other content under an id that is known already changes nothing',
  ],
  B4: ['tests/faults/copies.test.ts', 'two copies of a folder, both live'],
  B5: ['packages/hub/test/admission.test.ts', "another replica's client id"],
  C2: ['packages/crdt-adapter/test/apply.test.ts', 'nothing waits and nothing is half done'],
  C6: ['packages/crdt-adapter/test/updates.test.ts', 'more than may be merged at once'],
  C7: ['packages/crdt-adapter/test/many-clients.test.ts', 'C7'],
  C8: ['tests/rebuild/growth.test.ts', 'writers that stay leave nothing behind'],
  C10: ['tests/semantics/registers.test.ts', 'the latest HLC wins'],
  C11: ['tests/rebuild/stories.test.ts', 'a story with rebuilds ends as the same story without'],
  C12: ['packages/crdt-adapter/test/updates.test.ts', 'compacting drops what was overwritten from the bytes'],
  C13: ['tests/crash-points/engines.test.ts', 'test.each(cases)'],
  E4: ['packages/crdt-adapter/test/apply.test.ts', 'nothing waits and nothing is half done'],
  E6: ['packages/hub/test/admission.test.ts', 'documentsDecoded: 0'],
}

test('every row has an input that is refused, or a test that keeps it', () => {
  const hlc = new HlcClock(replicaIdOf(new Uint8Array(16)), null).tick(1_700_000_000_000)
  const struck = new Set(hostileUpdates(hlc, { client: 5_001, clock: 3 }).map(rowOf))
  expect(rows.filter((row) => !struck.has(row) && elsewhere[row] === undefined)).toEqual([])
  expect([...struck].filter((row) => /^[A-E]\d/.test(row) && !rows.includes(row))).toEqual([])
})

test.each(Object.entries(elsewhere))('%s is kept in %j', (_, [file, word]) => {
  expect(readFileSync(path.join(checkout, file), 'utf8')).toContain(word)
})
