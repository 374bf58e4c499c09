/**
 * `checkConvergence` proves, for a user's own domain, that replicas converge and lose nothing: it drives a world through
 * stories of random steps with the user's ops, checks rules by number, shrinks a failure to a short story and says how to
 * replay it.
 */
import fc from 'fast-check'
import type { AnyDomain } from '@rejoin/core'
import { failureText } from './failure-text.ts'
import { storyArbitrary, type OpArbitraries, type Story } from './step-arbitrary.ts'
import type { StepKind } from './step.ts'
import { stepText } from './step-text.ts'
import { shortened, type Failing } from './shortening.ts'
import { playStory, type Played } from './story.ts'
import type { World } from './world.ts'

export interface ConvergenceOptions {
  /** Makes a fresh world for each run; `chance` is any whole number that it draws everything random from. */
  readonly openWorld: (replicas: number, chance: number) => Promise<World>
  /** Default 3. */
  readonly replicas?: number
  /** Steps of one story at most; default 60. */
  readonly steps?: number
  /** Stories to try; default 100. */
  readonly runs?: number
  /** Replays a failure: the seed it printed. Default: a new one each time. */
  readonly seed?: number
  /** Replays the shrunk story at once: the path it printed. */
  readonly path?: string
  /** Whether to look for a shorter story that fails too; default true. */
  readonly shrink?: boolean
  /** Kinds of steps to leave out; default none. */
  readonly without?: readonly StepKind[]
  /** Hears a line now and then; default: silence. */
  readonly log?: (line: string) => void
}

/** A story broke rules. The message tells everything; these are for programs. */
export class ConvergenceError extends Error {
  override readonly name = 'ConvergenceError'
  /** Numbers of the broken rules in `docs/SPEC.md`, ascending; none where the world itself failed. */
  readonly rules: readonly number[]
  readonly seed: number
  readonly path: string
  /** Stories played before one failed, and that one. */
  readonly runs: number

  constructor(
    message: string,
    found: Pick<ConvergenceError, 'rules' | 'seed' | 'path' | 'runs'>,
    options: ErrorOptions = {},
  ) {
    super(message, options)
    this.rules = found.rules
    this.seed = found.seed
    this.path = found.path
    this.runs = found.runs
  }
}

/**
 * @throws ConvergenceError naming the broken rules, the shortest story found that breaks them, and how to replay it.
 * @throws Error when `arbitraries` do not fit the domain.
 */
export async function checkConvergence<D extends AnyDomain>(
  domain: D,
  arbitraries: OpArbitraries<D>,
  options: ConvergenceOptions,
): Promise<void> {
  const { openWorld, replicas = 3, steps = 60, runs = 100, seed, path } = options
  const { shrink = true, without = [], log = () => {} } = options
  const tally = { stories: 0, steps: 0, commits: 0 }
  const play = async ({ chance, steps: taken }: Story): Promise<Played> =>
    playStory(domain, await openWorld(replicas, chance), taken)
  const story = storyArbitrary(domain, arbitraries, { replicas, steps, without })
  const property = fc.asyncProperty(story, async (told) => {
    const played = await play(told)
    tally.stories++
    tally.steps += told.steps.length
    tally.commits += played.commits
    if (tally.stories % LOG_EVERY === 0) log(`${domain.name}: ${tallyText(tally)}`)
    if (played.findings.length > 0) throw new Broken({ steps: told.steps, played })
  })
  const details = await fc.check(property, {
    numRuns: runs,
    ...(seed === undefined ? {} : { seed }),
    ...(path === undefined ? {} : { path }),
    endOnFailure: path !== undefined || !shrink,
  })
  log(`${domain.name}: ${tallyText(tally)}, seed ${details.seed}`)
  if (!details.failed) return
  const { errorInstance: cause, counterexample } = details
  if (!(cause instanceof Broken) || counterexample === null)
    throw failureOf(domain, wreck(details), details, cause)
  const chance = counterexample[0].chance
  const shortest = shrink
    ? await shortened(cause.failing, (taken) => play({ chance, steps: taken }))
    : cause.failing
  throw failureOf(domain, shortest.played, details)
}

const LOG_EVERY = 100

/** What a run throws that broke rules. */
class Broken extends Error {
  readonly failing: Failing

  constructor(failing: Failing) {
    super('the story broke rules')
    this.failing = failing
  }
}

/** The world itself failed: nothing was observed, so no rule is named. */
function wreck({ counterexample, errorInstance: cause }: fc.RunDetails<[Story]>): Played {
  const lines = counterexample?.[0].steps.map(stepText) ?? []
  const reason = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  return { lines: [...lines, `and the world failed: ${reason}`], findings: [], commits: 0 }
}

function failureOf(
  domain: AnyDomain,
  { lines, findings }: Played,
  { seed, counterexamplePath, numRuns }: fc.RunDetails<[Story]>,
  cause?: unknown,
): ConvergenceError {
  const path = counterexamplePath ?? ''
  const replay = `{ seed: ${seed}, path: ${JSON.stringify(path)} }`
  const message = `domain ${domain.name} does not converge (story ${numRuns}); replay it with ${replay}`
  const rules = [...new Set(findings.map(({ rule }) => rule))].sort((a, b) => a - b)
  const found = { rules, seed, path, runs: numRuns }
  return new ConvergenceError(`${message}\n${failureText(lines, findings)}`, found, { cause })
}

function tallyText({ stories, steps, commits }: { stories: number; steps: number; commits: number }): string {
  return `${stories} stories, ${steps} steps, ${commits} commits logged`
}
