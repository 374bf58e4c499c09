/**
 * The heavy work of a hub, and a client's, on a thread beside it: one worker, started when it is first needed and again after
 * it died, one job at a time, the others waiting in a queue with a bound. A job ends with its result or with a code, always;
 * while nothing is to be done the thread keeps no process alive.
 */
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { assert, SyncError, type Clock, type RebuiltDocument } from '@rejoin/core'
import type { HeavyWork, SnapshotContent } from '@rejoin/hub'
import type { FoldedBase } from '@rejoin/replica'
import {
  lengthsOf,
  piecesOf,
  type JobAnswer,
  type JobKind,
  type JobPiece,
  type JobRequest,
  type JobResult,
} from './document-worker-messages.ts'

/** Jobs that wait: many namespaces may outgrow their checkpoints at once, and each tries again later. */
const WAITING_JOBS_MAX = 100
/** Milliseconds for one job: where others want the processors a large document may take minutes. */
const JOB_MS_MAX = 600_000

export interface DocumentWorkerOptions {
  readonly clock: Clock
  readonly waitingJobsMax?: number
  readonly jobMsMax?: number
  /** Milliseconds without a job after which the thread ends; by default it stays for the next. */
  readonly idleMsMax?: number
  /** Whether a job under way keeps the process alive; default true: somebody waits for it. */
  readonly isAwaited?: boolean
  /** Starts the thread; by default this package's own. */
  readonly start?: () => Worker
}

interface Job {
  readonly kind: JobKind
  readonly parts: readonly Uint8Array[]
  readonly resolve: (result: JobResult) => void
  readonly reject: (error: SyncError) => void
}

interface RunningJob extends Job {
  readonly id: number
  readonly ended: AbortController
}

export class DocumentWorker implements HeavyWork {
  readonly #clock: Clock
  readonly #waitingJobsMax: number
  readonly #jobMsMax: number
  readonly #idleMsMax: number | null
  readonly #isAwaited: boolean
  readonly #start: () => Worker
  #worker: Worker | null = null
  #waiting: Job[] = []
  #running: RunningJob | null = null
  /** Aborted when there is something to be done again. */
  #idle: AbortController | null = null
  #lastId = 0
  #closed = false

  constructor(options: DocumentWorkerOptions) {
    this.#clock = options.clock
    this.#waitingJobsMax = options.waitingJobsMax ?? WAITING_JOBS_MAX
    this.#jobMsMax = options.jobMsMax ?? JOB_MS_MAX
    this.#idleMsMax = options.idleMsMax ?? null
    this.#isAwaited = options.isAwaited ?? true
    this.#start = options.start ?? startThread
  }

  /** @throws SyncError HUB_INTERNAL, RATE_LIMITED, TIMED_OUT or HUB_CLOSING; so do the others. */
  async compact(parts: readonly Uint8Array[]): Promise<Uint8Array> {
    return new Uint8Array((await this.#do('compact', parts)).snapshot)
  }

  async rebuild(parts: readonly Uint8Array[]): Promise<RebuiltDocument> {
    const { snapshot, digest } = await this.#do('rebuild', parts)
    return { snapshot: new Uint8Array(snapshot), digest }
  }

  async digest(parts: readonly Uint8Array[]): Promise<string> {
    return (await this.#do('digest', parts)).digest
  }

  async diff(parts: readonly Uint8Array[], stateVector: Uint8Array): Promise<Uint8Array> {
    return new Uint8Array((await this.#do('diff', [stateVector, ...parts])).snapshot)
  }

  async read(snapshot: Uint8Array): Promise<SnapshotContent> {
    const { content } = await this.#do('read', [snapshot])
    assert(content !== null, 'what was read has content')
    return content
  }

  async fold(base: readonly Uint8Array[]): Promise<FoldedBase> {
    const { snapshot, held } = await this.#do('fold', base)
    assert(held !== null, 'what was folded holds something')
    return { snapshot: new Uint8Array(snapshot), held }
  }

  /** Every job that is not done fails with HUB_CLOSING, and the thread ends. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    const closing = new SyncError('HUB_CLOSING', 'the hub is closing; the work was not done')
    for (const { reject } of this.#waiting.splice(0)) reject(closing)
    await this.#stop(closing)
  }

  #do(kind: JobKind, parts: readonly Uint8Array[]): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new SyncError('HUB_CLOSING', 'the hub is closing; come back later'))
      if (this.#waiting.length >= this.#waitingJobsMax) {
        const what = `${this.#waiting.length} documents wait to be compacted or rebuilt`
        return reject(new SyncError('RATE_LIMITED', `${what}; it will be tried again`))
      }
      this.#waiting.push({ kind, parts, resolve, reject })
      this.#next()
    })
  }

  #next(): void {
    if (this.#running !== null) return
    const job = this.#waiting.shift()
    if (job === undefined) {
      this.#worker?.unref()
      void this.#endWhenIdle()
      return
    }
    this.#idle?.abort()
    const running = { ...job, id: ++this.#lastId, ended: new AbortController() }
    this.#running = running
    try {
      const worker = (this.#worker ??= this.#begin())
      if (this.#isAwaited) worker.ref()
      else worker.unref()
      void this.#send(running, worker)
    } catch (cause) {
      return this.#end(running, running.reject, internal('could not be started', cause))
    }
    void this.#watch(running)
  }

  /** Piece by piece, and whoever waits for an answer of the hub gets it in between. */
  async #send(running: RunningJob, worker: Worker): Promise<void> {
    const { id, kind, parts } = running
    try {
      for (const bytes of piecesOf(parts)) {
        worker.postMessage({ id, kind: 'piece', bytes } satisfies JobPiece, [bytes])
        await setImmediate()
        // It has failed, or its thread has ended.
        if (this.#running !== running) return
      }
      worker.postMessage({ id, kind, lengths: lengthsOf(parts) } satisfies JobRequest)
    } catch (cause) {
      if (this.#running === running)
        this.#end(running, running.reject, internal('could not be given its job', cause))
    }
  }

  #begin(): Worker {
    const worker = this.#start()
    const died = (cause: unknown): void => {
      if (this.#worker !== worker) return
      this.#worker = null
      this.#fail(internal('died', cause))
    }
    worker.on('message', (answer: JobAnswer) => this.#take(answer))
    worker.on('messageerror', died)
    worker.on('error', died)
    worker.on('exit', (code) => died(new Error(`it exited with ${code}`)))
    return worker
  }

  #take(answer: JobAnswer): void {
    const running = this.#running
    if (running === null || running.id !== answer.id) return
    if (answer.kind === 'done') this.#end(running, running.resolve, answer.result)
    else this.#end(running, running.reject, new SyncError(answer.code, answer.message))
  }

  /** The job under way ends with `error`, and the others go on, in a new thread where there is none. */
  #fail(error: SyncError): void {
    const running = this.#running
    if (running !== null) this.#end(running, running.reject, error)
  }

  #end<T>(running: RunningJob, settle: (outcome: T) => void, outcome: T): void {
    this.#running = null
    running.ended.abort()
    settle(outcome)
    this.#next()
  }

  async #watch(running: RunningJob): Promise<void> {
    await this.#clock.sleep(this.#jobMsMax, running.ended.signal)
    if (this.#running !== running) return
    const what = `a document was not done within ${this.#jobMsMax} ms`
    await this.#stop(new SyncError('TIMED_OUT', `${what}; the thread was ended`))
  }

  async #endWhenIdle(): Promise<void> {
    if (this.#idleMsMax === null || this.#worker === null) return
    const idle = new AbortController()
    this.#idle = idle
    await this.#clock.sleep(this.#idleMsMax, idle.signal)
    if (idle.signal.aborted) return
    const worker = this.#worker
    this.#worker = null
    await worker?.terminate()
  }

  async #stop(why: SyncError): Promise<void> {
    this.#idle?.abort()
    const worker = this.#worker
    this.#worker = null
    this.#fail(why)
    await worker?.terminate()
  }
}

function internal(what: string, cause: unknown): SyncError {
  const detail = cause instanceof Error ? `: ${cause.message}` : ''
  return new SyncError('HUB_INTERNAL', `the document thread ${what}${detail}`, { cause })
}

/** Built, the thread is the file beside this one; from source it is read by way of tsx. */
function startThread(): Worker {
  const name = 'rejoin-documents'
  if (import.meta.url.endsWith('.js')) {
    return new Worker(new URL('./document-worker-thread.js', import.meta.url), { name })
  }
  const entry = new URL('./document-worker-thread.ts', import.meta.url).href
  return new Worker(new URL('./document-worker-boot.mjs', import.meta.url), { name, workerData: { entry } })
}
