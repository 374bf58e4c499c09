/** Whether a replica has come to rest once everything works: the watchdog of simulated worlds, which names what is stuck. */
import type { LogBook } from './log-book.ts'
import type { ReplicaProcess } from './replica-process.ts'
import type { SimulatedNetwork } from './simulated-network.ts'

/** Why it is not at rest, a line, or none. */
export function restlessLines(
  process: ReplicaProcess,
  book: LogBook,
  network: SimulatedNetwork,
): readonly string[] {
  const who = `replica ${process.index} of ${process.namespace}`
  if (!process.isOpen) {
    const why = process.trouble === null ? 'waits' : `${process.trouble.code}: ${process.trouble.message}`
    return [`${who} does not open (${why})`]
  }
  const { state, pending, cursor, lastError, persistence } = process.replica.status
  if (isExcused(process, book)) return []
  // A deleted namespace says so, and its replicas keep what they have.
  if (book.isRemoved) return state === 'live' ? [`${who} is live, though it was deleted`] : []
  const head = book.head
  if (state === 'live' && pending === 0 && (cursor?.seq ?? 0) === head && persistence === 'ok') return []
  const error = lastError === null ? '' : `, ${lastError.code}: ${lastError.message}`
  const held = network.partitionOf(process.index) === null ? '' : ', cut off'
  return [
    `${who} is ${state} with ${pending} commits pending at ${cursor?.seq ?? 0} of ${head}, store ${persistence === 'ok' ? 'ok' : persistence.state}${held}${error}`,
  ]
}

/** It cannot be brought together with this hub's history any more, and was told so (rule 25). */
export function isExcused({ isOpen, replica }: ReplicaProcess, book: LogBook): boolean {
  if (!isOpen || !book.hasLost) return false
  const { state, lastError } = replica.status
  return state === 'refused' && lastError?.code === 'HISTORY_DIVERGED'
}
