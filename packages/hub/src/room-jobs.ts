/**
 * Work that must not run beside a room's appends: done between two of them, one job after another, while what is pushed
 * waits. Whoever adds a job bounds the time it takes (invariant 14).
 */
import { type SyncError } from '@rejoin/core'

interface Job {
  run(): Promise<void>
  refuse(error: SyncError): void
}

export class RoomJobs {
  #waiting: Job[] = []

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** Settles as the work does, or rejects with why the room could not be opened for it. */
  add<T>(work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ run: () => work().then(resolve, reject), refuse: reject })
    })
  }

  async doNext(): Promise<void> {
    await this.#waiting.shift()?.run()
  }

  refuseAll(error: SyncError): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const job of waiting) job.refuse(error)
  }
}
