/** A step as one dense line. */
import { opsText } from '@rejoin/testkit'
import type { SimulatedStep } from './step.ts'

export function stepLine(step: SimulatedStep): string {
  const { kind } = step
  const who = 'who' in step ? ` r${step.who}` : 'hub' in step ? ` h${step.hub}` : ''
  const where = 'where' in step ? ` n${step.where}` : ''
  return `${kind}${who}${where}${detailOf(step)}`
}

function detailOf(step: SimulatedStep): string {
  switch (step.kind) {
    case 'apply':
      return ` ${opsText(step.ops)}`
    case 'resolve':
      return ` ${step.pick} by ${step.choice}`
    case 'withdraw':
    case 'discard':
    case 'resubmit':
      return ` ${step.pick}`
    case 'sync':
      return ` ${step.via}${step.waits ? ' to its end' : ''}`
    case 'deliver':
      return ` ${step.parcels}`
    case 'pass':
      return ` ${step.ms} ms`
    case 'partition':
      return ` ${step.direction}`
    case 'cut':
      return ` heard by ${step.heardBy}${step.after === 0 ? '' : ` after ${step.after}`}`
    case 'late':
      return ` ${step.what}`
    case 'strike':
      return ` ${step.direction} ${step.how}`
    case 'kill':
    case 'killHub':
      return `${step.power ? ' with the power' : ''}${step.stays ? ' until started' : ''}`
    case 'disk':
    case 'hubDisk':
      return ` ${step.state}`
    case 'clock':
    case 'hubClock':
      return ` ${step.aheadMs} ms ahead${step.stands ? ' and stands' : ''}`
    case 'rebuild':
      return ` by ${step.by}`
    case 'restore':
      return step.marked ? ' by the book' : ' without a word'
    case 'refuse':
      return step.why === 'auth' ? ' all of it' : ` ${step.commits} commits`
    default:
      return ''
  }
}
