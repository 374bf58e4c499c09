// One damage at a time, in every kind of file and every kind of value of a folder on disk, at places drawn from a seed.
import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { withFolder } from '../../support/command.ts'
import { Seeded } from '../../support/seeded.ts'
import { strikeAll, struckText } from './striking.ts'

const seed = randomInt(2 ** 31)
const kinds = ['hub', 'replica'] as const

test.for(kinds)(
  '[13] one damage anywhere in the folder of a %s is told, or changes nothing that is read',
  { timeout: 120_000 },
  async (kind) => {
    await withFolder(async (folder) => {
      const counts = await strikeAll(kind, 3, new Seeded(seed), folder)
      console.log(`a ${kind} damaged ${counts.struck.length} times with seed ${seed}:\n${struckText(counts)}`)
      expect(counts.wrong, `seed ${seed}`).toEqual([])
    })
  },
)
