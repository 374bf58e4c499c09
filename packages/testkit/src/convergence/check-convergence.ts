/**
 * `checkConvergence` proves, for a user's own domain, that replicas converge and lose nothing: it drives a world through
 * stories of random steps with the user's ops, checks rules by number, shrinks a failure to a short story and says how to
 * replay it. Stories in which nothing happened prove nothing, and that fails too.
 */
import fc from 'fast-check'
import type { AnyDomain } from '@rejoin/core'
import { calledAt, ConvergenceError } from './convergence-error.ts'
import { failureText } from './failure-text.ts'
import { checkOptions, type ConvergenceOptions } from './options.ts'
import { isBroken, shortened, type Failing } from './shortening.ts'
import { simplerOps, storyArbitrary, type OpArbitraries, type Story } from './step-arbitrary.ts'
import { stepText } from './step-text.ts'
import { playStory, type Played } from './story.ts'
import { Tally } from './tally.ts'

const LOG_EVERY = 100

/**
 * @throws ConvergenceError naming the broken rules, the shortest story found that breaks them, and how to replay it; or
 * what the stories proved nothing about.
 * @throws SyncError INPUT_INVALID when `arbitraries` or `options` are not what they should be.
 */
export function checkConvergence<D extends AnyDomain>(
  domain: D,
  arbitraries: OpArbitraries<D>,
  options: ConvergenceOptions,
): Promise<void> {
  return check(domain, arbitraries, options, calledAt(options.door ?? checkConvergence))
}

async function check<D extends AnyDomain>(
  domain: D,
  arbitraries: OpArbitraries<D>,
  options: ConvergenceOptions,
  frames: string,
): Promise<void> {
  checkOptions(domain, options)
  const { openWorld, replicas = 3, steps = 60, runs = 100, seed, path, without = [], log } = options
  const { shrink = true, shrinkTriesMax = 300 } = options
  const tally = new Tally(Object.keys(arbitraries))
  let failing: Failing | null = null
  const play = async ({ chance, steps: taken }: Story): Promise<Failing> => {
    const told: Story = { chance, steps: taken }
    try {
      return {
        story: told,
        played: await playStory(domain, await openWorld(replicas, chance), taken),
        wreck: null,
      }
    } catch (cause) {
      return { story: told, played: wrecked(told, cause), wreck: { cause } }
    }
  }
  const property = fc.asyncProperty(
    storyArbitrary(domain, arbitraries, { replicas, steps, without }),
    async (told) => {
      const heard = await play(told)
      tally.add(heard.played)
      if (tally.stories % LOG_EVERY === 0) log?.(`${domain.name}: ${tally.text()}`)
      if (!isBroken(heard)) return true
      failing = heard
      return false
    },
  )
  const details = await fc.check(property, {
    numRuns: runs,
    ...(seed === undefined ? {} : { seed }),
    ...(path === undefined ? {} : { path }),
    // The story is shortened by us: with a bound, and only after it was told what replays it.
    endOnFailure: true,
  })
  log?.(`${domain.name}: ${tally.text()}, seed ${details.seed}`)
  if (tally.refusalsText() !== '') log?.(`${domain.name}: refused ${tally.refusalsText()}`)
  const found = { seed: details.seed, path: details.counterexamplePath ?? '', runs: details.numRuns }
  const first = failing as Failing | null
  if (first === null) {
    const untested = path === undefined ? tally.untested() : []
    if (untested.length > 0) throw unproved(domain, tally, untested, found, frames)
    return
  }
  if (!shrink || shrinkTriesMax === 0) throw failureOf(domain, first, found, frames)
  // A test runner may lose patience before the shortest story is found.
  const tell = log ?? console.error
  tell(`${domain.name}: story ${found.runs} fails, ${replayOf(found)}; looking for a shorter one`)
  const simpler = simplerOps(arbitraries)
  throw failureOf(domain, await shortened(first, play, simpler, shrinkTriesMax), found, frames)
}

/** The world itself failed: nothing was observed, so no rule is named. */
function wrecked({ steps }: Story, cause: unknown): Played {
  const reason = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  const lines = [...steps.map(stepText), `and the world failed: ${reason}`]
  return { lines, outcomes: [], findings: [], commits: 0, contested: 0 }
}

type Place = Pick<ConvergenceError, 'seed' | 'path' | 'runs'>

function failureOf(
  domain: AnyDomain,
  { played: { lines, findings }, wreck }: Failing,
  place: Place,
  frames: string,
): ConvergenceError {
  const rules = [...new Set(findings.map(({ rule }) => rule))].sort((a, b) => a - b)
  const what = `domain ${domain.name} does not converge (story ${place.runs}); ${replayOf(place)}`
  const message = `${what}\n${failureText(lines, findings)}`
  return placed(new ConvergenceError(message, { rules, ...place }, wreck ?? undefined), frames)
}

function unproved(
  domain: AnyDomain,
  tally: Tally,
  untested: readonly string[],
  place: Place,
  frames: string,
): ConvergenceError {
  const message = [
    `domain ${domain.name}: the check proves too little (${tally.text()}, seed ${place.seed})`,
    ...untested.map((line) => `  ${line}`),
    'Give arbitraries that fit the schemas, with few ids, and one for each op that makes what others need.',
  ].join('\n')
  return placed(new ConvergenceError(message, { rules: [], ...place }), frames)
}

/** The stack of an error that was made behind many awaits would say nothing of its caller. */
function placed(error: ConvergenceError, frames: string): ConvergenceError {
  error.stack = `${error.name}: ${error.message}\n${frames}`
  return error
}

function replayOf({ seed, path }: Place): string {
  return `replay it with { seed: ${seed}, path: ${JSON.stringify(path)} }`
}
