/** Status: "is it saved, is it at the hub, what is in the way?" always has an answer. */
import {
  nextReplicaState,
  type Clock,
  type Counter,
  type Cursor,
  type ReplicaEvent,
  type ReplicaState,
  type SyncError,
  type SyncNotes,
} from '@rejoin/core'
import { Listeners } from './listeners.ts'
import type { Persistence } from './pending-writes.ts'

export interface ReplicaStatus extends SyncNotes {
  readonly state: ReplicaState
  /** Commits in the outbox. */
  readonly pending: number
  /** Up to where this replica has everything, recorded; null while it never had anything. */
  readonly cursor: Cursor | null
  /** Or why the store fails, and how many steps wait for it in memory. */
  readonly persistence: 'ok' | Persistence
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

  constructor(clock: Clock, notes: SyncNotes) {
    this.#clock = clock
    this.#notes = notes
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

  /** The hub has said that it has our commits up to `counter`. */
  noteMark(counter: Counter): void {
    this.#notes = { ...this.#notes, ackedCounter: Math.max(this.#notes.ackedCounter, counter) }
  }

  noteSuccess(): void {
    this.#notes = { ...this.#notes, lastSuccessAt: this.#clock.now(), lastError: null }
    this.changed()
  }

  /** That the replica's id is taken stays the news until a hub says otherwise, also through hubs that are away. */
  noteFailure({ code, message, retryable }: SyncError): void {
    if (retryable && this.#notes.lastError?.code === 'REPLICA_TAKEN') return
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
