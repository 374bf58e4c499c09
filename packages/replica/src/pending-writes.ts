/**
 * The pending-write queue: steps that memory has taken and the store has not. They are recorded in order, one `record` in
 * flight, and everything that waits goes into the next one. A failure loses nothing: the batch goes back in front, and is
 * tried again by the next write, by a timer, and by `flush()` (DESIGN section 5, "Failure of the local store").
 */
import { asSyncError, SyncError, type Clock, type ReplicaStep, type ReplicaStore } from '@rejoin/core'
import { Backoff } from './backoff.ts'
import { deferred, type Deferred } from './deferred.ts'

export interface Persistence {
  /** The code and message of the last failure. */
  readonly cause: { readonly code: SyncError['code']; readonly message: string }
  /** Steps that wait. */
  readonly count: number
}

interface Waiting {
  readonly steps: readonly ReplicaStep[]
  readonly bytes: number
  readonly onRecorded: () => void
  readonly onFailed: (error: SyncError) => void
}

interface Flush {
  readonly upTo: number
  /** Whether a record was begun since it was asked for. */
  tried: boolean
  readonly done: Deferred
}

/** Made while nothing else is recorded; null where there is nothing to do after all. */
type Job = () => Promise<readonly ReplicaStep[] | null>

export class PendingWrites {
  readonly #store: ReplicaStore
  readonly #clock: Clock
  readonly #onChange: () => void
  readonly #backoff: Backoff
  readonly #stop = new AbortController()
  #waiting: Waiting[] = []
  #job: { job: Job; onRecorded: (steps: readonly ReplicaStep[]) => void } | null = null
  #flushes: Flush[] = []
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
  }

  /** Bytes that wait for the store. */
  get bytes(): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  get persistence(): 'ok' | Persistence {
    if (this.#failure === null) return 'ok'
    const { code, message } = this.#failure
    return {
      cause: { code, message },
      count: this.#waiting.reduce((sum, { steps }) => sum + steps.length, 0),
    }
  }

  /** Queues steps that belong together. Of the two callbacks `onFailed` may come first, and more than once. */
  add(
    steps: readonly ReplicaStep[],
    onRecorded: () => void = () => {},
    onFailed: (error: SyncError) => void = () => {},
  ): void {
    this.#queued++
    this.#waiting.push({ steps, bytes: stepsBytes(steps), onRecorded, onFailed })
    this.#record()
  }

  /** Does a job between two records once everything that waits is recorded; a failing one is given up. */
  addJob(job: Job, onRecorded: (steps: readonly ReplicaStep[]) => void): void {
    this.#job ??= { job, onRecorded }
    this.#record()
  }

  /**
   * Resolves when everything queued so far is durable.
   * @throws SyncError STORE_UNAVAILABLE, STORE_FULL, STORE_CORRUPT or STORE_CLOSED; what waits goes on waiting.
   */
  async flush(): Promise<void> {
    if (this.#recorded === this.#queued) return
    const flush = { upTo: this.#queued, tried: false, done: deferred() }
    this.#flushes.push(flush)
    this.#record()
    await flush.done.promise
  }

  /** Ends the timer; nothing is tried again by itself. */
  close(): void {
    this.#stop.abort()
  }

  #record(): void {
    if (this.#recording) return
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
    this.#failure = null
    this.#backoff.reset()
    for (const { onRecorded } of batch) onRecorded()
    this.#endFlushes(
      ({ upTo }) => upTo <= this.#recorded,
      (flush) => flush.resolve(),
    )
    this.#onChange()
    return true
  }

  #fail(batch: readonly Waiting[], failure: SyncError): void {
    this.#failure = failure
    for (const { onFailed } of batch) onFailed(failure)
    this.#endFlushes(
      ({ tried }) => tried,
      (flush) => flush.reject(failure),
    )
    this.#onChange()
  }

  #endFlushes(ended: (flush: Flush) => boolean, end: (done: Deferred) => void): void {
    const flushes = this.#flushes
    this.#flushes = flushes.filter((flush) => !ended(flush))
    for (const flush of flushes) if (ended(flush)) end(flush.done)
  }

  async #doJob({
    job,
    onRecorded,
  }: {
    job: Job
    onRecorded: (steps: readonly ReplicaStep[]) => void
  }): Promise<void> {
    try {
      const steps = await job()
      if (steps !== null) {
        await this.#store.record(steps)
        onRecorded(steps)
      }
    } catch {
      // A fold saves room, nothing else: the base is as it was, and the next growth asks for it again.
    } finally {
      this.#job = null
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

function stepsBytes(steps: readonly ReplicaStep[]): number {
  return steps.reduce((sum, step) => sum + stepBytes(step), 0)
}

function stepBytes(step: ReplicaStep): number {
  switch (step.kind) {
    case 'local':
      return step.commit.update.length
    case 'remote':
      return step.updates.reduce((sum, update) => sum + update.length, 0)
    case 'snapshot':
      return step.snapshot.length
    case 'reset':
      return (step.snapshot?.length ?? 0) + step.updates.reduce((sum, update) => sum + update.length, 0)
    default:
      return 0
  }
}
