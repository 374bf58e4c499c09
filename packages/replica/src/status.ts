/** Status: "is it saved, is it at the hub, what is in the way?" always has an answer. */
import {
  nextReplicaState,
  type Clock,
  type Counter,
  type Cursor,
  type Durability,
  type ReplicaEvent,
  type ReplicaId,
  type ReplicaStep,
  type ReplicaState,
  type SyncError,
  type SyncNotes,
} from '@rejoin/core'
import type { FoldingTrouble } from './folding.ts'
import { Listeners } from './listeners.ts'
import type { Persistence } from './persistence.ts'
import type { ReplicaWitness } from './vanished.ts'

/** Where a rebuild found this replica to hold other content than the hub (DIVERGED). */
export interface Divergence {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly message: string
}

export interface ReplicaStatus extends SyncNotes {
  readonly state: ReplicaState
  /** The id that this replica had until, opening it this time, its folder was found to be a copy; else null. */
  readonly copyOf: ReplicaId | null
  /**
   * The replica that was kept here, where its store had vanished when this one was opened, and how many commits that no hub
   * had acknowledged are known to be lost with it; else null.
   */
  readonly localStateLost: ReplicaWitness | null
  /** Commits in the outbox. */
  readonly pending: number
  /** Up to where this replica has everything, recorded; null while it never had anything. */
  readonly cursor: Cursor | null
  /** How the local store fares; where it fails, why, and how many steps wait for it in memory. */
  readonly persistence: Persistence
  /** Whether what is stored can be folded into a snapshot when it has grown. Where not, nothing is lost, and it is tried again. */
  readonly folding: 'ok' | FoldingTrouble
  /** What it stands for that a commit is saved here: `applied` where the store is opened to sync later. */
  readonly saved: Durability
  /** What it stands for that the hub has a commit, as it last said; null until a hub has answered in this run. */
  readonly acked: Durability | null
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
  #acked: Durability | null = null
  #awaitsMending: boolean
  #unsentAbove: Counter | null = null

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

  /** What it stands for that the hub has a commit, as it last said. */
  get acked(): Durability | null {
    return this.#acked
  }

  noteDurability(durability: Durability): void {
    this.#acked = durability
  }

  noteAttempt(): void {
    this.#notes = { ...this.#notes, lastAttemptAt: this.#clock.now() }
    this.#unsentAbove = this.#notes.sentCounter
  }

  /** Commits above were never sent when this exchange began; null from its first success on, when they may have been. */
  get unsentAbove(): Counter | null {
    return this.#unsentAbove
  }

  /** Commits up to `counter` may be sent from now on: the step by which the store is told. */
  noteSent(counter: Counter): ReplicaStep {
    this.#notes = { ...this.#notes, sentCounter: Math.max(this.#notes.sentCounter, counter) }
    return { kind: 'notes', notes: this.#notes }
  }

  /** The hub has said up to where it has our commits, and that it has none above, whatever was heard before. */
  setMark(counter: Counter): void {
    this.#notes = { ...this.#notes, ackedCounter: counter }
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
    this.#unsentAbove = null
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
