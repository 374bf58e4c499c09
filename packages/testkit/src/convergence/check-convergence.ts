/**
 * `checkConvergence` proves, for a user's own domain, that replicas converge: it drives real engines through offline
 * phases, broken connections, crashes and compaction with the user's ops, checks invariants by number, shrinks a failure
 * to a short story and prints the seed that replays it.
 */
import fc from 'fast-check'
import { canonicalJson, canonicalValue, type AnyDomain, type AnyOp, type OpOf } from '@rejoin/core'
import { checkSettled, type Finding } from './checkers.ts'
import type { World } from './world.ts'

/** An arbitrary for the payload of each op of the domain that the check should use. */
export type OpArbitraries<D extends AnyDomain> = {
  readonly [Type in OpOf<D>['type']]?: fc.Arbitrary<Omit<Extract<OpOf<D>, { type: Type }>, 'type'>>
}

export interface ConvergenceOptions {
  /** Makes a fresh world for each run. */
  readonly openWorld: (replicas: number) => Promise<World>
  /** Default 3. */
  readonly replicas?: number
  /** Steps of one run at most; default 30. */
  readonly steps?: number
  /** Default 100. */
  readonly runs?: number
  /** Replays a failure: the seed it printed. */
  readonly seed?: number
  /** Replays the shrunk case at once: the path it printed. */
  readonly path?: string
}

export type Step =
  | { readonly kind: 'apply'; readonly replica: number; readonly op: AnyOp }
  | { readonly kind: 'exchange'; readonly replica: number; readonly cutAfter: number | null }
  | { readonly kind: 'restart'; readonly replica: number }
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'rebuild' }

/** Exchanges in which everyone must have settled once nothing new is applied. */
const SETTLE_ROUNDS_MAX = 6

/**
 * @throws Error naming the broken invariant, the shortest story that breaks it, and the seed.
 */
export async function checkConvergence<D extends AnyDomain>(
  domain: D,
  arbitraries: OpArbitraries<D>,
  options: ConvergenceOptions,
): Promise<void> {
  const replicas = options.replicas ?? 3
  const story = fc.array(stepArbitrary(domain, arbitraries, replicas), {
    minLength: 1,
    maxLength: options.steps ?? 30,
  })
  const property = fc.asyncProperty(story, async (steps) => {
    const findings = await runStory(await options.openWorld(replicas), steps)
    if (findings.length > 0) throw new Error(failureText(steps, findings))
  })
  const details = await fc.check(property, {
    numRuns: options.runs ?? 100,
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.path === undefined ? {} : { path: options.path }),
  })
  if (!details.failed) return
  const { errorInstance: cause, seed, counterexamplePath, numRuns } = details
  const reason = cause instanceof Error ? cause.message : String(cause)
  const replay = `{ seed: ${seed}, path: ${JSON.stringify(counterexamplePath)} }`
  throw new Error(
    `domain ${domain.name} does not converge (run ${numRuns}); replay with ${replay}\n${reason}`,
    { cause },
  )
}

/** Plays a story, lets everyone exchange until nothing is left to say, and checks. */
export async function runStory(world: World, steps: readonly Step[]): Promise<readonly Finding[]> {
  try {
    for (const step of steps) await play(world, step)
    for (let round = 0; round < SETTLE_ROUNDS_MAX; round++) {
      const { replicas } = await world.observe()
      // A round that starts with nothing to push brings everyone to the same head.
      const quiet = replicas.every(({ outbox }) => outbox.length === 0)
      for (let replica = 0; replica < world.replicas; replica++) await world.exchange(replica, null)
      if (quiet) break
    }
    return checkSettled(await world.observe())
  } finally {
    await world.close()
  }
}

async function play(world: World, step: Step): Promise<void> {
  switch (step.kind) {
    case 'apply':
      await world.apply(step.replica, step.op)
      return
    case 'exchange':
      return world.exchange(step.replica, step.cutAfter)
    case 'restart':
      return world.restart(step.replica)
    case 'checkpoint':
      return world.checkpoint()
    case 'rebuild':
      return world.rebuild()
  }
}

function stepArbitrary<D extends AnyDomain>(
  domain: D,
  arbitraries: OpArbitraries<D>,
  replicas: number,
): fc.Arbitrary<Step> {
  const replica = fc.nat({ max: replicas - 1 })
  const ops = Object.entries<fc.Arbitrary<object> | undefined>(arbitraries).flatMap(([type, payload]) => {
    if (!Object.hasOwn(domain.ops, type)) throw new Error(`domain ${domain.name} has no op ${type}`)
    return payload === undefined ? [] : [payload.map((fields): AnyOp => ({ type, ...fields }))]
  })
  if (ops.length === 0) throw new Error('checkConvergence needs an arbitrary for at least one op')
  return fc.oneof(
    { weight: 12, arbitrary: fc.record({ kind: fc.constant('apply'), replica, op: fc.oneof(...ops) }) },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('exchange'), replica, cutAfter: fc.constant(null) }),
    },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('exchange'), replica, cutAfter: fc.nat({ max: 6 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart'), replica }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('checkpoint') }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('rebuild') }) },
  )
}

function failureText(steps: readonly Step[], findings: readonly Finding[]): string {
  const rules = findings.map(({ rule, what }) => `  [${rule}] ${what}`)
  return ['broken:', ...rules, 'by:', ...steps.map((step, i) => `  ${i + 1}. ${stepText(step)}`)].join('\n')
}

export function stepText(step: Step): string {
  switch (step.kind) {
    case 'apply':
      return `replica ${step.replica} applies ${canonicalJson(canonicalValue(step.op))}`
    case 'exchange':
      return `replica ${step.replica} exchanges${step.cutAfter === null ? '' : `, cut after ${step.cutAfter} messages down`}`
    case 'restart':
      return `replica ${step.replica} crashes and starts again`
    case 'checkpoint':
      return 'the hub folds its log'
    case 'rebuild':
      return 'the hub rebuilds the document'
  }
}
