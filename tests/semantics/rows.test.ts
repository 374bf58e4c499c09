// Rows with fields, and rows under rows: over random stories of two to four replicas, against a model of
// who had seen what. A failure prints the seed and the shortest story.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { opsOf, toldHouse, type HouseOp } from './house.ts'
import { resolveOne } from './resolving.ts'
import { playStories, RUNS, storyOf } from './stories.ts'
import { World } from './world.ts'

test('[1] fields of one record that are edited apart both survive', async () => {
  const person = ['Ada', 'Bob', 'Cyd'] as const
  const edit = fc.oneof(opsOf('PersonNamed'), opsOf('PersonMoved'), opsOf('PersonScored'))
  // Each replica edits a field of its own, offline, as often as it likes.
  const edits = fc.array(fc.record({ id: fc.constantFrom(...person), op: edit }), {
    minLength: 2,
    maxLength: 12,
  })
  let apart = 0
  await fc.assert(
    fc.asyncProperty(
      edits,
      fc.array(fc.integer({ min: -60, max: 60 }), { minLength: 3, maxLength: 3 }),
      async (all, skews) => {
        const world = await World.open(toldHouse, skews)
        for (const id of person) world.apply(0, { type: 'PersonAdded', id })
        for (let who = 0; who < world.count; who++) await world.sync(who)
        const expected = new Map<string, Record<string, unknown>>(person.map((id) => [id, {}]))
        for (const { id, op } of all) {
          const fields = expected.get(id) ?? {}
          if (op.type === 'PersonNamed') {
            world.apply(0, { ...op, id })
            fields['name'] = op.name
          } else if (op.type === 'PersonMoved') {
            world.apply(1, { ...op, id })
            fields['city'] = op.city
          } else if (op.type === 'PersonScored') {
            world.apply(2, { ...op, id })
            fields['score'] = op.score
          }
        }
        await world.settle()
        for (let who = 0; who < world.count; who++) {
          expect(new Map(world.read(who, 'people').entries())).toEqual(expected)
          expect(world.replica(who).conflicts()).toEqual([])
        }
        if ([...expected.values()].some((fields) => Object.keys(fields).length === 3)) apart++
        await world.close()
      },
    ),
    { numRuns: RUNS },
  )
  expect(apart).toBeGreaterThan(0)
})

test('[1] fields and the row they belong to are registers of their own, also where it is removed and added again', async () => {
  const ops = opsOf('PersonAdded', 'PersonNamed', 'PersonMoved', 'PersonScored', 'PersonRemoved')
  const met = await playStories(toldHouse, storyOf(ops), {
    opening: [
      { type: 'PersonAdded', id: 'a' },
      { type: 'PersonAdded', id: 'b' },
    ],
    look: (world, who) =>
      world
        .replica(who)
        .conflicts()
        .some(({ kind, field }) => kind === 'orphan' && field !== null),
  })
  expect(met).toBeGreaterThan(0)
})

describe('rows under rows', () => {
  const family = [
    'HouseBuilt',
    'HouseBuilt',
    'HouseRemoved',
    'RoomBuilt',
    'RoomBuilt',
    'RoomPainted',
  ] as const
  const houses: readonly HouseOp[] = ['a', 'b'].flatMap((house) => [
    { type: 'HouseBuilt', house },
    { type: 'RoomBuilt', house, room: 'a' },
    { type: 'LampSet', house, room: 'a', lamp: 'a', kind: 'x' },
  ])
  const lamps = ['LampSet', 'LampSet', 'LampSet', 'LampSet', 'LampSet', 'LampSet', 'LampRemoved'] as const
  const chain = [...family, 'HouseRemoved', 'RoomRemoved', ...lamps, 'OwnerAdded', 'HouseNamed'] as const

  test('[1] children of a removed parent disappear with it, on every replica that hears of it', async () => {
    let gone = 0
    const play = async (ops: readonly HouseOp[], skews: number[]): Promise<void> => {
      const world = await World.open(toldHouse, skews)
      for (const op of ops) world.apply(0, op)
      for (let who = 0; who < world.count; who++) await world.sync(who)
      const before = world.read(1, 'rooms').size + world.read(1, 'lamps').size
      world.apply(1, { type: 'HouseRemoved', house: 'a' })
      await world.settle()
      for (let who = 0; who < world.count; who++) {
        for (const table of ['rooms', 'lamps', 'owners', 'houses']) {
          const keys = [...world.read(who, table).entries()].map(([key]) => [key].flat()[0])
          expect(keys).not.toContain('a')
        }
        // They are removed, not merely hidden.
        expect(world.replica(who).conflicts()).toEqual([])
      }
      if (before > world.read(1, 'rooms').size + world.read(1, 'lamps').size) gone++
      await world.close()
    }
    const skews = fc.array(fc.integer({ min: -60, max: 60 }), { minLength: 2, maxLength: 4 })
    const ops = fc.array(
      opsOf('HouseBuilt', 'HouseNamed', 'RoomBuilt', 'RoomBuilt', 'RoomPainted', 'LampSet', 'OwnerAdded'),
      {
        minLength: 4,
        maxLength: 20,
        size: 'max',
      },
    )
    await fc.assert(fc.asyncProperty(ops, skews, play), { numRuns: RUNS })
    expect(gone).toBeGreaterThan(0)
  })

  test('[1] a child added concurrently becomes an orphan: hidden, and listed alike by everyone', async () => {
    const met = await playStories(toldHouse, storyOf(opsOf(...family)), {
      opening: houses,
      look: (world, who) => orphansOf(world, who, 'rooms') > 0,
    })
    expect(met).toBeGreaterThan(0)
  })

  test('[1] an orphan is restored with its parent, or dropped', async () => {
    const done = new Set<string>()
    const met = await playStories(toldHouse, storyOf(opsOf(...family), { resolves: true }), {
      opening: houses,
      resolve: (world, who, pick, how) => {
        const resolved = resolveOne(world, who, pick, how)
        if (resolved?.conflict.kind !== 'orphan') return
        const { conflict, resolution } = resolved
        done.add(resolution.kind)
        const still = world
          .replica(who)
          .conflicts()
          .filter(
            ({ table, key, field }) =>
              table === conflict.table && key.join() === conflict.key.join() && field === conflict.field,
          )
        expect(still.filter(({ kind }) => kind === 'orphan')).toEqual([])
        const isThere = world.read(who, conflict.table).has(conflict.key)
        expect(isThere).toBe(conflict.field === null ? resolution.kind === 'restore' : isThere)
      },
      look: () => done.has('restore') && done.has('drop'),
    })
    expect(met).toBeGreaterThan(0)
  })

  test('[1] an orphan under a row of a map is restored with the value that its parent is given', async () => {
    let restored = 0
    const met = await playStories(
      toldHouse,
      storyOf(opsOf('BoxSet', 'BoxRemoved', 'ThingSet', 'ThingSet'), { resolves: true }),
      {
        opening: [
          { type: 'BoxSet', box: 'a', label: 'x' },
          { type: 'BoxSet', box: 'b', label: 'x' },
        ],
        resolve: (world, who, pick, how) => {
          const resolved = resolveOne(world, who, pick, how)
          if (resolved?.conflict.kind !== 'orphan' || resolved.resolution.kind !== 'restore') return
          expect(world.read(who, 'boxes').get(resolved.conflict.parent.key[0] ?? '')).toBe('restored')
          restored++
        },
        look: () => restored > 0,
      },
    )
    expect(met).toBeGreaterThan(0)
  })

  test('[1] under a chain of two parents, children come, go and are orphaned with either of them', async () => {
    const met = await playStories(toldHouse, storyOf(opsOf(...chain), { resolves: true }), {
      opening: houses,
      resolve: resolveOne,
      look: (world, who) => orphansOf(world, who, 'lamps') > 0,
    })
    expect(met).toBeGreaterThan(0)
  })

  test.each([
    ['restored', 'houses', { type: 'HouseRemoved', house: 'a' }],
    ['dropped', 'houses', { type: 'HouseRemoved', house: 'a' }],
    ['restored', 'rooms', { type: 'RoomRemoved', house: 'a', room: 'a' }],
    ['dropped', 'rooms', { type: 'RoomRemoved', house: 'a', room: 'a' }],
  ] as const)(
    '[1] a child of a chain is %s after its row of %s was removed, with all that is missing above',
    async (outcome, from, removal) => {
      const isRestored = outcome === 'restored'
      const world = await World.open(toldHouse, [0, 5, -5])
      for (const op of houses) world.apply(0, op)
      await world.settle()
      world.apply(0, removal)
      world.apply(1, { type: 'LampSet', house: 'a', room: 'a', lamp: 'new', kind: 'y' })
      await world.settle()
      expect(world.replica(2).conflicts()).toMatchObject([
        {
          kind: 'orphan',
          table: 'lamps',
          key: ['a', 'a', 'new'],
          parent: { table: 'rooms', key: ['a', 'a'] },
        },
      ])
      resolveOne(world, 2, 0, isRestored ? 0 : 1)
      await world.settle()
      for (let who = 0; who < world.count; who++) {
        expect(world.replica(who).conflicts()).toEqual([])
        expect(world.read(who, 'lamps').has(['a', 'a', 'new'])).toBe(isRestored)
        // What the removal had seen stays removed.
        expect(world.read(who, 'lamps').has(['a', 'a', 'a'])).toBe(false)
        expect(world.read(who, 'rooms').has(['a', 'a'])).toBe(isRestored)
        expect(world.read(who, 'houses').has('a')).toBe(isRestored || from === 'rooms')
      }
      await world.close()
    },
  )
})

function orphansOf(world: World<HouseOp>, who: number, table: string): number {
  return world
    .replica(who)
    .conflicts()
    .filter((conflict) => conflict.kind === 'orphan' && conflict.table === table).length
}
