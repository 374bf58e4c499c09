// Replicas and hubs that change between two versions of a domain at random: they converge, and nothing is lost. A failure
// prints the shortest story and the seed that replays it.
import fc from 'fast-check'
import { test } from 'vitest'
import { DEVICES, Story, type Step } from './story.ts'

const device = fc.nat(DEVICES - 1)
const version = fc.nat(1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('write' as const), device, what: fc.nat(3), which: fc.nat(5) }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('sync' as const), device }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('app' as const), device, version }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hub' as const), version }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('checkpoint' as const, 'rebuild' as const) }) },
)

test('[1] [4] [5] [16] [17] [18] apps and hubs of two versions converge, and nothing is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 50 }), async (steps) => {
      const story = new Story()
      await story.begin()
      for (const each of steps) await story.take(each)
      await story.end()
    }),
    { numRuns: 150 },
  )
})
