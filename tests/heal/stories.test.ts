// Random stories of replicas and of a hub that is restored again and again, by the book: whatever the order in which they come
// back, all end with the same; nothing that anybody had is missing, and nothing that was deleted is there again.
import { SyncError } from '@rejoin/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { turn } from '../support/stepped-time.ts'
import { World, type Member } from './world.ts'

const REPLICAS = 3
const replica = fc.nat({ max: REPLICAS - 1 })
const key = fc.nat({ max: 30 })

type Step =
  | { readonly kind: 'note'; readonly replica: number }
  | { readonly kind: 'forget' | 'contend'; readonly replica: number; readonly key: number }
  | { readonly kind: 'sync'; readonly replica: number; readonly hub: number; readonly oneShot: boolean }
  | { readonly kind: 'connect'; readonly replica: number; readonly hub: number }
  | { readonly kind: 'disconnect' | 'cut' | 'deaf' | 'restart'; readonly replica: number }
  | { readonly kind: 'checkpoint' | 'restore' | 'backup' | 'pass' | 'join' | 'rebuild' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('note' as const), replica }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom('forget' as const, 'contend' as const), replica, key }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('sync' as const),
      replica,
      hub: fc.nat({ max: 1 }),
      oneShot: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('connect' as const), replica, hub: fc.nat({ max: 1 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('disconnect' as const, 'cut' as const, 'deaf' as const, 'restart' as const),
      replica,
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'checkpoint' as const,
        'restore' as const,
        'restore' as const,
        'backup' as const,
        'pass' as const,
        'join' as const,
      ),
    }),
  },
)

interface Told {
  /** Keys that were written once, by one replica. */
  readonly written: string[]
  /** Those that somebody who saw them deleted. */
  readonly forgotten: Set<string>
}

interface How {
  readonly marked: boolean
  readonly hubs: number
  readonly retention: number
}

async function tell(seed: number, steps: readonly Step[], how: How): Promise<{ world: World; told: Told }> {
  const world = new World(seed, { hubs: how.hubs, retention: { commits: how.retention } })
  const told: Told = { written: [], forgotten: new Set() }
  for (let i = 0; i < REPLICAS; i++) await world.join(`r${i}`)
  at(world, 0).note('first', 'of all')
  for (const member of world.members) await world.sync(member)
  let backup = world.backup()
  for (const one of steps) {
    world.step()
    if (one.kind === 'backup') backup = world.backup()
    else if (one.kind === 'restore') {
      await world.restore(backup, { marked: how.marked })
    } else await take(world, told, one)
    await turn()
  }
  for (const member of world.members) {
    member.replica.disconnect()
    member.cut()
  }
  await turn()
  return { world, told }
}

async function take(
  world: World,
  told: Told,
  one: Exclude<Step, { kind: 'backup' | 'restore' }>,
): Promise<void> {
  switch (one.kind) {
    case 'note': {
      const name = `n${told.written.length}`
      at(world, one.replica).note(name, `by ${one.replica}`)
      told.written.push(name)
      return
    }
    case 'forget': {
      const name = told.written[one.key]
      const member = at(world, one.replica)
      if (name !== undefined && member.forget(name) !== null) told.forgotten.add(name)
      return
    }
    case 'contend':
      at(world, one.replica).note(`shared ${one.key % 3}`, `by ${one.replica} at ${one.key}`)
      return
    case 'sync': {
      const member = at(world, one.replica)
      member.hub = one.hub
      await world.sync(member, { oneShot: one.oneShot }).catch(() => {})
      return
    }
    case 'connect': {
      const member = at(world, one.replica)
      member.hub = one.hub
      member.replica.connect()
      return
    }
    case 'disconnect':
      return at(world, one.replica).replica.disconnect()
    case 'cut':
      return at(world, one.replica).cut()
    case 'deaf':
      at(world, one.replica).wire.swallow('down')
      return
    case 'restart':
      await turn()
      return at(world, one.replica).restart()
    case 'checkpoint':
      await world.finish(world.hubAt(0).checkpoint('home')).catch(() => {})
      return
    case 'rebuild':
      await world.finish(world.hubAt(0).rebuild('home')).catch(() => {})
      return
    case 'pass':
      return world.pass(500)
    case 'join':
      if (world.members.length < REPLICAS + 2) await world.sync(await world.join('another')).catch(() => {})
  }
}

function at(world: World, index: number): Member {
  const member = world.members[index]
  if (member === undefined) throw new Error('no such replica')
  return member
}

async function check(seed: number, steps: readonly Step[], how: How): Promise<number> {
  const { world, told } = await tell(seed, steps, how)
  await world.settle()
  for (const member of world.members) await member.restart()
  await world.sync(await world.join('newcomer'))
  const views = world.views()
  for (const view of views) expect(view).toEqual(views[0])
  expect(views[0]).toMatchObject({ unplaced: 0, pending: 0, rejected: [], divergence: null })
  const { texts } = at(world, 0)
  const alive = told.written.filter((name) => !told.forgotten.has(name))
  expect(
    Object.keys(texts)
      .filter((name) => name.startsWith('n'))
      .sort(),
  ).toEqual(alive.sort())
  expect(texts['first']).toBe('of all')
  expect(await world.faults()).toEqual([])
  expect(world.loggedTwice).toEqual([])
  for (const { cursors } of world.members) {
    for (const [i, { seq }] of cursors.entries()) expect(seq).toBeGreaterThanOrEqual(cursors[i - 1]?.seq ?? 0)
  }
  return world.members.flatMap(({ paths }) => paths).filter((path) => path === 'heal').length
}

const story = fc.array(step, { minLength: 10, maxLength: 60 })

test.each([
  ['one hub, restored by the book, with a short log', { marked: true, hubs: 1, retention: 3 }, 40],
  ['two hubs over one store, restored by the book', { marked: true, hubs: 2, retention: 5 }, 40],
  ['one hub with a short log, restored without a word of it', { marked: false, hubs: 1, retention: 3 }, 40],
  [
    'one hub with a long log, restored without a word of it',
    { marked: false, hubs: 1, retention: 1_000 },
    40,
  ],
] as const)(
  '[25][1][5][6] nothing that anybody had is lost: %s',
  async (_, how, numRuns) => {
    let heals = 0
    await fc.assert(
      fc.asyncProperty(fc.nat(), story, async (seed, steps) => {
        heals += await check(seed, steps, how)
      }),
      { numRuns },
    )
    // A story in which nothing was healed proves nothing.
    expect(heals).toBeGreaterThan(numRuns / 2)
  },
  240_000,
)

/** Rebuilt in between: not everybody can be healed then, and whoever cannot is told. */
const stepWithRebuilds = fc.oneof(
  { weight: 12, arbitrary: step },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'rebuild' }) },
)

test('[25][7][10] where documents are rebuilt in between, nothing is lost without a word', async () => {
  let refusals = 0
  let heals = 0
  const numRuns = 60
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.array(stepWithRebuilds, { minLength: 10, maxLength: 60 }),
      async (seed, steps) => {
        const { world, told } = await tell(seed, steps, { marked: true, hubs: 1, retention: 5 })
        const refused = new Map<Member, Record<string, string>>()
        for (let round = 0; round < 3; round++) {
          for (const member of world.members) {
            const before = member.texts
            const code = await world.sync(member).then(
              () => null,
              (error: unknown) => (error instanceof SyncError ? error.code : String(error)),
            )
            expect([null, 'HISTORY_DIVERGED']).toContain(code)
            if (code === null) refused.delete(member)
            else refused.set(member, before)
          }
        }
        await world.sync(await world.join('newcomer'))
        // Who is refused has what it had.
        for (const [member, texts] of refused) expect(member.texts).toEqual(texts)
        const others = world.members.filter((member) => !refused.has(member))
        for (const member of others) await member.restart()
        const views = world.views(others)
        for (const view of views) expect(view).toEqual(views[0])
        expect(views[0]).toMatchObject({ unplaced: 0, pending: 0, rejected: [], divergence: null })
        expect(await world.faults()).toEqual([])
        expect(world.loggedTwice).toEqual([])
        // What nobody deleted somebody has: all who agree, or one who was refused.
        const kept = new Set(world.members.flatMap(({ texts }) => Object.keys(texts)))
        expect(told.written.filter((name) => !told.forgotten.has(name) && !kept.has(name))).toEqual([])
        refusals += refused.size
        heals += world.members.flatMap(({ paths }) => paths).filter((path) => path === 'heal').length
      },
    ),
    { numRuns },
  )
  expect(refusals).toBeGreaterThan(0)
  expect(heals).toBeGreaterThan(numRuns / 4)
}, 240_000)
