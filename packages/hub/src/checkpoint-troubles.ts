/**
 * Namespaces whose log cannot be folded: which, why, and when each is tried again. Told in the log when that changes and
 * not each time: when it begins, when the cause is another, when the log has grown beyond a bound, when it is over.
 */
import { limits, randomUnit, type Clock, type Namespace, type SyncError } from '@rejoin/core'
import { type HubLog } from './log-event.ts'
import { type CheckpointTrouble } from './room-status.ts'

export class CheckpointTroubles {
  readonly #clock: Clock
  readonly #log: HubLog
  readonly #troubles = new Map<Namespace, CheckpointTrouble>()
  /** Those whose growth was told. */
  readonly #overdue = new Set<Namespace>()

  constructor(clock: Clock, log: HubLog) {
    this.#clock = clock
    this.#log = log
  }

  get count(): number {
    return this.#troubles.size
  }

  of(namespace: Namespace): CheckpointTrouble | null {
    return this.#troubles.get(namespace) ?? null
  }

  /** It failed, again or for the first time. */
  failed(namespace: Namespace, error: SyncError): CheckpointTrouble {
    const before = this.of(namespace)
    const { code, message } = error
    const failures = (before?.failures ?? 0) + 1
    const ceilingMs = Math.min(
      limits.checkpointRetryMsMax,
      limits.checkpointRetryMsMin * 2 ** Math.min(failures, 30),
    )
    const waitMs = Math.round(ceilingMs / 2 + (randomUnit(this.#clock) * ceilingMs) / 2)
    const trouble = { cause: { code, message }, failures, retryAt: this.#clock.now() + waitMs }
    this.#troubles.set(namespace, trouble)
    if (before?.cause.code !== code) {
      const level = error.retryable ? 'warn' : 'error'
      this.#log({
        level,
        namespace,
        message: `its log cannot be folded (${code}); served on, tried again`,
        error,
      })
    }
    return trouble
  }

  /** So many bytes are logged since its last checkpoint. */
  grown(namespace: Namespace, bytesAfter: number): void {
    const trouble = this.of(namespace)
    if (trouble === null || bytesAfter <= limits.checkpointOverdueBytes || this.#overdue.has(namespace))
      return
    this.#overdue.add(namespace)
    const { cause, failures } = trouble
    const why = `folding has failed ${failures} times (${cause.code}): ${cause.message}`
    this.#log({ level: 'error', namespace, message: `${bytesAfter} bytes are logged and not folded; ${why}` })
  }

  /** It is folded again. */
  over(namespace: Namespace): void {
    const { failures } = this.of(namespace) ?? { failures: 0 }
    this.forget(namespace)
    if (failures === 0) return
    this.#log({ level: 'info', namespace, message: `its log is folded again, after ${failures} failures` })
  }

  /** The namespace is gone. */
  forget(namespace: Namespace): void {
    this.#troubles.delete(namespace)
    this.#overdue.delete(namespace)
  }
}
