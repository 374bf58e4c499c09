/**
 * Shrinking: leaves out what a story does not need, and makes simpler what it does, as long as it still breaks the same
 * rule. Bounded by tries, and the same for the same story, so that a replay ends with the same text.
 */
import type { AnyOp } from '@rejoin/core'
import type { Story } from './step-arbitrary.ts'
import type { Step } from './step.ts'
import type { Played } from './story.ts'

export interface Failing {
  readonly story: Story
  readonly played: Played
  /** Why the world itself failed, or null. */
  readonly wreck: { readonly cause: unknown } | null
}

export function isBroken({ played, wreck }: Failing): boolean {
  return wreck !== null || played.findings.length > 0
}

/**
 * @param play plays a story anew.
 * @param simpler what an op may be made into, the simplest first.
 */
export async function shortened(
  failing: Failing,
  play: (story: Story) => Promise<Failing>,
  simpler: (op: AnyOp) => Iterable<AnyOp>,
  triesMax: number,
): Promise<Failing> {
  let shortest = failing
  let triesLeft = triesMax
  const fails = async (steps: readonly Step[]): Promise<boolean> => {
    if (triesLeft-- <= 0) return false
    const tried = await play({ chance: failing.story.chance, steps })
    if (!failsAlike(failing, tried)) return false
    shortest = tried
    return true
  }
  await fails(plain(shortest))
  for (let before = Infinity; size(shortest) < before && triesLeft > 0;) {
    before = size(shortest)
    await leaveOut(() => shortest.story.steps, fails)
    await bringTogether(() => shortest.story.steps, fails)
    await leaveOut(() => shortest.story.steps, fails)
    await simplify(() => shortest.story.steps, fails, simpler)
  }
  return shortest
}

type Fails = (steps: readonly Step[]) => Promise<boolean>

/** A world that fails in another way than by breaking the rule is no shorter story of it. */
function failsAlike(failing: Failing, tried: Failing): boolean {
  if (failing.wreck !== null) return tried.wreck !== null
  return tried.played.findings.some(({ rule }) => rule === failing.played.findings[0]?.rule)
}

/** The steps that were taken, each of them as what came of it. */
function plain({ story, played }: Failing): readonly Step[] {
  if (played.outcomes.length === 0) return story.steps
  return story.steps.slice(0, played.outcomes.length).map((step, i): Step => {
    const outcome = played.outcomes[i]
    if (step.kind !== 'apply' || outcome?.kind !== 'tried') return step
    const last = outcome.attempts[outcome.attempts.length - 1] ?? outcome.attempts[0]
    return { kind: 'apply', replica: step.replica, ops: last.ops }
  })
}

/** Half of the steps at once, then fewer and fewer; from the end, since what comes later builds on what came before. */
async function leaveOut(steps: () => readonly Step[], fails: Fails): Promise<void> {
  for (
    let count = Math.ceil(steps().length / 2);
    count >= 1;
    count = count === 1 ? 0 : Math.ceil(count / 2)
  ) {
    for (let at = steps().length - count; at > -count; at -= count) {
      const from = Math.max(0, at)
      const shorter = steps().toSpliced(from, at + count - from)
      if (shorter.length > 0) await fails(shorter)
    }
  }
}

/** What two replicas did, one of them does: then nothing needs to travel between them. */
async function bringTogether(steps: () => readonly Step[], fails: Fails): Promise<void> {
  const cast = new Set(steps().flatMap((step) => ('replica' in step ? [step.replica] : [])))
  for (const one of cast) {
    for (const other of new Set([0, ...cast])) {
      const moved = steps().map((step) =>
        'replica' in step && step.replica === one ? { ...step, replica: other } : step,
      )
      if (one !== other && steps().some((step, i) => step !== moved[i])) await fails(moved)
    }
  }
}

async function simplify(
  steps: () => readonly Step[],
  fails: Fails,
  simpler: (op: AnyOp) => Iterable<AnyOp>,
): Promise<void> {
  for (let at = 0; at < steps().length; at++) {
    for (let isSimpler = true; isSimpler;) {
      isSimpler = false
      const step = steps()[at]
      if (step === undefined) break
      for (const other of simplerSteps(step, simpler)) {
        if (!(await fails(steps().with(at, other)))) continue
        isSimpler = true
        break
      }
    }
  }
}

function* simplerSteps(step: Step, simpler: (op: AnyOp) => Iterable<AnyOp>): Iterable<Step> {
  if (step.kind === 'apply') {
    const { others = [], ops } = step
    if (others.length > 0) yield { kind: 'apply', replica: step.replica, ops }
    if (ops.length > 1) for (const i of ops.keys()) yield { ...step, ops: ops.toSpliced(i, 1) }
    for (const [i, op] of ops.entries())
      for (const other of simpler(op)) yield { ...step, ops: ops.with(i, other) }
  }
  if (step.kind === 'exchange' && step.cutAfter !== null) yield { ...step, cutAfter: null }
  if ((step.kind === 'exchange' || step.kind === 'deliver') && step.order !== 0) yield { ...step, order: 0 }
}

/** What shrinking makes smaller. */
function size({ story }: Failing): number {
  return JSON.stringify(story.steps).length
}
