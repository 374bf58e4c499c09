/** What runs of histories came to, added up. */
import type { HistoryResult } from './history.ts'

export interface Figures {
  histories: number
  steps: number
  commitsAccepted: number
  commitsLogged: number
  acksChecked: number
  recordsChecked: number
  oracles: number
  parcels: number
  simulatedMs: number
  /** Milliseconds of processor time. */
  cpuMs: number
  /** Histories, by what they are about. */
  readonly themes: Record<string, number>
  /** Faults that did something, by kind. */
  readonly faults: Record<string, number>
}

export function noFigures(): Figures {
  return {
    histories: 0,
    steps: 0,
    commitsAccepted: 0,
    commitsLogged: 0,
    acksChecked: 0,
    recordsChecked: 0,
    oracles: 0,
    parcels: 0,
    simulatedMs: 0,
    cpuMs: 0,
    themes: {},
    faults: {},
  }
}

export function addHistory(figures: Figures, { counts, theme, taken }: HistoryResult): void {
  figures.histories++
  figures.steps += taken
  for (const name of counted) figures[name] += counts[name]
  addTo(figures.themes, { [theme]: 1 })
  addTo(figures.faults, counts.faults)
}

export function addFigures(figures: Figures, more: Figures): void {
  for (const name of [...counted, 'histories', 'steps', 'cpuMs'] as const) figures[name] += more[name]
  addTo(figures.themes, more.themes)
  addTo(figures.faults, more.faults)
}

/** A line or a few, for people. */
export function figuresText(figures: Figures, elapsedMs: number): string {
  const { histories, steps, commitsAccepted, commitsLogged, acksChecked, oracles, parcels, simulatedMs } =
    figures
  const perStep = (figures.cpuMs / Math.max(1, steps)).toFixed(2)
  return [
    `${histories} histories, ${steps} steps, ${commitsAccepted} commits accepted, ${commitsLogged} logged, ${acksChecked} acks checked`,
    `${oracles} oracle evaluations, ${parcels} parcels, ${(simulatedMs / 3_600_000).toFixed(1)} simulated hours`,
    `${(elapsedMs / 1_000).toFixed(1)} s, ${perStep} ms of processor time a step`,
    `histories by theme: ${listOf(figures.themes)}`,
    `faults by kind: ${listOf(figures.faults)}`,
  ].join('\n')
}

const counted = [
  'commitsAccepted',
  'commitsLogged',
  'acksChecked',
  'recordsChecked',
  'oracles',
  'parcels',
  'simulatedMs',
] as const

function addTo(sums: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + count
}

function listOf(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
}
