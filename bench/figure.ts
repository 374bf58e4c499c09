/** One measured number, with what it should be. */
import type { Sample } from './measures.ts'

export interface Figure {
  readonly measure: string
  readonly unit: string
  readonly sample: Sample
  /** What Rejoin must reach, in the same unit; null where nothing is asked. */
  readonly target: Target | null
}

export type Target = { readonly atMost: number } | { readonly atLeast: number }

export function figure(measure: string, unit: string, sample: Sample, target: Target | null = null): Figure {
  return { measure, unit, sample, target }
}

/** Whether the median reaches it. */
export function isReached({ sample, target }: Figure): boolean {
  if (target === null) return true
  return 'atMost' in target ? sample.median <= target.atMost : sample.median >= target.atLeast
}
