/** What the hub's answers to single commits do here: each is taken in, or noted for mending. */
import type { Ack, Counter, Refused } from '@rejoin/core'
import { tooNew } from './memory.ts'
import type { Mending } from './mending.ts'
import type { PushWindow } from './push-window.ts'
import type { SessionParts } from './session-parts.ts'
import { noteInLog } from './settlement.ts'

export class PushAnswers {
  readonly #parts: SessionParts
  readonly #window: PushWindow
  readonly #mending: Mending

  constructor(parts: SessionParts, window: PushWindow, mending: Mending) {
    this.#parts = parts
    this.#window = window
    this.#mending = mending
  }

  /** @throws SyncError MESSAGE_UNEXPECTED for a commit that was not pushed. */
  taken({ counter, duplicate, durability }: Ack): void {
    const { memory, tally, connection, domain } = this.#parts
    const commit = this.#window.answered(counter)
    // A reset came between, but the hub has taken the old bytes: made without a base, they fit every epoch.
    if (memory.outbox.get(counter) !== undefined && !memory.outbox.holds(commit)) {
      memory.outbox.restore(commit)
      memory.mustRebuild = true
    }
    // What stands there already may be a twin's: whose it is shows when the log brings it.
    memory.outbox.markAcked(counter, duplicate ? 'inLog' : 'ours', durability)
    noteInLog(memory, connection, commit.id)
    connection.noteDurability(durability)
    if (tooNew(memory, domain) === null) connection.noteTaken()
    if (!duplicate) tally.pushed++
    connection.changed()
  }

  /** @throws SyncError MESSAGE_UNEXPECTED for a commit that was not pushed. */
  refused(refused: Refused & { readonly counter: Counter }): void {
    const commit = this.#window.answered(refused.counter)
    // Of bytes that were made anew meanwhile it is of no interest what the hub thinks.
    if (this.#parts.memory.outbox.holds(commit)) this.#mending.noteRefusal(refused)
  }
}
