/** Arbitraries of stories: every step shrinks by itself, and a story shrinks by leaving steps out. */
import fc from 'fast-check'
import type { AnyDomain, AnyOp, OpOf } from '@rejoin/core'
import { scenes } from './scenes.ts'
import type { Step, StepKind } from './step.ts'

/** The very fast-check that stories are drawn with: arbitraries of another copy of it do not fit. */
export { fc }

/** An arbitrary for the payload of each op of the domain that the check should use. */
export type OpArbitraries<D extends AnyDomain> = {
  readonly [Type in OpOf<D>['type']]?: fc.Arbitrary<Omit<Extract<OpOf<D>, { type: Type }>, 'type'>>
}

/** What one run is made of. */
export interface Story {
  /** Draws replica ids, client ids and waiting times. */
  readonly chance: number
  readonly steps: readonly Step[]
}

type StepArbitraries = Readonly<Record<StepKind, fc.Arbitrary<Step>>>

/** How often each kind is met by itself: together about a hundred. What breaks something is rarer than what mends it. */
const weights: Readonly<Record<StepKind, number>> = {
  apply: 36,
  deliver: 12,
  exchange: 12,
  connect: 5,
  disconnect: 1,
  wait: 2,
  partition: 1,
  heal: 3,
  cut: 3,
  late: 4,
  restart: 3,
  restartHub: 1,
  disk: 3,
  clock: 2,
  checkpoint: 2,
  rebuild: 2,
  refuse: 1,
  discard: 1,
  resubmit: 1,
  resolve: 5,
  undo: 4,
  redo: 2,
  withdraw: 2,
}

/** @throws Error when there is no arbitrary, or one for an op that the domain does not have. */
export function storyArbitrary<D extends AnyDomain>(
  domain: D,
  arbitraries: OpArbitraries<D>,
  shape: { readonly replicas: number; readonly steps: number; readonly without: readonly StepKind[] },
): fc.Arbitrary<Story> {
  const steps = stepArbitraries(opArbitrary(domain, arbitraries), shape.replicas)
  const isLeft = (kind: StepKind): boolean => shape.without.includes(kind)
  const singles = stepKinds
    .filter((kind) => !isLeft(kind))
    .map((kind) => ({ weight: weights[kind], arbitrary: steps[kind].map((step) => [step]) }))
  const story = fc.record({
    chance: fc.nat(0xffff),
    // Without `size`, fast-check keeps arrays near ten items.
    steps: fc
      .array(fc.oneof(...singles, ...scenes(steps, shape.replicas)), {
        minLength: 1,
        maxLength: shape.steps,
        size: 'max',
      })
      .map((parts) =>
        parts
          .flat()
          .filter(({ kind }) => !isLeft(kind))
          .slice(0, shape.steps),
      ),
  })
  // Bias is for edge cases of values; here it only makes short stories.
  return fc.noBias(story)
}

// The keys are what the type says they are.
const stepKinds = Object.keys(weights) as StepKind[]

function opArbitrary<D extends AnyDomain>(domain: D, arbitraries: OpArbitraries<D>): fc.Arbitrary<AnyOp> {
  const ops = Object.entries<fc.Arbitrary<object> | undefined>(arbitraries).flatMap(([type, payload]) => {
    if (!Object.hasOwn(domain.ops, type)) throw new Error(`domain ${domain.name} has no op ${type}`)
    return payload === undefined ? [] : [payload.map((fields): AnyOp => ({ type, ...fields }))]
  })
  if (ops.length === 0) throw new Error('checkConvergence needs an arbitrary for at least one op')
  return fc.oneof(...ops)
}

function stepArbitraries(op: fc.Arbitrary<AnyOp>, replicas: number): StepArbitraries {
  const replica = fc.nat(replicas - 1)
  const pick = fc.nat(3)
  const order = fc.nat(0xffff)
  const one = { weight: 4, arbitrary: op.map((only) => [only]) }
  const several = { weight: 1, arbitrary: fc.array(op, { minLength: 2, maxLength: 4 }) }
  const of = <K extends StepKind>(kind: K): fc.Arbitrary<K> => fc.constant(kind)
  return {
    apply: fc.record({ kind: of('apply'), replica, ops: fc.oneof(one, several) }),
    resolve: fc.record({ kind: of('resolve'), replica, pick, choice: pick }),
    discard: fc.record({ kind: of('discard'), replica, pick }),
    resubmit: fc.record({ kind: of('resubmit'), replica, pick }),
    undo: fc.record({ kind: of('undo'), replica }),
    redo: fc.record({ kind: of('redo'), replica }),
    withdraw: fc.record({ kind: of('withdraw'), replica, pick }),
    exchange: fc.record({
      kind: of('exchange'),
      replica,
      cutAfter: fc.option(fc.nat(10), { nil: null, freq: 2 }),
      order,
    }),
    connect: fc.record({ kind: of('connect'), replica }),
    disconnect: fc.record({ kind: of('disconnect'), replica }),
    deliver: fc.record({ kind: of('deliver'), messages: fc.integer({ min: 1, max: 12 }), order }),
    wait: fc.record({ kind: of('wait'), ms: fc.constantFrom(300, 6_000, 31_000) }),
    partition: fc.record({
      kind: of('partition'),
      replica,
      direction: fc.constantFrom('both' as const, 'up' as const, 'down' as const),
    }),
    heal: fc.record({ kind: of('heal'), replica }),
    cut: fc.record({
      kind: of('cut'),
      replica,
      heardBy: fc.constantFrom('both' as const, 'replica' as const, 'hub' as const),
    }),
    late: fc.record({
      kind: of('late'),
      replica,
      what: fc.constantFrom('rest' as const, 'again' as const),
    }),
    restart: fc.record({ kind: of('restart'), replica }),
    restartHub: fc.constant({ kind: 'restartHub' as const }),
    disk: fc.record({
      kind: of('disk'),
      replica,
      state: fc.constantFrom('works' as const, 'works' as const, 'stalls' as const, 'fails' as const),
    }),
    clock: fc.record({
      kind: of('clock'),
      replica,
      aheadMs: fc.constantFrom(0, 1, 1_000, 3_600_000, -1, -1_000, -3_600_000),
    }),
    checkpoint: fc.constant({ kind: 'checkpoint' as const }),
    rebuild: fc.record({ kind: of('rebuild'), by: fc.constantFrom('hub' as const, 'another' as const) }),
    refuse: fc.record({ kind: of('refuse'), replica, commits: fc.integer({ min: 1, max: 2 }) }),
  }
}
