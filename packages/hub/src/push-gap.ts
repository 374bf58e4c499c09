/**
 * What follows in a push behind a commit that does not follow the log, or is let in only later: it does not follow either. So it is
 * answered without another look, and with one error for all: an error costs more than a check.
 */
import { commitName, SyncError, type Counter, type ErrorCode } from '@rejoin/core'
import { type Candidate } from './admission.ts'
import { isPlain, type PlainCandidate } from './plain-admission.ts'

export class PushGap {
  #gap: { readonly after: Counter; readonly error: SyncError } | null = null

  /** Why this one is refused unseen; null: it is to be looked at. */
  refusalOf(candidate: Candidate | PlainCandidate): SyncError | null {
    if (this.#gap === null || isPlain(candidate)) return null
    return candidate.commit.counter > this.#gap.after ? this.#gap.error : null
  }

  /** @param code why this one was refused; null: it was not. */
  saw(candidate: Candidate | PlainCandidate, code: ErrorCode | null): void {
    if (this.#gap !== null || isPlain(candidate) || (code !== 'PUSH_GAP' && code !== 'RATE_LIMITED')) return
    const { replica, commit } = candidate
    const name = commitName({ replica, counter: commit.counter })
    const why = `${name} comes before this one and was refused: push what follows the last accepted commit first`
    this.#gap = { after: commit.counter, error: new SyncError('PUSH_GAP', why) }
  }
}
