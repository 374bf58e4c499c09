/** Arbitraries of stories: every step shrinks by itself, and a story shrinks by leaving steps out. */
import fc from 'fast-check'
import { SyncError, type AnyDomain, type AnyOp, type OpOf } from '@rejoin/core'
import { commonGround, scenes, type Rivals } from './scenes.ts'
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

/** @throws SyncError INPUT_INVALID when there is no arbitrary, or one for an op that the domain does not have. */
export function storyArbitrary<D extends AnyDomain>(
  domain: D,
  arbitraries: OpArbitraries<D>,
  shape: { readonly replicas: number; readonly steps: number; readonly without: readonly StepKind[] },
): fc.Arbitrary<Story> {
  const draws = opDraws(domain, arbitraries)
  const steps = stepArbitraries(draws, shape.replicas)
  const isLeft = (kind: StepKind): boolean => shape.without.includes(kind)
  const singles = stepKinds
    .filter((kind) => !isLeft(kind))
    .map((kind) => ({ weight: weights[kind], arbitrary: steps[kind].map((step) => [step]) }))
  const part = fc.oneof(...singles, ...scenes(steps, draws.rivals, shape.replicas))
  // Without `size`, fast-check keeps arrays near ten items.
  const parts = fc.array(part, { minLength: Math.ceil(shape.steps / 4), maxLength: shape.steps, size: 'max' })
  const ground = fc.option(commonGround(draws.many, shape.replicas), { nil: [], freq: 4 })
  const story = fc.tuple(fc.nat(0xffff), ground, parts).map(([chance, before, after]): Story => {
    const taken = [...before, ...after.flat()].filter(({ kind }) => !isLeft(kind))
    return { chance, steps: taken.slice(0, shape.steps) }
  })
  // Bias is for edge cases of values; here it only makes short stories.
  return fc.noBias(story)
}

/** The keys are what the type says they are. */
export const stepKinds: readonly StepKind[] = Object.keys(weights) as StepKind[]

/** What each op may be made into by shrinking its payload, the simplest first. */
export function simplerOps<D extends AnyDomain>(
  arbitraries: OpArbitraries<D>,
): (op: AnyOp) => Iterable<AnyOp> {
  const payloads = new Map(Object.entries<fc.Arbitrary<object> | undefined>(arbitraries))
  return function* ({ type, ...fields }) {
    const payload = payloads.get(type)
    // Where an arbitrary was mapped, nobody knows what its value was made of.
    if (payload?.canShrinkWithoutContext(fields) !== true) return
    for (const { value } of payload.shrink(fields, undefined).take(SIMPLER_MAX)) yield { type, ...value }
  }
}

/** Simpler payloads that are tried of one op before it is taken as it is. */
const SIMPLER_MAX = 8

interface OpDraws {
  readonly any: fc.Arbitrary<AnyOp>
  readonly many: fc.Arbitrary<AnyOp[]>
  /** Of one type: whichever it is, one of several often fits, also where only few rows are there to build on. */
  readonly alike: fc.Arbitrary<AnyOp[]>
  /** Pairs of one type that differ in one field at most: often they mean the same place. */
  readonly rivals: fc.Arbitrary<Rivals[]>
}

function opDraws<D extends AnyDomain>(domain: D, arbitraries: OpArbitraries<D>): OpDraws {
  const refuse = (why: string): never => {
    throw new SyncError('INPUT_INVALID', `checkConvergence of domain ${domain.name}: ${why}`)
  }
  const ops = Object.entries<fc.Arbitrary<object> | undefined>(arbitraries).flatMap(([type, payload]) => {
    if (!Object.hasOwn(domain.ops, type))
      refuse(`there is no op ${JSON.stringify(type)}; there are ${Object.keys(domain.ops).join(', ')}`)
    return payload === undefined ? [] : [payload.map((fields): AnyOp => ({ type, ...fields }))]
  })
  if (ops.length === 0) refuse('it needs an arbitrary for at least one op')
  const rivals = ops.map((op) =>
    fc.tuple(op, op, fc.nat(0xff)).map(([a, b, pick]): Rivals => [a, rivalOf(a, b, pick)]),
  )
  const several = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(of, { minLength: 5, maxLength: 10 })
  return {
    any: fc.oneof(...ops),
    many: fc.array(fc.oneof(...ops), { minLength: 20, maxLength: 40 }),
    alike: fc.oneof(...ops.map(several)),
    rivals: fc.oneof(...rivals.map(several)),
  }
}

/** The first op with one of the fields of the second. */
function rivalOf(first: AnyOp, second: AnyOp, pick: number): AnyOp {
  const names = Object.keys(second).filter((name) => name !== 'type')
  const name = names[pick % Math.max(1, names.length)]
  return name === undefined ? first : { ...first, [name]: second[name] }
}

function stepArbitraries({ any, alike }: OpDraws, replicas: number): StepArbitraries {
  const replica = fc.nat(replicas - 1)
  const pick = fc.nat(3)
  const order = fc.nat(0xffff)
  const drawn = fc.array(any, { minLength: 3, maxLength: 6 })
  const one = fc
    .tuple(alike, drawn)
    .map(([[op, ...others], more]) => ({ ops: op === undefined ? [] : [op], others: [...others, ...more] }))
  const several = fc.record({ ops: fc.array(any, { minLength: 2, maxLength: 4 }), others: drawn })
  const ops = fc.oneof({ weight: 4, arbitrary: one }, { weight: 1, arbitrary: several })
  const of = <K extends StepKind>(kind: K): fc.Arbitrary<K> => fc.constant(kind)
  return {
    apply: fc
      .tuple(replica, ops)
      .map(([who, candidates]): Step => ({ kind: 'apply', replica: who, ...candidates })),
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
