/**
 * When checkpoints are built: as soon as the log since the last one has outgrown it, in the background and never on the
 * path of an ack; one at a time for each namespace. A failure is logged and tried again later, while the hub serves on.
 */
import {
  asSyncError,
  limits,
  type Clock,
  type CrdtUpdates,
  type HubStore,
  type Namespace,
} from '@rejoin/core'
import { checkpointNamespace, type Checkpointed, type WeighedDocument } from './checkpointing.ts'
import { type HeavyWork } from './heavy-work.ts'
import { type HubLog } from './log-event.ts'
import { type HubCounts } from './metrics.ts'
import { type Retention } from './retention.ts'
import { type Room } from './room.ts'

export interface CheckpointerParts {
  readonly store: HubStore
  readonly updates: CrdtUpdates
  readonly heavy: HeavyWork
  readonly clock: Clock
  readonly counts: HubCounts
  readonly log: HubLog
  readonly retention: Retention
  /** Bytes logged since the last checkpoint that are worth a new one, where its snapshot is not larger. */
  readonly bytesMin: number
  /** The room of a namespace, where it is in memory. */
  readonly room: (namespace: Namespace) => Room | null
  /** What a new one weighs. */
  readonly weighed: (namespace: Namespace, document: WeighedDocument) => void
}

export class Checkpointer {
  readonly #parts: CheckpointerParts
  readonly #running = new Map<Namespace, Promise<Checkpointed>>()
  /** Failures in a row, and when the next try is due, milliseconds since 1970. */
  readonly #failures = new Map<Namespace, { readonly count: number; readonly retryAt: number }>()

  constructor(parts: CheckpointerParts) {
    this.#parts = parts
  }

  /** Looks whether the room's log has outgrown its checkpoint. */
  grown(room: Room): void {
    const { bytesMin, clock } = this.#parts
    const { namespace } = room
    if (!room.isCheckpointDue(bytesMin)) return
    if (clock.now() < (this.#failures.get(namespace)?.retryAt ?? 0)) return
    // Its failure was logged, and the next commit tries again.
    this.build(namespace).catch(() => {})
  }

  /** Folds the log now, or joins the one who does. @throws SyncError why it cannot */
  build(namespace: Namespace): Promise<Checkpointed> {
    let running = this.#running.get(namespace)
    if (running === undefined) {
      running = this.#build(namespace).finally(() => this.#running.delete(namespace))
      this.#running.set(namespace, running)
    }
    return running
  }

  /** Resolves when none is being built. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running.values())
  }

  async #build(namespace: Namespace): Promise<Checkpointed> {
    const { store, updates, heavy, retention, counts, clock, log, room, weighed } = this.#parts
    // Whoever made the log grow is answered and has returned first.
    await Promise.resolve()
    try {
      const done = await checkpointNamespace(store, updates, heavy, namespace, retention)
      counts.checkpoints++
      this.#failures.delete(namespace)
      room(namespace)?.checkpointed(done)
      if (done.weighed !== null) weighed(namespace, done.weighed)
      return done
    } catch (error) {
      counts.checkpointFailures++
      const count = (this.#failures.get(namespace)?.count ?? 0) + 1
      const waitMs = Math.min(limits.reconnectMsMin * 2 ** count, limits.reconnectMsMax)
      this.#failures.set(namespace, { count, retryAt: clock.now() + waitMs })
      log({ level: 'error', namespace, message: `checkpoint failed ${count} times; serving on`, error })
      throw asSyncError(error, 'HUB_INTERNAL', `${namespace}: the checkpoint failed`)
    }
  }
}
