/** Status: "is it saved, is it at the hub, what is in the way?" always has an answer. */
import {
  nextReplicaState,
  type Clock,
  type Counter,
  type Cursor,
  type ReplicaEvent,
  type ReplicaStep,
  type ReplicaState,
  type SyncError,
  type SyncNotes,
} from '@rejoin/core'
import { Listeners } from './listeners.ts'
import type { Persistence } from './pending-writes.ts'

/** Where a rebuild found this replica to hold other content than the hub (DIVERGED). */
export interface Divergence {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly message: string
}

export interface ReplicaStatus extends SyncNotes {
  readonly state: ReplicaState
  /** Commits in the outbox. */
  readonly pending: number
  /** Up to where this replica has everything, recorded; null while it never had anything. */
  readonly cursor: Cursor | null
  /** Or why the store fails, and how many steps wait for it in memory. */
  readonly persistence: 'ok' | Persistence
  /**
   * The newer version of the domain that the document holds commits of, or null. What this app knows of it is read on;
   * nothing is written or pushed until the app was updated.
   */
  readonly domainTooNew: number | null
  /** The last time since it was opened that its content was not the hub's, or null; it was reset by snapshot then. */
  readonly divergence: Divergence | null
  /** Commits that the hub refused for good and the app has not dealt with. */
  readonly rejected: number
  /** Conflicts as `conflicts()` lists them; counted when it is read. */
  readonly conflicts: number
}

/** The connection's state and how the last attempts went. Times are milliseconds since 1970. */
export class Connection {
  readonly #clock: Clock
  readonly #listeners = new Listeners<void>()
  #state: ReplicaState = 'offline'
  #notes: SyncNotes
  #held: SyncError | null = null
  #divergence: Divergence | null = null
  #awaitsMending: boolean

  constructor(clock: Clock, notes: SyncNotes) {
    this.#clock = clock
    this.#notes = notes
    this.#awaitsMending = notes.lastError?.code === 'DIVERGED'
  }

  get state(): ReplicaState {
    return this.#state
  }

  get notes(): SyncNotes {
    return this.#notes
  }

  on(event: ReplicaEvent): void {
    const next = nextReplicaState(this.#state, event)
    if (next === this.#state) return
    this.#state = next
    this.changed()
  }

  noteAttempt(): void {
    this.#notes = { ...this.#notes, lastAttemptAt: this.#clock.now() }
  }

  /** Commits up to `counter` may be sent from now on: the step by which the store is told. */
  noteSent(counter: Counter): ReplicaStep {
    this.#notes = { ...this.#notes, sentCounter: Math.max(this.#notes.sentCounter, counter) }
    return { kind: 'notes', notes: this.#notes }
  }

  /** The hub has said that it has our commits up to `counter`. */
  noteMark(counter: Counter): void {
    this.#notes = { ...this.#notes, ackedCounter: Math.max(this.#notes.ackedCounter, counter) }
  }

  /** Why the hub takes none of our commits although it serves us, as far as it was asked since we greeted it. */
  get held(): SyncError | null {
    return this.#held
  }

  get divergence(): Divergence | null {
    return this.#divergence
  }

  /** Our content was found not to be the hub's, and no reset has mended it yet: until then no rebuild is left to us. */
  get awaitsMending(): boolean {
    return this.#awaitsMending
  }

  diverge(error: SyncError): void {
    this.#divergence = { at: this.#clock.now(), message: error.message }
    this.#awaitsMending = true
    this.noteFailure(error)
  }

  hold(error: SyncError): void {
    this.#held = error
    this.noteFailure(error)
  }

  /** A hub greets us: whether it takes our commits shows when it is asked. */
  release(): void {
    this.#held = null
  }

  /** The hub has taken a commit of ours. */
  noteTaken(): void {
    this.#held = null
    if (this.#notes.lastError?.code === 'DOMAIN_TOO_NEW') this.#notes = { ...this.#notes, lastError: null }
  }

  /**
   * The success that mends a divergence does not hide it: it stays the news until the next one.
   * @param stillWrong what the success has not mended.
   */
  noteSuccess(stillWrong: SyncNotes['lastError'] = null): void {
    const { lastError: last } = this.#notes
    const news = stillWrong ?? (this.#awaitsMending && last?.code === 'DIVERGED' ? last : null)
    const lastError = news && { code: news.code, message: news.message }
    this.#awaitsMending = false
    this.#notes = { ...this.#notes, lastSuccessAt: this.#clock.now(), lastError }
    this.changed()
  }

  /** That the replica's id is taken, or its content not the hub's, stays the news also through hubs that are away. */
  noteFailure({ code, message, retryable }: SyncError): void {
    const news = this.#notes.lastError?.code
    if (retryable && (news === 'REPLICA_TAKEN' || (news === 'DIVERGED' && code !== 'DIVERGED'))) return
    this.#notes = { ...this.#notes, lastError: { code, message } }
    this.changed()
  }

  listen(listener: () => void): () => void {
    return this.#listeners.add(listener)
  }

  /** Something that `status` shows is different. */
  changed(): void {
    this.#listeners.tell(undefined)
  }
}
