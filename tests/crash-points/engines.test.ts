// The process of a hub or of a replica ends between any two awaits of its engine that reach a store: at every call of the port,
// and at every call that the store makes to its database. Then it comes back, everybody exchanges what there is, and what was
// saved or acknowledged is there, once.
import { afterAll, expect, test } from 'vitest'
import { NAMESPACE } from '../rebuild/world.ts'
import type { Level } from './disks.ts'
import { EngineWorld, type Side } from './engine-world.ts'
import { atEveryPoint, Tally } from './every-point.ts'
import { Fuse, type Moment } from './fuse.ts'

const tally = new Tally('engines')
afterAll(() => tally.tell())

interface Scenario {
  readonly sides: readonly Side[]
  readonly before: (world: EngineWorld, fuse: Fuse) => Promise<void>
  readonly act: (world: EngineWorld) => Promise<unknown>
  /** That it was what it says. */
  readonly after?: (world: EngineWorld, result: unknown) => Promise<void> | void
}

/** Five commits that everybody has, and the hub. */
async function common(world: EngineWorld): Promise<void> {
  for (const i of [1, 2, 3]) world.add(world.a, `a-common-${i}`)
  await world.sync(world.a)
  for (const i of [1, 2]) world.add(world.b, `b-common-${i}`)
  await world.sync(world.b)
  await world.sync(world.a)
}

/** Commits of the other one, one record each. */
async function more(world: EngineWorld, count: number, name = 'more'): Promise<void> {
  for (let i = 0; i < count; i++) {
    world.add(world.b, `b-${name}-${i}`)
    await world.sync(world.b)
  }
}

const path = (expected: string) => (_world: EngineWorld, report: unknown) => {
  expect(report).toMatchObject({ path: expected })
}

const scenarios: Record<string, Scenario> = {
  'three commits, saved and pushed': {
    sides: ['hub', 'replica'],
    before: common,
    act: async (world) => {
      for (const i of [1, 2, 3]) world.add(world.a, `a-${i}`)
      return await world.sync(world.a)
    },
    after: (_world, report) => expect(report).toMatchObject({ pushed: 3 }),
  },
  'the first commits of a namespace': {
    sides: ['hub', 'replica'],
    before: () => Promise.resolve(),
    act: async (world) => {
      for (const i of [1, 2, 3]) world.add(world.a, `a-${i}`)
      await world.sync(world.a)
    },
  },
  'commits of two replicas by turns': {
    sides: ['hub', 'replica'],
    before: common,
    act: async (world) => {
      for (const i of [1, 2]) {
        world.add(world.a, `a-${i}`)
        world.add(world.b, `b-${i}`)
        await world.sync(world.a)
        await world.sync(world.b)
      }
    },
  },
  'three commits of a live replica, heard by another': {
    sides: ['hub', 'replica'],
    before: async (world) => {
      await common(world)
      for (const { replica } of [world.a, world.b]) replica.connect()
      await world.until(() => [world.a, world.b].every(({ replica }) => replica.status.state === 'live'))
    },
    act: async (world) => {
      for (const i of [1, 2, 3]) world.add(world.a, `a-${i}`)
      await world.until(
        () => world.a.replica.status.pending === 0 && world.b.replica.tables.lists.get('a-3') !== undefined,
      )
    },
  },
  'a checkpoint, installed and trimmed': {
    sides: ['hub'],
    before: async (world) => {
      await common(world)
      await more(world, 5)
    },
    act: (world) => world.finish(world.hub.checkpoint(NAMESPACE)),
  },
  'a checkpoint on a checkpoint, and commits after it': {
    sides: ['hub'],
    before: async (world) => {
      await common(world)
      await world.finish(world.hub.checkpoint(NAMESPACE))
      await more(world, 5)
    },
    act: async (world) => {
      await world.finish(world.hub.checkpoint(NAMESPACE))
      world.add(world.a, 'a-1')
      await world.sync(world.a)
    },
  },
  'a rebuild': {
    sides: ['hub'],
    before: async (world) => {
      await common(world)
      await more(world, 4)
      world.add(world.a, 'a-offline')
    },
    act: (world) => world.finish(world.hub.rebuild(NAMESPACE)),
  },
  'a rebuild in place, with an outbox': {
    sides: ['hub', 'replica'],
    before: async (world) => {
      await common(world)
      await world.finish(world.hub.rebuild(NAMESPACE))
      for (const i of [1, 2]) world.add(world.a, `a-${i}`)
    },
    act: (world) => world.sync(world.a),
    after: path('rebuild'),
  },
  'a reset with recommit': {
    sides: ['hub', 'replica'],
    before: async (world) => {
      await common(world)
      for (const i of [1, 2, 3]) world.add(world.a, `a-offline-${i}`)
      await more(world, 2)
      await world.finish(world.hub.rebuild(NAMESPACE))
      await more(world, 4, 'later')
      await world.finish(world.hub.checkpoint(NAMESPACE))
    },
    act: (world) => world.sync(world.a),
    after: path('reset'),
  },
  'a snapshot across a revision gap, with an outbox': {
    sides: ['hub', 'replica'],
    before: async (world) => {
      await common(world)
      for (const i of [1, 2, 3]) world.add(world.a, `a-offline-${i}`)
      await more(world, 6)
      await world.finish(world.hub.checkpoint(NAMESPACE))
    },
    act: (world) => world.sync(world.a),
    after: path('snapshot'),
  },
  'a tail, with an outbox': {
    sides: ['hub', 'replica'],
    before: async (world) => {
      await common(world)
      world.add(world.a, 'a-offline')
      await more(world, 2)
    },
    act: (world) => world.sync(world.a),
    after: path('tail'),
  },
  'a fold of what a replica has': {
    sides: ['replica'],
    before: async (world) => {
      await common(world)
      world.add(world.b, 'b-long', 60)
      await world.sync(world.b)
    },
    act: async (world) => {
      world.add(world.a, 'a-1')
      await world.sync(world.a)
    },
    after: async (world) => expect((await world.a.stored())?.snapshotBytes).toBeGreaterThan(0),
  },
  'a replica that opens': {
    sides: ['replica'],
    before: async (world, fuse) => {
      await common(world)
      world.add(world.a, 'a-offline')
      await world.finish(world.a.replica.flush())
      await world.a.end(fuse)
    },
    act: async (world) => {
      await world.a.open()
      await world.sync(world.a)
    },
  },
}

const levels: readonly Level[] = ['port', 'database']
const cases = Object.entries(scenarios).flatMap(([title, scenario]) =>
  scenario.sides.flatMap((side) => levels.map((level) => [title, side, level, scenario] as const)),
)

test.each(cases)(
  '[3] [4] [5] [6] [9] [10] ended between any two awaits: %s, at the %s, by %s',
  async (title, side, level, { before, act, after }) => {
    const { points } = await tally.add(`${title}, ${side}, ${level}`, async (fuse) => {
      const world = await EngineWorld.of(fuse, side, level)
      await before(world, fuse)
      let result: unknown
      const how = await fuse.during(async () => {
        result = await act(world)
      })
      if (how === 'survived') await after?.(world, result)
      await world.checkAfterwards(side)
      return how
    })
    expect(points).toBeGreaterThan(0)
  },
  120_000,
)

const twice = [
  'a rebuild',
  'a checkpoint, installed and trimmed',
  'a reset with recommit',
  'the first commits of a namespace',
]
/** After one call is before the next: both are asked for where there is time (2,030 times in all). */
const isAsked = (moment: Moment): boolean => moment === 'before' || process.env['EVERY_MOMENT'] === '1'
const twiceCases = twice.flatMap((title) => {
  const scenario = scenarios[title]
  return scenario?.sides.map((side) => [title, side, scenario] as const) ?? []
})

test.each(twiceCases)(
  '[3] [4] [5] ended between any two awaits, and once more while it comes back: %s, at the %s',
  async (title, side, { before, act }) => {
    let ends = 0
    const counted = await atEveryPoint(
      title,
      async (first) => {
        const world = await EngineWorld.of(first, side, 'port')
        await before(world, first)
        const how = await first.during(() => act(world))
        if (how === 'survived') return how
        const again = await atEveryPoint(
          'coming back',
          async (second) => {
            const fuse = new Fuse(first.death)
            const ended = await EngineWorld.of(fuse, side, 'port')
            await before(ended, fuse)
            await fuse.during(() => act(ended))
            await ended.comeBack(side, second)
            const survived = await second.during(async () => {
              await ended.open(side)
              for (const member of [ended.a, ended.b]) await ended.sync(member)
            })
            await ended.checkAfterwards(side)
            return survived
          },
          isAsked,
        )
        ends += again.deaths
        return how
      },
      isAsked,
    )
    console.log(`${title}, ${side}: ended ${counted.deaths} times, and ${ends} times coming back`)
    expect(ends).toBeGreaterThan(counted.deaths)
  },
  240_000,
)
