/** Prints figures side by side: a row a measure, a column a subject, and how they compare with Rejoin. */
import { cpus, loadavg } from 'node:os'
import { isReached, type Figure, type Target } from './figure.ts'
import type { Sample } from './measures.ts'
import type { SubjectName } from './subjects/subject.ts'

/** What one process found out, or why it could not. */
export type Outcome =
  | { readonly kind: 'measured'; readonly version: string; readonly figures: readonly Figure[] }
  | { readonly kind: 'peer missing' | 'failed'; readonly why: string }

export interface CaseReport {
  readonly case: string
  readonly outcomes: readonly { readonly subject: SubjectName; readonly outcome: Outcome }[]
}

export function machine(): string {
  const [first] = cpus()
  const [load = 0] = loadavg()
  return `${process.platform} ${process.arch}, ${cpus().length} cores (${first?.model ?? 'unknown'}), Node ${process.version}, load average ${load.toFixed(1)}`
}

export function printReport({ case: name, outcomes }: CaseReport): void {
  console.log(`\n${name}`)
  const measures = new Set(
    outcomes.flatMap(({ outcome }) => figuresOf(outcome).map(({ measure }) => measure)),
  )
  for (const measure of measures) {
    const found = outcomes.flatMap(({ subject, outcome }) =>
      figuresOf(outcome)
        .filter((figure) => figure.measure === measure)
        .map((figure) => ({ subject, figure })),
    )
    const ours = found.find(({ subject }) => subject === 'rejoin')?.figure ?? null
    console.log(`  ${measure}${ours === null ? '' : verdict(ours)}`)
    for (const { subject, figure } of found) console.log(`    ${line(subject, figure, ours)}`)
  }
  for (const { subject, outcome } of outcomes) {
    if (outcome.kind !== 'measured') console.log(`  ${subject}: ${outcome.why}`)
  }
}

function figuresOf(outcome: Outcome): readonly Figure[] {
  return outcome.kind === 'measured' ? outcome.figures : []
}

function verdict(figure: Figure): string {
  if (figure.target === null) return ''
  return `   ${targetText(figure.target, figure.unit)}: ${isReached(figure) ? 'reached' : 'MISSED'}`
}

function targetText(target: Target, unit: string): string {
  return 'atMost' in target
    ? `at most ${short(target.atMost)} ${unit}`
    : `at least ${short(target.atLeast)} ${unit}`
}

function line(subject: SubjectName, { sample, unit }: Figure, ours: Figure | null): string {
  const ratio =
    ours === null || subject === 'rejoin' || ours.sample.median === 0
      ? ''
      : `${times(sample.median / ours.sample.median)} of Rejoin's`
  return `${subject.padEnd(12)} ${`${short(sample.median)} ${unit}`.padEnd(18)} ${spread(sample).padEnd(24)} ${ratio}`.trimEnd()
}

function spread({ median, min, max }: Sample): string {
  return min === median && max === median ? '' : `${short(min)} to ${short(max)}`
}

function times(ratio: number): string {
  return `${Number(ratio.toPrecision(2)).toLocaleString('en')} ×`
}

function short(figure: number): string {
  if (Number.isInteger(figure) || Math.abs(figure) >= 1_000) return Math.round(figure).toLocaleString('en')
  return figure.toPrecision(3)
}
