/** Plays a story on a world, step by step, then lets everyone exchange until nothing is left to say, and checks. */
import type { AnyDomain } from '@rejoin/core'
import { checkSettled } from './checkers.ts'
import type { Finding } from './finding.ts'
import type { Step } from './step.ts'
import { outcomeText, stepText } from './step-text.ts'
import { Watch } from './watch.ts'
import type { Glance, StepOutcome, World } from './world.ts'

/** Exchanges in which everyone must have settled once nothing new is applied. */
const SETTLE_ROUNDS_MAX = 6

export interface Played {
  /** One line a step, with what came of it. */
  readonly lines: readonly string[]
  /** Of each step that was taken. */
  readonly outcomes: readonly StepOutcome[]
  /** Empty where nothing was broken. */
  readonly findings: readonly Finding[]
  /** Commits in the log at the end. */
  readonly commits: number
  /** The most registers that one replica at one moment saw with values written side by side. */
  readonly contested: number
}

/** Closes the world in any case. */
export async function playStory(domain: AnyDomain, world: World, steps: readonly Step[]): Promise<Played> {
  const played = { lines: [] as string[], outcomes: [] as StepOutcome[], commits: 0, contested: 0 }
  const watch = new Watch()
  const look = async (): Promise<Look> => {
    const glance = await world.glance()
    played.contested = Math.max(played.contested, ...glance.replicas.map(({ contested }) => contested))
    return { glance, findings: watch.checkGlance(glance) }
  }
  // What a merge function does wrong is the cause of whatever else is found.
  const end = (findings: readonly Finding[]): Played => ({
    ...played,
    findings: [...unruly(world), ...findings],
  })
  try {
    for (const step of steps) {
      const outcome = await world.take(step)
      played.outcomes.push(outcome)
      played.lines.push(stepText(step) + outcomeText(outcome))
      // What happens on broken ground says nothing.
      const broken = watch.checkOutcome(outcome)
      if (broken.length > 0) return end(broken)
      const { findings } = await look()
      if (findings.length > 0) return end(findings)
    }
    await world.calm()
    const rest = await look()
    const restless = [...rest.findings, ...watch.checkRest(rest.glance)]
    if (restless.length > 0) {
      played.lines.push('everything works again')
      return end(restless)
    }
    const settled = await settle(domain, world, look)
    played.commits = settled.commits
    return end(settled.findings)
  } finally {
    await world.close()
  }
}

function unruly(world: World): readonly Finding[] {
  return world.unruly().map((what) => ({ rule: 1, what }))
}

interface Look {
  readonly glance: Glance
  readonly findings: readonly Finding[]
}

async function settle(
  domain: AnyDomain,
  world: World,
  look: () => Promise<Look>,
): Promise<{ findings: readonly Finding[]; commits: number }> {
  for (let replica = 0; replica < world.replicas; replica++) await world.take({ kind: 'disconnect', replica })
  let { glance } = await look()
  for (let round = 0; round < SETTLE_ROUNDS_MAX; round++) {
    // A round that starts with nothing to push brings everyone to the same head.
    const isQuiet = isDrained(glance)
    for (let replica = 0; replica < world.replicas; replica++)
      await world.take({ kind: 'exchange', replica, cutAfter: null, order: 0 })
    const seen = await look()
    if (seen.findings.length > 0) return { findings: seen.findings, commits: 0 }
    glance = seen.glance
    if (isQuiet) break
  }
  const observation = await world.observe()
  const findings = checkSettled(domain, observation, await world.newcomer())
  return { findings, commits: observation.logged.length }
}

function isDrained({ replicas }: Glance): boolean {
  return replicas.every(({ outbox }) => outbox === 0)
}
