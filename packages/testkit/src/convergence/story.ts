/** Plays a story on a world, step by step, then lets everyone exchange until nothing is left to say, and checks. */
import type { AnyDomain } from '@rejoin/core'
import { checkSettled } from './checkers.ts'
import type { Finding } from './finding.ts'
import type { Step } from './step.ts'
import { outcomeText, stepText } from './step-text.ts'
import { Watch } from './watch.ts'
import type { Glance, World } from './world.ts'

/** Exchanges in which everyone must have settled once nothing new is applied. */
const SETTLE_ROUNDS_MAX = 6

export interface Played {
  /** One line a step, with what came of it. */
  readonly lines: readonly string[]
  /** Empty where nothing was broken. */
  readonly findings: readonly Finding[]
  /** Commits in the log at the end. */
  readonly commits: number
}

/** Closes the world in any case. */
export async function playStory(domain: AnyDomain, world: World, steps: readonly Step[]): Promise<Played> {
  const lines: string[] = []
  const watch = new Watch()
  try {
    for (const step of steps) {
      const outcome = await world.take(step)
      lines.push(stepText(step) + outcomeText(outcome))
      // What happens on broken ground says nothing.
      const broken = watch.checkOutcome(outcome)
      if (broken.length > 0) return { lines, findings: broken, commits: 0 }
      const findings = watch.checkGlance(await world.glance())
      if (findings.length > 0) return { lines, findings, commits: 0 }
    }
    await world.calm()
    const rest = await world.glance()
    const restless = [...watch.checkGlance(rest), ...watch.checkRest(rest)]
    if (restless.length > 0)
      return { lines: [...lines, 'everything works again'], findings: restless, commits: 0 }
    return { lines, ...(await settle(domain, world, watch)) }
  } finally {
    await world.close()
  }
}

async function settle(
  domain: AnyDomain,
  world: World,
  watch: Watch,
): Promise<{ findings: readonly Finding[]; commits: number }> {
  for (let replica = 0; replica < world.replicas; replica++) await world.take({ kind: 'disconnect', replica })
  let glance = await world.glance()
  for (let round = 0; round < SETTLE_ROUNDS_MAX; round++) {
    // A round that starts with nothing to push brings everyone to the same head.
    const isQuiet = isDrained(glance)
    for (let replica = 0; replica < world.replicas; replica++)
      await world.take({ kind: 'exchange', replica, cutAfter: null, order: 0 })
    glance = await world.glance()
    const findings = watch.checkGlance(glance)
    if (findings.length > 0) return { findings, commits: 0 }
    if (isQuiet) break
  }
  const observation = await world.observe()
  const findings = checkSettled(domain, observation, await world.newcomer())
  return { findings, commits: observation.logged.length }
}

function isDrained({ replicas }: Glance): boolean {
  return replicas.every(({ outbox }) => outbox === 0)
}
