/**
 * The pending-write queue: steps that memory has taken and the store has not. They are recorded in order, one `record` in
 * flight, and everything that waits goes into the next one. A failure loses nothing: the batch goes back in front, and is
 * tried again by the next write, by a timer, and by `flush()` (DESIGN section 5, "Failure of the local store"). A store
 * that will never take it is not asked again. What happens where too much waits is said in `core/src/limits.ts`.
 */
import {
  asSyncError,
  SyncError,
  type Clock,
  type Commit,
  type Durability,
  type ReplicaStep,
  type ReplicaStore,
} from '@rejoin/core'
import { Backoff } from './backoff.ts'
import { deferred, type Deferred } from './deferred.ts'
import { isLost, PendingLoad, type Persistence } from './persistence.ts'
import { areNotes, hearersOf, waitingSteps, type Author, type WaitingSteps } from './waiting-steps.ts'

interface Flush {
  readonly upTo: number
  /** Whether a record was begun since it was asked for. */
  tried: boolean
  readonly done: Deferred
}

/** What is done while nothing else is recorded. */
export interface Job {
  /** The steps to record; null where there is nothing to do after all. */
  readonly work: () => Promise<readonly ReplicaStep[] | null>
  readonly onRecorded: (steps: readonly ReplicaStep[]) => void
  /** Nothing is recorded of it. */
  readonly onFailed: (error: SyncError) => void
}

export class PendingWrites {
  readonly #store: ReplicaStore
  readonly #clock: Clock
  readonly #onChange: () => void
  readonly #backoff: Backoff
  readonly #stop = new AbortController()
  /** Everything that is not recorded, what is under way included. */
  readonly #loads: Readonly<Record<Author, PendingLoad>> = {
    here: new PendingLoad(),
    others: new PendingLoad(),
  }
  #waiting: WaitingSteps[] = []
  #job: Job | null = null
  #flushes: Flush[] = []
  /** Who waits for room. */
  #room: Deferred | null = null
  /** Batches of steps queued and recorded since the start. */
  #queued = 0
  #recorded = 0
  #recording = false
  #failure: SyncError | null = null
  #retrying = false

  constructor(store: ReplicaStore, clock: Clock, onChange: () => void) {
    this.#store = store
    this.#clock = clock
    this.#onChange = onChange
    this.#backoff = new Backoff(clock)
    // Also where nothing waits: whether it is saved has an answer at any moment.
    void store.lost?.then((error) => this.#fail([], error))
  }

  /** What it stands for that a step is recorded. */
  get durability(): Durability {
    return this.#store.durability
  }

  get persistence(): Persistence {
    if (this.#failure === null) return 'ok'
    const { code, message } = this.#failure
    const count = this.#loads.here.steps + this.#loads.others.steps
    return { state: isLost(code) ? 'lost' : 'degraded', cause: { code, message }, count }
  }

  /** Commits made here that wait to be recorded for the first time. */
  get commits(): readonly Commit[] {
    return this.#waiting.flatMap(({ steps }) =>
      steps.flatMap((step) => (step.kind === 'local' ? [step.commit] : [])),
    )
  }

  /** Why nothing more of that author is taken now, or null: the store's own code where it fails. */
  fullFor(author: Author): SyncError | null {
    const load = this.#loads[author]
    if (!load.isFull) return null
    const why = this.#failure?.message ?? 'it does not keep up; go on when what waits is saved'
    return new SyncError(
      this.#failure?.code ?? 'STORE_UNAVAILABLE',
      `too much waits for the store, ${load.text}: ${why}`,
      { cause: this.#failure ?? undefined },
    )
  }

  /** Resolves when there is room for what others write, or the store fails and there may be none for long. */
  async room(): Promise<void> {
    if (this.#failure !== null || !this.#loads.others.isFull) return
    this.#room ??= deferred()
    await this.#room.promise
  }

  /**
   * Queues steps that belong together. Of the two callbacks `onFailed` may come first, and more than once; where the store
   * is lost it comes at once.
   */
  add(
    steps: readonly ReplicaStep[],
    onRecorded: () => void = nothing,
    onFailed: (error: SyncError) => void = nothing,
  ): void {
    const hearers = onRecorded === nothing && onFailed === nothing ? [] : [{ onRecorded, onFailed }]
    const last = this.#waiting.at(-1)
    if (last !== undefined && areNotes(steps) && areNotes(last.steps)) {
      // The newer ones say all that the older ones did: while a store fails, attempts to reach a hub must not pile up.
      this.#waiting[this.#waiting.length - 1] = { ...last, steps, hearers: [...last.hearers, ...hearers] }
    } else {
      const waiting = waitingSteps(steps, hearers)
      this.#queued++
      this.#loads[waiting.author].add(waiting)
      this.#waiting.push(waiting)
    }
    if (this.#lost !== null) onFailed(this.#lost)
    this.#record()
  }

  /** Does a job between two records once everything that waits is recorded, unless one waits already; once, even if it fails. */
  addJob(job: Job): void {
    this.#job ??= job
    this.#record()
  }

  /**
   * Resolves when everything queued so far is recorded.
   * @throws SyncError STORE_UNAVAILABLE, STORE_FULL, STORE_CORRUPT or STORE_CLOSED; what waits goes on waiting.
   */
  async flush(): Promise<void> {
    if (this.#recorded === this.#queued) return
    if (this.#lost !== null) throw this.#lost
    const last = this.#flushes.at(-1)
    if (last !== undefined && last.upTo === this.#queued && !last.tried) return last.done.promise
    const flush: Flush = { upTo: this.#queued, tried: false, done: deferred() }
    this.#flushes.push(flush)
    this.#record()
    await flush.done.promise
  }

  /** Aborted when it is closed. */
  get closed(): AbortSignal {
    return this.#stop.signal
  }

  /** Ends the timer; nothing is tried again by itself. */
  close(): void {
    this.#stop.abort()
  }

  /** Why the store will take nothing more, or null. */
  get #lost(): SyncError | null {
    return this.#failure !== null && isLost(this.#failure.code) ? this.#failure : null
  }

  #record(): void {
    if (this.#recording || this.#lost !== null) return
    this.#recording = true
    void this.#recordAll()
  }

  /** Records until nothing waits or the store fails. */
  async #recordAll(): Promise<void> {
    try {
      // So that what one turn of the app queues travels together.
      await Promise.resolve()
      for (;;) {
        if (this.#waiting.length > 0) {
          const recorded = await this.#recordWaiting()
          if (!recorded && this.#flushes.length === 0) return this.#retryLater()
        } else if (this.#job !== null) {
          await this.#doJob(this.#job)
        } else {
          return
        }
      }
    } finally {
      // In the same turn in which nothing was found waiting: what is queued after it begins anew.
      this.#recording = false
    }
  }

  async #recordWaiting(): Promise<boolean> {
    const batch = this.#waiting
    this.#waiting = []
    for (const flush of this.#flushes) flush.tried = true
    try {
      await this.#store.record(batch.flatMap(({ steps }) => steps))
    } catch (cause) {
      this.#waiting = [...batch, ...this.#waiting]
      this.#fail(batch, asSyncError(cause, 'STORE_UNAVAILABLE', 'the replica could not be saved'))
      return false
    }
    this.#recorded += batch.length
    for (const waiting of batch) this.#loads[waiting.author].remove(waiting)
    // What was under way when the store was lost may have been the last that it took.
    this.#failure = this.#lost
    this.#backoff.reset()
    for (const { onRecorded } of hearersOf(batch)) onRecorded()
    this.#endFlushes(
      ({ upTo }) => upTo <= this.#recorded,
      (flush) => flush.resolve(),
    )
    if (!this.#loads.others.isFull) this.#openRoom()
    this.#onChange()
    return true
  }

  #fail(batch: readonly WaitingSteps[], failure: SyncError): void {
    this.#failure = failure
    const lost = this.#lost !== null
    // What was queued during the attempt gets none of its own any more where the store is lost.
    for (const { onFailed } of hearersOf(lost ? this.#waiting : batch)) onFailed(failure)
    this.#endFlushes(
      ({ tried }) => tried || lost,
      (flush) => flush.reject(failure),
    )
    this.#openRoom()
    this.#onChange()
  }

  #openRoom(): void {
    this.#room?.resolve()
    this.#room = null
  }

  #endFlushes(ended: (flush: Flush) => boolean, end: (done: Deferred) => void): void {
    const flushes = this.#flushes
    this.#flushes = flushes.filter((flush) => !ended(flush))
    for (const flush of flushes) if (ended(flush)) end(flush.done)
  }

  async #doJob({ work, onRecorded, onFailed }: Job): Promise<void> {
    try {
      const steps = await work()
      if (steps !== null) await this.#store.record(steps)
      this.#job = null
      if (steps !== null) onRecorded(steps)
    } catch (cause) {
      this.#job = null
      onFailed(asSyncError(cause, 'STORE_UNAVAILABLE', 'what is stored could not be folded'))
    }
  }

  #retryLater(): void {
    if (this.#retrying || this.#stop.signal.aborted) return
    this.#retrying = true
    void this.#clock.sleep(this.#backoff.next(), this.#stop.signal).then(() => {
      this.#retrying = false
      if (this.#waiting.length > 0 && !this.#stop.signal.aborted) this.#record()
    })
  }
}

function nothing(): void {}
