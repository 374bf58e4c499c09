/** Random stories: some replicas with wrong clocks edit offline, wait, and sync in random order. */
import fc from 'fast-check'
import type { AnyOp } from '@rejoin/core'
import { World, type Told } from './world.ts'

export type Step<Op> =
  | { readonly kind: 'apply'; readonly who: number; readonly ops: readonly Op[] }
  | { readonly kind: 'sync'; readonly who: number }
  | { readonly kind: 'wait'; readonly who: number; readonly ms: number }
  /** Resolves one of the conflicts that the replica lists, if there is any; the test says how. */
  | { readonly kind: 'resolve'; readonly who: number; readonly pick: number; readonly how: number }

export interface Story<Op> {
  /** Milliseconds by which each replica's clock is wrong. */
  readonly skews: readonly number[]
  readonly steps: readonly Step<Op>[]
}

const REPLICAS_MAX = 4

/** Stories of each property; more of them, for a night, by the environment. */
export const RUNS = Number(process.env['RUNS'] ?? 80)

export function storyOf<Op>(
  op: fc.Arbitrary<Op>,
  options: { resolves?: boolean; opsMax?: number } = {},
): fc.Arbitrary<Story<Op>> {
  const who = fc.nat({ max: REPLICAS_MAX - 1 })
  const step: fc.Arbitrary<Step<Op>> = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant('apply' as const),
        who,
        ops: fc.array(op, { minLength: 1, maxLength: options.opsMax ?? 2 }),
      }),
    },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('sync' as const), who }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('wait' as const),
        who,
        ms: fc.integer({ min: -20, max: 40 }),
      }),
    },
    {
      weight: options.resolves === true ? 6 : 0,
      arbitrary: fc.record({ kind: fc.constant('resolve' as const), who, pick: fc.nat(), how: fc.nat() }),
    },
  )
  return fc.record({
    skews: fc.array(fc.integer({ min: -60, max: 60 }), { minLength: 2, maxLength: REPLICAS_MAX }),
    // Without this, fast-check keeps arrays near ten items.
    steps: fc.array(step, { minLength: 4, maxLength: 36, size: 'max' }),
  })
}

/** Times that stories are drawn until one meets what the test is about. */
const DRAWS_MAX = 5

export type Resolve<Op extends AnyOp> = (world: World<Op>, who: number, pick: number, how: number) => void

/**
 * Plays each story to engine and model. A failure prints the seed, the path to the shrunk story, and the story.
 * @param look is shown the world after every step; says whether it meets what the test is about.
 * @returns how often it did: a test that never meets what it is about proves nothing.
 */
export async function playStories<Op extends AnyOp>(
  told: Told<Op>,
  story: fc.Arbitrary<Story<Op>>,
  options: {
    /** Ops that everybody has heard of before the story begins. */
    readonly opening?: readonly Op[]
    readonly resolve?: Resolve<Op>
    readonly look: (world: World<Op>, who: number) => boolean
  },
): Promise<number> {
  let met = 0
  const play = async ({ skews, steps }: Story<Op>): Promise<void> => {
    const world = await World.open(told, skews)
    const look = (who: number): void => {
      if (options.look(world, who)) met++
    }
    try {
      for (const op of options.opening ?? []) world.apply(0, op)
      for (let who = 0; who < world.count; who++) await world.sync(who)
      for (const step of steps) {
        const who = step.who % world.count
        if (step.kind === 'apply') world.apply(who, ...step.ops)
        else if (step.kind === 'sync') await world.sync(who)
        else if (step.kind === 'wait') world.wait(who, step.ms)
        else options.resolve?.(world, who, step.pick, step.how)
        look(who)
      }
      await world.settle()
      for (let who = 0; who < world.count; who++) look(who)
    } finally {
      await world.close()
    }
  }
  // What is rare among many ops may be missed by one draw of stories in a hundred: that is no fault of anybody's.
  for (let draw = 0; draw < DRAWS_MAX && met === 0; draw++) {
    await fc.assert(fc.asyncProperty(story, play), { numRuns: RUNS })
  }
  return met
}
