/** Counts what stories came to, so that a check under which nothing happened does not pass. */
import type { AnyOp } from '@rejoin/core'
import type { Played } from './story.ts'
import type { Misfit, StepOutcome, Tried } from './world.ts'

/** Times that an op must have been tried before its never becoming part of a commit says something. */
const TRIES_TELLING = 30

interface OpTally {
  tried: number
  committed: number
  last: Misfit['refusal']
  readonly refused: Map<string, number>
}

export class Tally {
  #stories = 0
  #steps = 0
  #commits = 0
  #contested = 0
  readonly #ops = new Map<AnyOp['type'], OpTally>()

  /** @param types of the ops that there are arbitraries for. */
  constructor(types: readonly AnyOp['type'][]) {
    for (const type of types) this.#ops.set(type, { tried: 0, committed: 0, last: null, refused: new Map() })
  }

  get stories(): number {
    return this.#stories
  }

  add({ outcomes, commits, contested }: Played): void {
    this.#stories++
    this.#steps += outcomes.length
    this.#commits += commits
    if (contested > 0) this.#contested++
    for (const outcome of outcomes) this.#addOutcome(outcome)
  }

  text(): string {
    const met = `in ${this.#contested} of them values met`
    return `${this.#stories} stories, ${this.#steps} steps, ${this.#commits} commits logged, ${met}`
  }

  /** What `apply` refused, by op and code; empty where it refused nothing. */
  refusalsText(): string {
    const refused = [...this.#ops].flatMap(([type, { refused: codes }]) =>
      [...codes].map(([code, times]) => `${type} ${code} ${times} times`),
    )
    return refused.join(', ')
  }

  /** What the stories prove nothing about, a line each. */
  untested(): readonly string[] {
    const ops = [...this.#ops]
    if (ops.every(([, { committed }]) => committed === 0)) {
      const tried = ops.reduce((sum, [, op]) => sum + op.tried, 0)
      if (tried < TRIES_TELLING) return []
      return ['not one commit was made', ...ops.map(([type, op]) => lineOf(type, op))]
    }
    return ops
      .filter(([, { tried, committed }]) => committed === 0 && tried >= TRIES_TELLING)
      .map(([type, op]) => lineOf(type, op))
  }

  #addOutcome(outcome: StepOutcome): void {
    if (outcome.kind !== 'tried') return
    for (const misfit of outcome.misfits) this.#addMisfit(misfit)
    for (const type of committedIn(outcome)) {
      const op = this.#ops.get(type)
      if (op === undefined) continue
      op.tried++
      op.committed++
    }
  }

  #addMisfit({ type, refusal }: Misfit): void {
    const op = this.#ops.get(type)
    if (op === undefined) return
    op.tried++
    if (refusal === null) return
    op.last = refusal
    op.refused.set(refusal.code, (op.refused.get(refusal.code) ?? 0) + 1)
  }
}

function committedIn({ attempts }: Tried): readonly AnyOp['type'][] {
  return attempts
    .filter(({ outcome }) => outcome.kind === 'commit')
    .flatMap(({ ops }) => ops.map(({ type }) => type))
}

function lineOf(type: AnyOp['type'], { tried, last }: OpTally): string {
  if (tried === 0) return `${type} was never tried`
  const times = `${type} never became part of a commit in ${tried} tries`
  if (last === null) return `${times}: it never had anything to change`
  const at = last.path === '' ? '' : ` at ${last.path}`
  return `${times}; at last it was refused with ${last.code}${at}: ${last.message}`
}
