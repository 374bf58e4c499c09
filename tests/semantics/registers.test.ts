// What one key reads as, whoever wrote it when: over random stories of two to four replicas, against a model of who had seen
// what. A failure prints the seed and the shortest story.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { opsOf, toldHouse, type HouseOp } from './house.ts'
import { playStories, RUNS, storyOf } from './stories.ts'
import { World } from './world.ts'

interface Turn {
  readonly who: number
  readonly wait: number
  readonly ops: readonly HouseOp[]
}

describe('concurrent writes of one key', () => {
  test('[1] the latest HLC wins, and every replica that has seen the same reads the same', async () => {
    const met = await playStories(toldHouse, storyOf(opsOf('NoteSet')), {
      // A writer reads another's value than its own, which is there still.
      look: (world, who) =>
        world
          .replica(who)
          .conflicts()
          .some(({ choices }) => choices.findIndex(({ author }) => author === world.author(who)) > 0),
    })
    expect(met).toBeGreaterThan(0)
  })

  test('[1] that differ are listed by conflicts(), the same on every replica; equal ones are not', async () => {
    const met = await playStories(toldHouse, storyOf(opsOf('NoteSet', 'NoteSet', 'NoteRemoved')), {
      look: (world, who) => {
        const replica = world.replica(who)
        const listed = new Set(replica.conflicts().map(({ key }) => key.join()))
        const unlisted = [...replica.registers.contested()].filter(
          ([entry]) => !listed.has(entry?.key.join() ?? ''),
        )
        for (const register of unlisted) expect(new Set(register.map(({ value }) => value)).size).toBe(1)
        return unlisted.length > 0 && listed.size > 0
      },
    })
    expect(met).toBeGreaterThan(0)
  })

  test('[1] a set survives a concurrent remove (add wins), which takes only what it has seen', async () => {
    const ops = opsOf('NoteSet', 'NoteRemoved', 'PersonAdded', 'PersonRemoved')
    const met = await playStories(toldHouse, storyOf(ops), {
      look: (world, who) => {
        const survivors = world.model.survivors(who)
        for (const { table, row } of survivors) expect(world.read(who, table).has(row[0] ?? '')).toBe(true)
        return survivors.length > 0
      },
    })
    expect(met).toBeGreaterThan(0)
  })
})

test('[1] a causal overwrite is no conflict, however wrong the clocks are', async () => {
  const skews = fc.array(fc.integer({ min: -3_600_000, max: 3_600_000 }), { minLength: 2, maxLength: 4 })
  const turn: fc.Arbitrary<Turn> = fc.record({
    who: fc.nat({ max: 3 }),
    wait: fc.integer({ min: -5_000, max: 5_000 }),
    ops: fc.array(opsOf('NoteSet', 'NoteSet', 'NoteRemoved'), { minLength: 1, maxLength: 3 }),
  })
  let overwrites = 0
  const play = async (wrong: number[], turns: Turn[]): Promise<void> => {
    const world = await World.open(toldHouse, wrong)
    const last = new Map<string, string>()
    for (const { who: any, wait, ops } of turns) {
      const who = any % world.count
      world.wait(who, wait)
      // Everybody has seen everything before it writes.
      await world.sync(who)
      for (const op of ops) {
        world.apply(who, op)
        if (op.type === 'NoteRemoved') last.delete(op.id)
        if (op.type !== 'NoteSet') continue
        if ((last.get(op.id) ?? op.text) !== op.text) overwrites++
        last.set(op.id, op.text)
      }
      await world.sync(who)
    }
    await world.settle()
    for (let who = 0; who < world.count; who++) {
      expect(world.replica(who).conflicts()).toEqual([])
      expect([...world.replica(who).registers.contested()]).toEqual([])
      expect(new Map(world.read(who, 'notes').entries())).toEqual(last)
    }
    await world.close()
  }
  await fc.assert(fc.asyncProperty(skews, fc.array(turn, { maxLength: 24, size: 'max' }), play), {
    numRuns: RUNS,
  })
  expect(overwrites).toBeGreaterThan(0)
})

describe('a merge function replaces the conflict', () => {
  const cases: readonly (readonly [string, string, fc.Arbitrary<HouseOp>])[] = [
    ['max', 'highest', opsOf('Raised')],
    ['min', 'lowest', opsOf('Lowered')],
    ['union', 'tags', opsOf('Tagged')],
    ['an own function', 'products', opsOf('Multiplied')],
    ['max, for a single field of a record', 'people', opsOf('PersonAdded', 'PersonScored', 'PersonScored')],
  ]
  test.each(cases)('[1] %s', async (_, table, op) => {
    const met = await playStories(toldHouse, storyOf(op), {
      look: (world, who) => {
        const { registers } = world.replica(who)
        expect(world.replica(who).conflicts()).toEqual([])
        return [...registers.contested()].some(
          (register) =>
            register[0]?.table === table && new Set(register.map(({ value }) => String(value))).size > 1,
        )
      },
    })
    expect(met).toBeGreaterThan(0)
  })
})
