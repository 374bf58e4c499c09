/** The last of shrinking: leaves out one step after the other as long as the story still breaks the same rule. */
import type { Played } from './story.ts'
import type { Step } from './step.ts'

export interface Failing {
  readonly steps: readonly Step[]
  readonly played: Played
}

/** @param play plays a story anew, from the same start. */
export async function shortened(
  failing: Failing,
  play: (steps: readonly Step[]) => Promise<Played>,
): Promise<Failing> {
  const rule = failing.played.findings[0]?.rule
  let shortest = failing
  for (let before = Infinity; shortest.steps.length < before;) {
    before = shortest.steps.length
    // From the end: what comes later builds on what came before.
    for (let at = before - 1; at >= 0; at--) {
      const steps = shortest.steps.toSpliced(at, 1)
      // A world that fails in another way than by breaking the rule is no shorter story of it.
      const played = await play(steps).catch(() => null)
      if (played?.findings.some((finding) => finding.rule === rule) === true) shortest = { steps, played }
    }
  }
  return shortest
}
