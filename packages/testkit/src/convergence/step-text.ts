/** A story for people: one dense line a step, who does what. */
import { canonicalJson, canonicalValue, unreachable, type AnyOp } from '@rejoin/core'
import type { Step } from './step.ts'
import type { Attempt, StepOutcome } from './world.ts'

export function stepText(step: Step): string {
  switch (step.kind) {
    case 'apply':
      return `replica ${step.replica} applies ${opsText(step.ops)}`
    case 'resolve':
      return `replica ${step.replica} resolves a conflict`
    case 'discard':
      return `replica ${step.replica} discards a refused commit`
    case 'resubmit':
      return `replica ${step.replica} resubmits a refused commit`
    case 'undo':
      return `replica ${step.replica} undoes`
    case 'redo':
      return `replica ${step.replica} redoes`
    case 'withdraw':
      return `replica ${step.replica} withdraws a commit of its outbox`
    case 'exchange':
      return `replica ${step.replica} exchanges${step.cutAfter === null ? '' : `, cut after ${step.cutAfter} messages`}`
    case 'connect':
      return `replica ${step.replica} goes live`
    case 'disconnect':
      return `replica ${step.replica} goes offline`
    case 'deliver':
      return `${step.messages} messages arrive, ${step.order === 0 ? 'oldest first' : `in order ${step.order}`}`
    case 'wait':
      return `${step.ms} ms pass`
    case 'partition':
      return `nothing passes ${step.direction === 'both' ? 'between' : step.direction === 'up' ? 'from' : 'to'} replica ${step.replica}${step.direction === 'both' ? ' and the hub' : ''}`
    case 'heal':
      return `messages of replica ${step.replica} pass again`
    case 'cut':
      return `the connection of replica ${step.replica} breaks${step.heardBy === 'both' ? '' : `, only the ${step.heardBy} hears of it`}`
    case 'late':
      return `what replica ${step.replica} said on a dead connection ${step.what === 'rest' ? 'arrives late' : 'arrives again'}`
    case 'restart':
      return `replica ${step.replica} crashes and starts again`
    case 'restartHub':
      return 'the hub crashes and starts again'
    case 'disk':
      return `the disk of replica ${step.replica} ${step.state}`
    case 'clock':
      return `the clock of replica ${step.replica} is ${step.aheadMs} ms ahead`
    case 'checkpoint':
      return 'the hub folds its log'
    case 'rebuild':
      return `${step.by === 'hub' ? 'the hub' : 'another process'} rebuilds the document`
    case 'refuse':
      return `the hub refuses the next ${step.commits} commits of replica ${step.replica}`
    default:
      return unreachable(step)
  }
}

/** With what came of it. */
export function outcomeText(outcome: StepOutcome): string {
  switch (outcome.kind) {
    case 'done':
      return outcome.note === '' ? '' : ` -> ${outcome.note}`
    case 'gone':
      return ` -> ${outcome.error}`
    case 'commit':
      return ` -> commit ${outcome.name}`
    case 'unchanged':
      return ' -> nothing to change'
    case 'refused':
      return ` -> ${outcome.refusal.code}`
    case 'picked':
      return ` (${outcome.what})${outcomeText(outcome.outcome)}`
    case 'tried': {
      const [first, ...instead] = outcome.attempts
      return outcomeText(first.outcome) + instead.map(insteadText).join('')
    }
    default:
      return unreachable(outcome)
  }
}

/** Several in the order in which one commit holds them. */
export function opsText(ops: readonly AnyOp[]): string {
  return ops.map(opText).join(' + ')
}

function insteadText({ ops, outcome }: Attempt): string {
  return `, instead ${opsText(ops)}${outcomeText(outcome)}`
}

function opText({ type, ...payload }: AnyOp): string {
  return `${type} ${canonicalJson(canonicalValue(payload))}`
}
