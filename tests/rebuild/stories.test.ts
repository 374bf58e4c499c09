// Rebuilds in the middle of everything else: replicas that come back from any age, offline edits, cut connections, crashes,
// checkpoints, conflicts, orphans, two hubs. Everybody ends with the same, nothing is lost and nothing doubled.
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { verifyNamespace } from '@rejoin/hub'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { turn } from '../support/stepped-time.ts'
import { NAMESPACE, World, type TodoOp } from './world.ts'

const REPLICAS = 3
const replica = fc.nat({ max: REPLICAS - 1 })
const hub = fc.nat({ max: 1 })
const name = fc.constantFrom('a', 'b')
const text = fc.constantFrom('x', 'y', 'z')
const op: fc.Arbitrary<TodoOp> = fc.oneof(
  fc.record({ type: fc.constant('ListAdded' as const), id: name, title: text }),
  fc.record({ type: fc.constant('ListTitled' as const), id: name, title: text }),
  fc.record({ type: fc.constant('ListRemoved' as const), id: name }),
  fc.record({ type: fc.constant('ItemSet' as const), list: name, item: name, text }),
  fc.record({ type: fc.constant('ItemRemoved' as const), list: name, item: name }),
  fc.record({ type: fc.constant('Weighed' as const), id: name, weight: fc.nat({ max: 3 }) }),
)

type Calm =
  | { readonly kind: 'apply'; readonly replica: number; readonly op: TodoOp }
  | { readonly kind: 'sync'; readonly replica: number; readonly hub: number; readonly oneShot: boolean }
  | { readonly kind: 'restart'; readonly replica: number }
  | { readonly kind: 'rebuild' | 'checkpoint' | 'restart hub'; readonly hub: number }
const calmStep: fc.Arbitrary<Calm> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('apply' as const), replica, op }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('sync' as const), replica, hub, oneShot: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), replica }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'rebuild' as const,
        'rebuild' as const,
        'checkpoint' as const,
        'restart hub' as const,
      ),
      hub,
    }),
  },
)

type Wild =
  | Calm
  | { readonly kind: 'connect'; readonly replica: number; readonly hub: number }
  | { readonly kind: 'disconnect' | 'cut' | 'deaf' | 'return'; readonly replica: number }
  | { readonly kind: 'pass' }
const wildStep: fc.Arbitrary<Wild> = fc.oneof(
  { weight: 20, arbitrary: calmStep },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('connect' as const), replica, hub }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('disconnect' as const, 'cut' as const, 'deaf' as const, 'return' as const),
      replica,
    }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: 'pass' as const }) },
)

/** Something that all replicas know, so that they can disagree on it. */
async function begin(world: World): Promise<void> {
  world.step()
  for (const id of ['a', 'b']) {
    world.apply(world.at(0), { type: 'ListAdded', id, title: 'to begin with' })
    world.apply(world.at(0), { type: 'ItemSet', list: id, item: 'a', text: 'to begin with' })
  }
  for (const member of world.members) await world.sync(member)
}

async function take(world: World, step: Wild): Promise<void> {
  world.step()
  switch (step.kind) {
    case 'apply':
      world.apply(world.at(step.replica), step.op)
      return await turn()
    case 'sync': {
      const member = world.at(step.replica)
      member.hub = step.hub
      await world.sync(member, step.oneShot).catch(() => {})
      return
    }
    case 'restart':
      await turn()
      return await world.at(step.replica).crash()
    case 'rebuild':
      await world.finish(world.hubAt(step.hub).rebuild(NAMESPACE)).catch(() => {})
      return
    case 'checkpoint':
      await world.finish(world.hubAt(step.hub).checkpoint(NAMESPACE)).catch(() => {})
      return
    case 'restart hub':
      world.restartHub(step.hub)
      return
    case 'connect': {
      const member = world.at(step.replica)
      member.hub = step.hub
      member.replica.connect()
      return
    }
    case 'disconnect':
      world.at(step.replica).replica.disconnect()
      return
    case 'cut':
      world.at(step.replica).cut()
      return
    case 'deaf':
      // Pushes arrive, answers do not.
      world.at(step.replica).wire.swallow('down')
      return
    case 'return': {
      // What it had is at the hub, or it would be lost with its folder; it comes back with nothing.
      const member = world.at(step.replica)
      member.cut()
      member.replica.disconnect()
      await world.sync(member).catch(() => {})
      if (member.replica.status.pending === 0) world.members[step.replica] = await world.newMember()
      return
    }
    case 'pass':
      return await world.pass(700)
  }
}

/** Everybody has everything: now a rebuild costs nobody more than its record, and all make the very bytes that the hub has. */
async function expectSameRebuild(world: World): Promise<void> {
  world.step()
  await world.finish(world.hub.rebuild(NAMESPACE))
  const checkpoint = await world.store.checkpoint(NAMESPACE)
  const snapshot = Buffer.from((await checkpoint?.snapshot()) ?? []).toString('hex')
  for (const member of world.members) {
    const report = await world.sync(member)
    expect(report).toMatchObject({ path: 'rebuild', divergence: null, pulled: 0 })
    expect(report.bytesDown).toBeLessThan(250)
    expect(Buffer.from(member.replica.encode()).toString('hex')).toBe(snapshot)
  }
}

const runs = Number(process.env['RUNS'] ?? 60)
const steps = <S>(step: fc.Arbitrary<S>) => fc.array(step, { minLength: 10, maxLength: 50, size: 'max' })

test.each([1, 2])(
  '[1] [3] [4] [5] [7] [10] [22] whatever happens around rebuilds, all converge with all that was saved (%i hubs)',
  async (hubs) => {
    const met = { rebuilds: 0, inPlace: 0, resets: 0, conflicts: 0 }
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 1e6 }), steps(wildStep), async (seed, story) => {
        const world = await World.of(seed, {
          hubs,
          replicas: REPLICAS,
          retention: { commits: 3 },
          checkpoint: { bytesMin: 600 },
          rebuild: { factor: 0.5, bytesMin: 60 },
        })
        await begin(world)
        for (const step of story) await take(world, step)
        await world.settle()
        const views = world.views()
        for (const view of views) expect(view).toEqual(views[0])
        expect(views[0]).toMatchObject({
          unplaced: 0,
          pending: 0,
          rejected: [],
          divergence: null,
          persistence: 'ok',
        })
        expect(world.loggedTwice).toEqual([])
        expect(world.lost).toEqual([])
        met.conflicts += world.at(0).replica.conflicts().length
        met.inPlace += world.paths.filter((path) => path === 'rebuild').length
        met.resets += world.paths.filter((path) => path === 'reset').length
        met.rebuilds += world.hubs.reduce((sum, each) => sum + each.metrics().rebuilds, 0)
        await expectSameRebuild(world)
        expect((await verifyNamespace(world.store, yjsCrdt.updates, NAMESPACE)).faults).toEqual([])
        for (const each of world.hubs) await world.finish(each.close())
      }),
      { numRuns: runs },
    )
    // Stories in which nothing happens prove nothing.
    for (const count of Object.values(met)) expect(count).toBeGreaterThan(runs / 10)
  },
  300_000,
)

/**
 * An op of the `i`th step that no other can be mistaken for: its values are its own. What is written where the very same
 * stands already writes nothing, and then it matters what a replica saw when.
 */
function ownOp(i: number, added: number, { type, list, item }: Choice): TodoOp {
  switch (type) {
    case 'ListAdded':
      return { type, id: `list-${added}`, title: `added ${i}` }
    case 'ListTitled':
      return { type, id: list, title: `titled ${i}` }
    case 'ListRemoved':
      return { type, id: list }
    case 'ItemSet':
      return { type, list, item, text: `set ${i}` }
    case 'ItemRemoved':
      return { type, list, item }
    case 'Weighed':
      return { type, id: item, weight: i }
  }
}

interface Choice {
  readonly type: Exclude<TodoOp['type'], 'Resolved' | 'Restored'>
  readonly list: string
  readonly item: string
}
const choice: fc.Arbitrary<Choice> = fc.record({
  type: fc.constantFrom(
    ...([
      'ListAdded',
      'ListTitled',
      'ListTitled',
      'ListRemoved',
      'ItemSet',
      'ItemSet',
      'ItemRemoved',
      'Weighed',
    ] as const),
  ),
  list: name,
  item: name,
})
const told = fc.array(fc.tuple(calmStep, choice), { minLength: 10, maxLength: 50, size: 'max' })

test('[1] [10] [22] a story with rebuilds ends as the same story without: content, conflicts and orphans', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 1e6 }), told, async (seed, story) => {
      const ends: object[] = []
      for (const rebuilds of [true, false]) {
        const world = await World.of(seed, {
          replicas: REPLICAS,
          ...(rebuilds ? { retention: { commits: 3 } } : {}),
          rebuild: 'never',
        })
        await begin(world)
        let added = 0
        for (const [i, [step, chosen]] of story.entries()) {
          if (step.kind === 'apply') {
            await take(world, { ...step, op: ownOp(i, added, chosen) })
            if (chosen.type === 'ListAdded') added++
          } else if (rebuilds || (step.kind !== 'rebuild' && step.kind !== 'checkpoint'))
            await take(world, step)
          else world.step()
        }
        world.step()
        await world.settle()
        const [view] = world.views() as { digest: string; conflicts: unknown }[]
        ends.push({ digest: view?.digest, conflicts: view?.conflicts, logged: world.store.logged.toSorted() })
        for (const each of world.hubs) await world.finish(each.close())
      }
      expect(ends[0]).toEqual(ends[1])
    }),
    { numRuns: runs },
  )
}, 300_000)
