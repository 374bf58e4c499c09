/**
 * When documents are rebuilt: as soon as a checkpoint finds them to be mostly dead, or when an operator says so; in the
 * background, one at a time for each namespace. A few times it races the writers, whom it then makes wait for a bounded
 * time, or it would lose for ever. A failure is logged and tried again later, while the hub serves on.
 */
import { asSyncError, limits, SyncError, type Epoch, type HubSignals, type Namespace } from '@rejoin/core'
import { type WeighedDocument } from './checkpointing.ts'
import { type HubLog } from './log-event.ts'
import { type HubCounts } from './metrics.ts'
import { outrun, prepareRebuild, recordRebuild, type RebuildParts, type Rebuilt } from './rebuild.ts'
import { isRebuildDue, type RebuildPolicy } from './rebuild-policy.ts'
import { type Room } from './room.ts'
import { within } from './waiting.ts'

export interface RebuilderParts extends RebuildParts {
  readonly signals: HubSignals
  readonly counts: HubCounts
  readonly log: HubLog
  readonly policy: RebuildPolicy | 'never'
  /** The room of a namespace, made where it is not in memory. */
  readonly room: (namespace: Namespace) => Room
}

interface Failure {
  /** Of the document that was weighed. */
  readonly epoch: Epoch
  /** In a row. */
  readonly count: number
  /** When the next try is due, milliseconds since 1970. */
  readonly retryAt: number
}

type Outcome = Rebuilt | 'moved' | 'over'

export class Rebuilder {
  readonly #parts: RebuilderParts
  readonly #running = new Map<Namespace, Promise<Rebuilt | null>>()
  /** What the policy asked for and failed. */
  readonly #failures = new Map<Namespace, Failure>()
  #stopped = false

  constructor(parts: RebuilderParts) {
    this.#parts = parts
  }

  /** A checkpoint was made, and this is what it weighs. */
  weighed(namespace: Namespace, { epoch, weight, mayHeal }: WeighedDocument): void {
    const { policy, log } = this.#parts
    if (policy === 'never' || !isRebuildDue(weight, policy) || this.#isTooEarly(namespace)) return
    if (mayHeal) {
      const message =
        'worth a rebuild, which waits for an operator: replicas may still bring back what was lost'
      return log({ level: 'warn', namespace, message })
    }
    const { deadBytes, deadStructs, liveBytes, liveStructs } = weight
    const message = `rebuilding: ${deadBytes} dead bytes to ${liveBytes} live ones, ${deadStructs} dead structs to ${liveStructs}`
    log({ level: 'info', namespace, message })
    this.#buildByPolicy(namespace, epoch)
  }

  /** The log has grown: what failed may be due again. */
  grown(namespace: Namespace): void {
    const failure = this.#failures.get(namespace)
    if (failure !== undefined && !this.#isTooEarly(namespace)) this.#buildByPolicy(namespace, failure.epoch)
  }

  /** Nobody writes any more: the next checkpoint decides anew. */
  forget(namespace: Namespace): void {
    this.#failures.delete(namespace)
  }

  /** Rebuilds now, or joins the one who does. @throws SyncError why it cannot; then nothing was changed */
  async build(namespace: Namespace): Promise<Rebuilt> {
    for (;;) {
      const rebuilt = await this.#only(namespace, null)
      // It joined one that the policy asked for, and that another hub had done by then.
      if (rebuilt !== null) return rebuilt
    }
  }

  /** Begins no other. Resolves when none is being made. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.allSettled(this.#running.values())
  }

  #isTooEarly(namespace: Namespace): boolean {
    const waitMs = (this.#failures.get(namespace)?.retryAt ?? 0) - this.#parts.clock.now()
    // A clock that was set back must not put it off for long.
    return waitMs > 0 && waitMs <= limits.reconnectMsMax
  }

  /** @param epoch of the document that was found to be worth it: by now another hub may have done it. */
  #buildByPolicy(namespace: Namespace, epoch: Epoch): void {
    if (this.#running.has(namespace) || this.#stopped) return
    const { clock } = this.#parts
    this.#only(namespace, epoch).then(
      () => this.#failures.delete(namespace),
      () => {
        const count = (this.#failures.get(namespace)?.count ?? 0) + 1
        const waitMs = Math.min(limits.reconnectMsMin * 2 ** count, limits.reconnectMsMax)
        this.#failures.set(namespace, { epoch, count, retryAt: clock.now() + waitMs })
      },
    )
  }

  #only(namespace: Namespace, epoch: Epoch | null): Promise<Rebuilt | null> {
    let running = this.#running.get(namespace)
    if (running === undefined) {
      running = this.#build(namespace, epoch).finally(() => this.#running.delete(namespace))
      this.#running.set(namespace, running)
    }
    return running
  }

  /** Null where the epoch that was to be made anew is over. */
  async #build(namespace: Namespace, epoch: Epoch | null): Promise<Rebuilt | null> {
    const { counts, log, signals } = this.#parts
    // Whoever made the log grow is answered and has returned first.
    await Promise.resolve()
    try {
      const rebuilt = await this.#race(namespace, epoch)
      if (rebuilt === 'over') return null
      counts.rebuilds++
      signals.publish(namespace)
      const message = `rebuilt: epoch ${rebuilt.epoch} from seq ${rebuilt.seq}, ${rebuilt.snapshotBytes} bytes`
      log({ level: 'info', namespace, message })
      return rebuilt
    } catch (error) {
      if (this.#stopped) throw asSyncError(error, 'HUB_CLOSING', 'the hub is closing')
      counts.rebuildFailures++
      log({ level: 'error', namespace, message: 'the rebuild failed; serving on', error })
      throw asSyncError(error, 'HUB_INTERNAL', `${namespace}: the rebuild failed`)
    }
  }

  async #race(namespace: Namespace, epoch: Epoch | null): Promise<Rebuilt | 'over'> {
    for (let tries = 1; tries <= limits.rebuildTriesMax; tries++) {
      if (this.#stopped) throw new SyncError('HUB_CLOSING', 'the hub is closing; come back later')
      const isHeld = tries > limits.rebuildRacesMax
      const outcome = isHeld ? await this.#held(namespace, epoch) : await this.#beside(namespace, epoch)
      if (outcome !== 'moved') return outcome
    }
    throw outrun(namespace)
  }

  /** Made while the room serves on; only its record waits for a gap between two appends. */
  async #beside(namespace: Namespace, epoch: Epoch | null): Promise<Outcome> {
    const prepared = await prepareRebuild(this.#parts, namespace, epoch)
    if (typeof prepared === 'string') return prepared
    return await this.#between(namespace, () => recordRebuild(this.#parts, namespace, prepared))
  }

  /** All of it in such a gap: whoever pushes meanwhile is answered afterwards. */
  #held(namespace: Namespace, epoch: Epoch | null): Promise<Outcome> {
    return this.#between(namespace, async () => {
      const prepared = await prepareRebuild(this.#parts, namespace, epoch)
      return typeof prepared === 'string' ? prepared : await recordRebuild(this.#parts, namespace, prepared)
    })
  }

  /** What takes too long is left to itself: its append is conditional, so whenever it comes it does no harm. */
  #between(namespace: Namespace, work: () => Promise<Outcome>): Promise<Outcome> {
    const { clock, room } = this.#parts
    return room(namespace).between(async () => {
      const outcome = await within(clock, limits.rebuildHoldMsMax, work())
      if (outcome !== 'late') return outcome
      const why = `the rebuild of ${namespace} took more than ${limits.rebuildHoldMsMax} ms while appends waited`
      throw new SyncError('TIMED_OUT', `${why}; it will be tried again`)
    })
  }
}
