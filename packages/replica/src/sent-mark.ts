/**
 * The sent mark: up to which commit the store knows that it may have been sent. A commit leaves only once it does, so that
 * what can be withdrawn after a crash is in no log (invariants 4 and 11).
 */
import type { Counter, ReplicaStep } from '@rejoin/core'
import type { PendingWrites } from './pending-writes.ts'
import type { Connection } from './status.ts'

export class SentMark {
  readonly #connection: Connection
  readonly #writes: PendingWrites
  #recorded: Counter

  constructor(connection: Connection, writes: PendingWrites) {
    this.#connection = connection
    this.#writes = writes
    this.#recorded = connection.notes.sentCounter
  }

  /** Commits up to here may leave. */
  get recorded(): Counter {
    return this.#recorded
  }

  /** Has the store told; saying so twice costs nothing. */
  request(counter: Counter): void {
    if (counter <= this.#connection.notes.sentCounter) return
    this.#writes.add([this.step(counter)], () => this.note(counter))
  }

  /** The step that tells it, for a batch of the caller's, who calls `note` when that is recorded. */
  step(counter: Counter): ReplicaStep {
    return this.#connection.noteSent(counter)
  }

  note(counter: Counter): void {
    this.#recorded = Math.max(this.#recorded, counter)
  }
}
