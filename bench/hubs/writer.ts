/** A writer with a session of its own: it greets, and pushes its prepared commits one by one, each when its time has come. */
import type { DownMessage, Epoch, UpMessage } from '@rejoin/core'
import { weights } from '../subjects/domain.ts'
import type { PreparedWriter } from './prepared.ts'

export interface Answered {
  /** On the clock of `performance.now()`. */
  readonly pushedAtMs: number
  readonly ackedAtMs: number
}

export class Writer {
  readonly answered: Answered[] = []
  /** Resolves when it is caught up. */
  readonly ready: Promise<void>
  readonly #prepared: PreparedWriter
  readonly #send: (message: UpMessage) => void
  #epoch: Epoch | null = null
  #next = 0
  #pushedAtMs = 0
  #caughtUp: () => void = () => {}
  #acked: () => void = () => {}
  #failed: (error: Error) => void = () => {}

  constructor(prepared: PreparedWriter, send: (message: UpMessage) => void) {
    this.#prepared = prepared
    this.#send = send
    this.ready = new Promise((resolve) => (this.#caughtUp = resolve))
  }

  greet(): void {
    const { namespace, replica } = this.#prepared
    this.#send({
      type: 'Hello',
      namespace,
      domain: weights.name,
      domainVersion: weights.version,
      replica,
      cursor: null,
      ackedCounter: 0,
      // Without it the hub would fold the log first, to answer with a snapshot.
      capabilities: ['delta'],
    })
  }

  /** All that is left, each as soon as the one before it is acknowledged. */
  async pushAll(): Promise<void> {
    while (this.#next < this.#prepared.commits.length) await this.pushOne()
  }

  /** Resolves when it is acknowledged. */
  pushOne(): Promise<void> {
    const commit = this.#prepared.commits[this.#next++]
    if (commit === undefined) return Promise.reject(new Error('too few commits were prepared'))
    return new Promise((resolve, reject) => {
      this.#acked = resolve
      this.#failed = reject
      this.#pushedAtMs = performance.now()
      this.#send({ type: 'Push', epoch: this.#epoch, commits: [commit] })
    })
  }

  hear(message: DownMessage): void {
    switch (message.type) {
      case 'CaughtUp':
        this.#epoch = message.cursor?.epoch ?? null
        return this.#caughtUp()
      case 'Ack':
        this.answered.push({ pushedAtMs: this.#pushedAtMs, ackedAtMs: performance.now() })
        return this.#acked()
      case 'Refused':
      case 'Closing':
        return this.#failed(new Error(`${message.code}: ${message.message}`))
      default:
    }
  }
}
