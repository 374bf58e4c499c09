/**
 * The one writer of a hub store: jobs that wait form a group, each checks and stages what it wants in turn, one synced
 * batch carries all of it, and only then is anyone answered (St1). A job that fails to plan fails alone; a batch that
 * fails fails for all, with an unknown outcome (`HAZARDS.md` F3), after which everything it touched is read again.
 */
import { SyncError } from '@rejoin/core'
import type { BatchWitness } from '../batch-witness.ts'
import { JobQueue, type Job } from '../job-queue.ts'
import type { SealedDatabase } from '../sealed-database.ts'
import { corrupt, tooShort } from '../sealed-value.ts'
import { Clearing } from './clearing.ts'
import { HubDraft } from './hub-draft.ts'
import { hubKeys } from './hub-keys.ts'
import type { NamespaceStates } from './namespace-states.ts'
import { readStoreRecord, type StoreRecord } from './store-record.ts'

interface HubJob extends Job {
  /** Reads, decides and stages; gives what answers the caller once the batch is written. */
  plan(draft: HubDraft): Answer | Promise<Answer>
  fail(error: unknown): void
}

type Answer = () => void

export class HubWriter {
  readonly #database: SealedDatabase
  readonly #states: NamespaceStates
  readonly #witness: BatchWitness
  readonly #queue = new JobQueue<HubJob>((jobs) => this.#runGroup(jobs))
  readonly #clearing: Clearing
  /** Null after a write whose outcome is unknown. */
  #record: StoreRecord | null
  /** How many batches were answered. */
  #batches: number
  #ended = false

  constructor(database: SealedDatabase, states: NamespaceStates, record: StoreRecord, witness: BatchWitness) {
    this.#database = database
    this.#states = states
    this.#record = record
    this.#batches = record.batches
    this.#witness = witness
    this.#clearing = new Clearing(database)
  }

  /** `bytes`: what `plan` will add to the batch. `alone`: it needs a batch of its own. */
  run<T>(bytes: number, alone: boolean, plan: (draft: HubDraft) => T | Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#ended) throw new SyncError('STORE_CLOSED', `${this.#database.name} is closed: open it again`)
      const added = this.#queue.add({
        bytes,
        alone,
        plan: (draft) => {
          const result = plan(draft)
          // Most plans read nothing, and a promise costs as much as they do.
          if (!(result instanceof Promise)) return () => resolve(result)
          return result.then((value) => () => resolve(value))
        },
        fail: reject,
      })
      if (!added) throw new SyncError('STORE_UNAVAILABLE', `${this.#database.name} is overloaded: try again`)
    })
  }

  get running(): boolean {
    return this.#queue.running
  }

  /** Takes no more jobs; resolves when those it has are answered. */
  async end(): Promise<void> {
    this.#ended = true
    await this.#queue.idle()
    await this.#clearing.finished()
  }

  async #runGroup(jobs: readonly HubJob[]): Promise<void> {
    // A whole namespace goes or is made anew, and what it holds after that must not be cleared by what was begun before.
    const isAlone = jobs[0]?.alone === true
    if (isAlone) await this.#clearing.finished()
    try {
      // St8: what a failed write left is known only then, and jobs are planned on what is known.
      await this.#database.ready()
      if (this.#record === null) {
        this.#states.forgetAll()
        this.#record = await this.#storedRecord()
      }
    } catch (error) {
      for (const job of jobs) job.fail(error)
      return
    }
    this.#states.shrink()
    const draft = new HubDraft(this.#database, this.#states)
    const planned: { readonly job: HubJob; readonly answer: Answer }[] = []
    for (const job of jobs) {
      try {
        const answer = job.plan(draft)
        planned.push({ job, answer: answer instanceof Promise ? await answer : answer })
      } catch (error) {
        job.fail(error)
      }
    }
    try {
      this.#record = await draft.write(this.#record)
      this.#batches = this.#record.batches
      this.#witness.written(this.#record.batches)
    } catch (error) {
      draft.forget()
      this.#record = null
      for (const { job } of planned) job.fail(error)
      return
    }
    for (const { answer } of planned) answer()
    // Trims and installs clear below what later jobs write; only a namespace that went may begin anew in the same place.
    this.#clearing.begin(draft.obsoletes)
    if (isAlone) await this.#clearing.finished()
  }

  async #storedRecord(): Promise<StoreRecord> {
    const record = await readStoreRecord(this.#database)
    if (record === null) throw corrupt(hubKeys.store, `is missing from ${this.#database.name}`)
    if (record.batches >= this.#batches) return record
    throw tooShort(hubKeys.store, this.#database.name, record.batches, this.#batches)
  }
}
