/**
 * The push window: what was sent on a channel and is not answered yet, and what may be sent next. In counter order, saved
 * commits only, of which the store knows that they are sent, within the limits of a push and of what a hub has to hold for one session (invariant 14).
 */
import { limits, SyncError, type Commit, type Counter, type PushedCommit, type ReplicaId } from '@rejoin/core'
import type { Outbox, OutboxEntry } from './outbox.ts'
import type { SentMark } from './sent-mark.ts'

export class PushWindow {
  readonly #outbox: Outbox
  readonly #sent: SentMark
  readonly #speaker: ReplicaId
  #sentUpTo: Counter = 0
  #unanswered: OutboxEntry[] = []
  #unansweredBytes = 0
  /** What is under way was made anew since: nothing new is sent before the hub has answered for it. */
  #draining = false

  /** @param speaker in whose name the channel greeted: those of the next one are not sent on it. */
  constructor(outbox: Outbox, sent: SentMark, speaker: ReplicaId) {
    this.#outbox = outbox
    this.#sent = sent
    this.#speaker = speaker
  }

  get isEmpty(): boolean {
    return this.#unanswered.length === 0
  }

  /** The commits of the next push message, now under way; empty where nothing may be sent. */
  next(): PushedCommit[] {
    if (this.#draining || this.#sentUpTo === this.#outbox.last) return []
    // Refilled by halves, since looking for what is next walks past all that is under way.
    if (this.#unansweredBytes > limits.pushUnansweredBytesMax / 2) return []
    this.#sent.request(this.#outbox.last ?? 0)
    const batch = planPush(this.#ofSpeaker(), this.#sentUpTo, this.#sent.recorded, this.#unansweredBytes)
    this.#unanswered.push(...batch)
    this.#unansweredBytes += batch.reduce((sum, { bytes }) => sum + bytes, 0)
    this.#sentUpTo = batch.at(-1)?.commit.id.counter ?? this.#sentUpTo
    return batch.map(({ commit }) => pushedOf(commit))
  }

  /**
   * The hub answers pushes in order; so this is the oldest of its counter.
   * @throws SyncError MESSAGE_UNEXPECTED when it was not pushed here.
   */
  answered(counter: Counter): Commit {
    const index = this.#unanswered.findIndex(({ commit }) => commit.id.counter === counter)
    const [entry] = index === -1 ? [] : this.#unanswered.splice(index, 1)
    if (entry !== undefined) {
      this.#unansweredBytes -= entry.bytes
      if (this.isEmpty) this.#draining = false
      return entry.commit
    }
    throw new SyncError('MESSAGE_UNEXPECTED', `the hub answered commit ${counter}, which was not pushed here`)
  }

  /** They stand first. */
  *#ofSpeaker(): Iterable<OutboxEntry> {
    for (const entry of this.#outbox.walk()) {
      if (entry.commit.id.replica !== this.#speaker) return
      yield entry
    }
  }

  /** Everything that the hub has not acknowledged is to be sent again. */
  rewind(): void {
    this.#sentUpTo = 0
    this.#draining = !this.isEmpty
  }
}

/** Commits above `sentUpTo`, up to `mayLeave`. */
function planPush(
  outbox: Iterable<OutboxEntry>,
  sentUpTo: Counter,
  mayLeave: Counter,
  unansweredBytes: number,
): readonly OutboxEntry[] {
  const batch: OutboxEntry[] = []
  let bytes = 0
  for (const entry of outbox) {
    if (entry.stage === 'acked' || entry.commit.id.counter <= sentUpTo) continue
    if (entry.stage === 'unsaved' || entry.commit.id.counter > mayLeave) break
    if (batch.length === limits.pushCommitsMax) break
    if (batch.length > 0 && bytes + entry.bytes > limits.pushBytesMax) break
    if (unansweredBytes > 0 && unansweredBytes + bytes + entry.bytes > limits.pushUnansweredBytesMax) break
    batch.push(entry)
    bytes += entry.bytes
  }
  return batch
}

function pushedOf({ id, prev, hlc, domainVersion, ops, update }: Commit): PushedCommit {
  return { counter: id.counter, prev, hlc, domainVersion, ops: [...ops], update }
}
