/**
 * When checkpoints are built: as soon as the log since the last one has outgrown it, in the background and never on the
 * path of an ack; one at a time for each namespace, and few at once. Where it fails the hub serves on, says so, and tries
 * again by itself. It trims as well when what kept old records has ended, or when time alone has passed.
 */
import { asSyncError, limits, SyncError, type Namespace, type Seq } from '@rejoin/core'
import { CheckpointTroubles } from './checkpoint-troubles.ts'
import {
  checkpointNamespace,
  trimNamespace,
  type Checkpointed,
  type CheckpointParts,
  type WeighedDocument,
} from './checkpointing.ts'
import { type HubLog } from './log-event.ts'
import { type HubCounts } from './metrics.ts'
import { type OpenedLog } from './opening.ts'
import { type Room } from './room.ts'
import { type CheckpointTrouble } from './room-status.ts'
import { Turns } from './waiting.ts'

export interface CheckpointerParts extends Omit<CheckpointParts, 'unreadable'> {
  readonly counts: HubCounts
  readonly log: HubLog
  /** Bytes logged since the last checkpoint that are worth a new one, where its snapshot is not larger. */
  readonly bytesMin: number
  /** Those in memory. */
  readonly rooms: ReadonlyMap<Namespace, Room>
  /** What a new one weighs. */
  readonly weighed: (namespace: Namespace, document: WeighedDocument) => void
}

/** A fold trims too. */
type Work = 'fold' | 'trim'

export class Checkpointer {
  readonly #parts: CheckpointerParts
  readonly #running = new Map<Namespace, { readonly work: Work; readonly done: Promise<Checkpointed> }>()
  readonly #troubles: CheckpointTroubles
  /** Where a catch-up keeps records that nothing else keeps. */
  readonly #heldByReaders = new Set<Namespace>()
  /** When a checkpoint was last asked for since the document is as large as it may become. */
  readonly #shrunkAt = new Map<Namespace, number>()
  /** Checkpoints that were found to be no documents: their namespaces are closed. */
  readonly #unreadable = new Map<Namespace, { readonly seq: Seq; readonly error: SyncError }>()
  readonly #stopped = new AbortController()
  #atWork = 0
  /** Woken when one of those is done. */
  readonly #turns = new Turns()

  constructor(parts: CheckpointerParts) {
    this.#parts = parts
    this.#troubles = new CheckpointTroubles(parts.clock, parts.log)
    if (parts.retention.hours > 0) void this.#lookAtAges()
  }

  /** How many namespaces cannot be folded. */
  get failing(): number {
    return this.#troubles.count
  }

  troubleOf(namespace: Namespace): CheckpointTrouble | null {
    return this.#troubles.of(namespace)
  }

  /**
   * Nothing is built on a checkpoint that is no document, until it was repaired or the namespace was removed.
   * @throws SyncError STORE_CORRUPT where the namespace's newest one is known to be that.
   */
  checkReadable(namespace: Namespace, { checkpoint }: OpenedLog): void {
    const found = this.#unreadable.get(namespace)
    if (found === undefined) return
    if (found.seq === checkpoint?.seq) throw found.error
    this.#unreadable.delete(namespace)
  }

  /** Looks whether the room's log has outgrown its checkpoint. */
  grown(room: Room): void {
    const { namespace } = room
    if (!room.log.isCheckpointDue(this.#parts.bytesMin, room.marks?.clientCount ?? 0)) return
    // What has failed waits for its time.
    if (this.troubleOf(namespace) !== null) this.#troubles.grown(namespace, room.log.bytesAfterCheckpoint)
    else this.#buildLater(namespace)
  }

  /** The document is as large as it may become: what was logged since may fold into less. Not for each refusal anew. */
  shrink({ namespace, log }: Room): void {
    const now = this.#parts.clock.now()
    const sinceMs = now - (this.#shrunkAt.get(namespace) ?? -Infinity)
    if (sinceMs >= 0 && sinceMs < limits.documentFoldMsMin) return
    if (log.bytesAfterCheckpoint === 0 || this.troubleOf(namespace) !== null) return
    this.#shrunkAt.set(namespace, now)
    this.#buildLater(namespace)
  }

  /** A catch-up has ended: what only it kept may go. */
  released({ namespace }: Room): void {
    if (this.#heldByReaders.delete(namespace)) void this.#trim(namespace)
  }

  /** Nobody is in the room any more. */
  forget(namespace: Namespace): void {
    this.#heldByReaders.delete(namespace)
    this.#shrunkAt.delete(namespace)
  }

  /** Folds the log now, or joins the one who does. @throws SyncError why it cannot */
  build(namespace: Namespace): Promise<Checkpointed> {
    const running = this.#running.get(namespace)
    return running?.work === 'fold' ? running.done : this.#begin(namespace, 'fold', running?.done)
  }

  /** Begins no other, waits for none, and what is under way writes nothing more. Resolves when nobody waits for any. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await Promise.allSettled(Array.from(this.#running.values(), ({ done }) => done))
  }

  /** Unless a fold does. Never rejects: a failure was told, and is tried again. */
  async #trim(namespace: Namespace): Promise<void> {
    if (!this.#running.has(namespace)) await this.#begin(namespace, 'trim').catch(() => {})
  }

  #begin(namespace: Namespace, work: Work, before?: Promise<unknown>): Promise<Checkpointed> {
    const done = unlessAborted(this.#stopped.signal, this.#work(namespace, work, before)).finally(() => {
      if (this.#running.get(namespace)?.done === done) this.#running.delete(namespace)
    })
    this.#running.set(namespace, { work, done })
    return done
  }

  async #work(namespace: Namespace, work: Work, before?: Promise<unknown>): Promise<Checkpointed> {
    // Whoever made the log grow is answered and has returned first.
    await before?.catch(() => {})
    await this.#turns.until(() => this.#takesTurn())
    try {
      const done = await this.#do(namespace, work)
      this.#troubles.over(namespace)
      return done
    } catch (cause) {
      const error = asSyncError(cause, 'HUB_INTERNAL', `${namespace}: the checkpoint failed`)
      if (!this.#stopped.signal.aborted) this.#fail(namespace, error)
      throw error
    } finally {
      this.#atWork--
      this.#turns.wake()
    }
  }

  /** In the turn in which it is asked, so that no two take the same. */
  #takesTurn(): boolean {
    if (this.#atWork === limits.checkpointsAtOnceMax) return false
    this.#atWork++
    return true
  }

  async #do(namespace: Namespace, work: Work): Promise<Checkpointed> {
    const { counts, rooms, weighed } = this.#parts
    const room = rooms.get(namespace)
    const place = {
      namespace,
      readers: room?.log.readers ?? null,
      retained: room?.log.range?.retained ?? null,
      stopped: this.#stopped.signal,
    }
    const parts: CheckpointParts = {
      ...this.#parts,
      unreadable: (_, seq, error) => {
        this.#unreadable.set(namespace, { seq, error })
        // Whoever is there is told, as is whoever comes.
        void rooms.get(namespace)?.reopen()
      },
    }
    const done = await (work === 'fold' ? checkpointNamespace : trimNamespace)(parts, place)
    if (work === 'fold') counts.checkpoints++
    if (done.keptBy === 'reader') this.#heldByReaders.add(namespace)
    rooms.get(namespace)?.log.checkpointed(done)
    if (done.weighed !== null) weighed(namespace, done.weighed)
    return done
  }

  #fail(namespace: Namespace, error: SyncError): void {
    if (isGone(error)) return this.#troubles.forget(namespace)
    this.#parts.counts.checkpointFailures++
    void this.#retry(namespace, this.#troubles.failed(namespace, error))
  }

  async #retry(namespace: Namespace, trouble: CheckpointTrouble): Promise<void> {
    const { clock } = this.#parts
    const { signal } = this.#stopped
    await clock.sleep(trouble.retryAt - clock.now(), signal)
    // An operator may have tried meanwhile: then another timer runs, or none is needed.
    if (!signal.aborted && this.troubleOf(namespace) === trouble) this.#buildLater(namespace)
  }

  /** By age alone, where nobody writes; a namespace in which nobody is either keeps what it has until somebody comes. */
  async #lookAtAges(): Promise<void> {
    const { clock, rooms } = this.#parts
    const { signal } = this.#stopped
    for (;;) {
      await clock.sleep(limits.retentionLookMs, signal)
      if (signal.aborted) return
      for (const [namespace, { log }] of rooms) {
        if ((log.range?.checkpoint ?? null) !== null) await this.#trim(namespace)
      }
    }
  }

  #buildLater(namespace: Namespace): void {
    // A failure was told, and is tried again.
    this.build(namespace).catch(() => {})
  }
}

function isGone({ code }: SyncError): boolean {
  return code === 'NAMESPACE_UNKNOWN' || code === 'NAMESPACE_DELETED'
}

/** What is not done by then goes on unobserved. */
function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new SyncError('HUB_CLOSING', 'the hub is closing; come back later'))
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
