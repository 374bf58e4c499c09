/**
 * Group commit: jobs that wait are handed over together, those that arrive meanwhile form the next group. One group at a
 * time, in the order of arrival. Bounded (invariant 14): a job that finds the queue full is refused by `add`.
 */

export interface Job {
  /** What it adds to the group's batch, bytes. */
  readonly bytes: number
  /** Must not share a batch with jobs before or after it. */
  readonly alone: boolean
}

/** Jobs that may wait; rooms have one append in flight each, so that many rooms are waiting. */
const jobsMax = 100_000
/** Bytes of one group, unless its first job alone is larger: what one batch copies. */
const groupBytesMax = 8 * 1024 * 1024

export class JobQueue<J extends Job> {
  readonly #run: (group: readonly J[]) => Promise<void>
  #waiting: J[] = []
  #drained: Promise<void> | null = null

  /** `run` must not reject: it answers each job itself. */
  constructor(run: (group: readonly J[]) => Promise<void>) {
    this.#run = run
  }

  /** False where the queue is full. */
  add(job: J): boolean {
    if (this.#waiting.length >= jobsMax) return false
    this.#waiting.push(job)
    this.#drained ??= this.#drain()
    return true
  }

  /** Resolves when nothing waits or runs. */
  async idle(): Promise<void> {
    while (this.#drained !== null) await this.#drained
  }

  get running(): boolean {
    return this.#drained !== null
  }

  async #drain(): Promise<void> {
    // Appends made in the same turn share the first batch.
    await Promise.resolve()
    while (this.#waiting.length > 0) await this.#run(this.#takeGroup())
    this.#drained = null
  }

  #takeGroup(): readonly J[] {
    let bytes = 0
    let count = 0
    for (const job of this.#waiting) {
      if (count > 0 && (job.alone || bytes + job.bytes > groupBytesMax)) break
      bytes += job.bytes
      count += 1
      if (job.alone) break
    }
    return this.#waiting.splice(0, count)
  }
}
