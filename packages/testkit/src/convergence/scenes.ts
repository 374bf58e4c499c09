/**
 * Scenes: a few steps that belong together, since single ones seldom meet. Every step of a scene can be left out, so that
 * a story shrinks to the steps that matter.
 */
import fc from 'fast-check'
import type { AnyOp } from '@rejoin/core'
import type { Step, StepKind } from './step.ts'

interface Weighted {
  readonly weight: number
  readonly arbitrary: fc.Arbitrary<Step[]>
}

/** One step of a scene, and which of its two replicas takes it. */
type Part = readonly [who: 0 | 1, step: fc.Arbitrary<Step>]

/** Ops of one type that mean the same place and differ there. */
export type Rivals = readonly [AnyOp, AnyOp]

/** @param rivals several pairs, so that one of them fits what is there. */
export function scenes(
  steps: Readonly<Record<StepKind, fc.Arbitrary<Step>>>,
  rivals: fc.Arbitrary<Rivals[]>,
  replicas: number,
): readonly Weighted[] {
  const { apply, rebuild, restart, resolve, resubmit, deliver, cut, late } = steps
  const exchange = fc.constant(exchangeOf(0))
  const connect = fc.constant<Step>({ kind: 'connect', replica: 0 })
  const refuse = fc.constant<Step>({ kind: 'refuse', replica: 0, commits: 1 })
  const everyone = Array.from({ length: replicas }, (_, replica) => fc.constant(exchangeOf(replica)))
  const scene = (...parts: readonly Part[]): fc.Arbitrary<Step[]> => sceneOf(replicas, parts)
  return [
    // Everyone stands on common ground.
    { weight: 3, arbitrary: optional(everyone).map((taken) => taken.filter(isTaken)) },
    // Two write side by side, and both are heard.
    {
      weight: 5,
      arbitrary: scene([0, apply], [1, apply], [0, exchange], [1, exchange], [0, exchange], [0, resolve]),
    },
    // Two who know the same write to the same place.
    { weight: 5, arbitrary: rivalry(rivals, replicas) },
    // What was written offline meets a new epoch.
    { weight: 3, arbitrary: scene([0, apply], [1, apply], [0, rebuild], [1, exchange], [0, exchange]) },
    // And the exchange breaks in the middle.
    {
      weight: 2,
      arbitrary: scene([0, exchange], [0, apply], [0, rebuild], [0, steps.exchange], [0, restart]),
    },
    // A commit is refused, and another one builds on it.
    { weight: 3, arbitrary: scene([0, refuse], [0, apply], [0, apply], [0, exchange], [0, resubmit]) },
    // A dead connection speaks again after others have spoken.
    {
      weight: 3,
      arbitrary: scene(
        [0, connect],
        [0, deliver],
        [0, apply],
        [0, deliver],
        [0, cut],
        [1, apply],
        [1, exchange],
        [0, late],
        [0, deliver],
      ),
    },
  ]
}

/** Something is there that everyone knows: rows, and rows under them, since `ops` come in any order. */
export function commonGround(ops: fc.Arbitrary<AnyOp[]>, replicas: number): fc.Arbitrary<Step[]> {
  const everyone = Array.from({ length: replicas }, (_, replica) => exchangeOf(replica))
  return fc.tuple(fc.nat(replicas - 1), ops).map(([replica, drawn]) => {
    const apply: Step = {
      kind: 'apply',
      replica,
      ops: drawn.slice(0, GROUND_OPS),
      others: drawn.slice(GROUND_OPS),
    }
    return [apply, exchangeOf(replica), ...everyone]
  })
}

const GROUND_OPS = 6

function rivalry(rivals: fc.Arbitrary<Rivals[]>, replicas: number): fc.Arbitrary<Step[]> {
  const cast = fc.tuple(fc.nat(replicas - 1), fc.integer({ min: 1, max: replicas - 1 }))
  return fc.tuple(cast, rivals).map(([[one, further], chosen]) => {
    const two = (one + further) % replicas
    const meet = [one, two, one].map(exchangeOf)
    return [
      ...meet,
      applyOf(
        one,
        chosen.map(([op]) => op),
      ),
      applyOf(
        two,
        chosen.map(([, op]) => op),
      ),
      ...meet,
    ]
  })
}

function applyOf(replica: number, [op, ...others]: readonly AnyOp[]): Step {
  return { kind: 'apply', replica, ops: op === undefined ? [] : [op], others }
}

function sceneOf(replicas: number, parts: readonly Part[]): fc.Arbitrary<Step[]> {
  const replica = fc.nat(replicas - 1)
  return fc
    .tuple(fc.tuple(replica, replica), optional(parts.map(([, step]) => step)))
    .map(([cast, taken]) =>
      taken
        .map((step, i) => (step === null ? null : playedBy(step, cast[parts[i]?.[0] ?? 0])))
        .filter(isTaken),
    )
}

/** Rarely one is missing, and shrinking leaves out what it can. */
function optional(steps: readonly fc.Arbitrary<Step>[]): fc.Arbitrary<(Step | null)[]> {
  return fc.tuple(...steps.map((step) => fc.option(step, { nil: null, freq: 20 })))
}

function isTaken(step: Step | null): step is Step {
  return step !== null
}

function playedBy(step: Step, replica: number): Step {
  return 'replica' in step ? { ...step, replica } : step
}

function exchangeOf(replica: number): Step {
  return { kind: 'exchange', replica, cutAfter: null, order: 0 }
}
