// Conflicts resolved, one at a time, at once and differently: over random stories of two to four replicas, against a model of
// who had seen what. A failure prints the seed and the shortest story.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { opsOf, toldHouse } from './house.ts'
import { resolveOne } from './resolving.ts'
import { playStories, RUNS, storyOf } from './stories.ts'
import { World } from './world.ts'

describe('resolving a conflict', () => {
  test('[1] is an ordinary commit that replicates: who hears of it has the choice and no conflict', async () => {
    let resolved = 0
    const met = await playStories(
      toldHouse,
      storyOf(opsOf('NoteSet', 'PersonAdded', 'PersonNamed'), { resolves: true }),
      {
        resolve: (world, who, pick, how) => {
          const outbox = world.replica(who).outbox.length
          const done = resolveOne(world, who, pick, how)
          if (done === null) return
          expect(world.replica(who).outbox).toHaveLength(outbox + 1)
          expect(world.replica(who).outbox.at(-1)?.ops).toMatchObject([{ type: 'Resolved' }])
          resolved++
        },
        look: () => resolved > 0,
      },
    )
    expect(met).toBeGreaterThan(0)
  })

  test('[1] differently on two replicas at once is a conflict of the two choices; alike it is settled', async () => {
    const skew = fc.integer({ min: -60, max: 60 })
    const texts = fc.uniqueArray(fc.constantFrom('u', 'v', 'x', 'y', 'z'), { minLength: 2, maxLength: 4 })
    const play = async (
      values: readonly string[],
      picks: readonly number[],
      skewed: readonly number[],
    ): Promise<void> => {
      const world = await World.open(
        toldHouse,
        values.map((_, i) => skewed[i] ?? 0),
      )
      for (const [who, text] of values.entries()) world.apply(who, { type: 'NoteSet', id: 'a', text })
      await world.settle()
      const chosen = [0, 1].map((who) => {
        const done = resolveOne(world, who, 0, picks[who] ?? 0)
        expect(world.replica(who).conflicts()).toEqual([])
        return done?.resolution.kind === 'choose' ? done.resolution.value : null
      })
      await world.settle()
      const left = world.replica(0).conflicts()
      const both = new Set(chosen)
      expect(left).toHaveLength(both.size - 1)
      for (const { choices } of left) expect(new Set(choices.map(({ value }) => value))).toEqual(both)
      // A third decides, and that is that.
      resolveOne(world, world.count - 1, 0, 1)
      await world.settle()
      for (let who = 0; who < world.count; who++) expect(world.replica(who).conflicts()).toEqual([])
      await world.close()
    }
    await fc.assert(
      fc.asyncProperty(
        texts,
        fc.tuple(fc.nat({ max: 11 }), fc.nat({ max: 11 })),
        fc.array(skew, { minLength: 4, maxLength: 4 }),
        play,
      ),
      { numRuns: RUNS },
    )
  })

  test('[1] of every kind at once, with everything else going on', async () => {
    const all = opsOf(
      'NoteSet',
      'NoteRemoved',
      'PersonAdded',
      'PersonNamed',
      'PersonMoved',
      'PersonRemoved',
      'HouseBuilt',
      'HouseNamed',
      'HouseRemoved',
      'RoomBuilt',
      'RoomPainted',
      'RoomRemoved',
      'LampSet',
      'LampRemoved',
      'OwnerAdded',
      'BoxSet',
      'BoxRemoved',
      'ThingSet',
      'Tagged',
      'Raised',
    )
    let resolved = 0
    const met = await playStories(toldHouse, storyOf(all, { resolves: true }), {
      opening: [
        { type: 'HouseBuilt', house: 'a' },
        { type: 'PersonAdded', id: 'a' },
        { type: 'BoxSet', box: 'a', label: 'x' },
      ],
      resolve: (world, who, pick, how) => {
        if (resolveOne(world, who, pick, how) !== null) resolved++
      },
      look: () => resolved > 0,
    })
    expect(met).toBeGreaterThan(0)
  })
})
