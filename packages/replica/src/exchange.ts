/**
 * An exchange: dial, hold one session, note how it went. One at a time, since two sessions of one replica would push the
 * same commits side by side.
 */
import {
  asSyncError,
  limits,
  SyncError,
  type Bill,
  type Counter,
  type Dial,
  type ReplicaChannel,
} from '@rejoin/core'
import { Healing } from './healing.ts'
import { endOfError, left, type SessionEnd } from './session-end.ts'
import type { SessionParts, Tally } from './session-parts.ts'
import { SyncSession } from './sync-session.ts'

export class Exchange {
  readonly tally: Tally
  readonly #parts: SessionParts
  #session: SyncSession | null = null
  #sessions = 0
  #last: Promise<unknown> = Promise.resolve()
  /** Of the channels before the present one. */
  #billBefore: Bill = { bytesUp: 0, bytesDown: 0 }

  constructor(parts: Omit<SessionParts, 'healing'>) {
    this.#parts = { ...parts, healing: new Healing(parts) }
    this.tally = parts.tally
  }

  get bill(): Bill {
    return addBills(this.#billBefore, this.#session?.bill ?? { bytesUp: 0, bytesDown: 0 })
  }

  /** How many sessions were begun. */
  get sessions(): number {
    return this.#sessions
  }

  get caughtUp(): boolean {
    return this.#session?.caughtUp === true
  }

  /** A commit was saved: it can be sent. */
  poke(): void {
    this.#session?.push()
  }

  /** Says goodbye in the present session, if there is one. */
  leave(): void {
    this.#session?.leave()
  }

  sendAwareness(update: Uint8Array): void {
    this.#session?.sendAwareness(update)
  }

  /** Resolves when no session is held or asked for. */
  get ended(): Promise<unknown> {
    return this.#last
  }

  /**
   * Waits for its turn, then holds one session.
   * @param goal counter up to which everything is to be settled; null: stay until `signal` aborts.
   */
  run(dial: Dial, goal: Counter | null, signal: AbortSignal): Promise<SessionEnd> {
    const end = this.#last.then(() => this.#run(dial, goal, signal))
    this.#last = end
    return end
  }

  async #run(dial: Dial, goal: Counter | null, signal: AbortSignal): Promise<SessionEnd> {
    if (signal.aborted) return left
    const { connection, writes } = this.#parts
    connection.noteAttempt()
    connection.on('connect')
    // What the hub may ask for is the recorded base: so that it is all there, where the disk takes it.
    await writes.flush().catch(() => {})
    const end = await this.#hold(dial, goal, signal)
    const cut = signal.aborted
    if ('error' in end && !cut) connection.noteFailure(end.error)
    if (end.kind === 'refused') this.#parts.healing.over()
    writes.add([{ kind: 'notes', notes: connection.notes }])
    connection.on(end.kind === 'refused' && !cut ? 'refused' : 'disconnected')
    return end
  }

  async #hold(dial: Dial, goal: Counter | null, signal: AbortSignal): Promise<SessionEnd> {
    const channel = await this.#dial(dial, signal)
    if (channel instanceof SyncError) return endOfError(channel)
    if (channel.oneShot) {
      // It says all at once: before that the store has to know what may be sent.
      const { memory, sent, writes } = this.#parts
      sent.request(memory.outbox.last ?? 0)
      await writes.flush().catch(() => {})
    }
    const session = new SyncSession(channel, this.#parts, goal)
    const leave = (): void => session.leave()
    signal.addEventListener('abort', leave)
    if (signal.aborted) leave()
    this.#session = session
    this.#sessions++
    try {
      return await session.run()
    } finally {
      signal.removeEventListener('abort', leave)
      this.#session = null
      this.#billBefore = addBills(this.#billBefore, channel.bill)
    }
  }

  /** A dial that does not end in time, or when it should, is given up; what it still opens is closed. */
  async #dial(dial: Dial, signal: AbortSignal): Promise<ReplicaChannel | SyncError> {
    const enough = new AbortController()
    const dialled = Promise.resolve()
      .then(() => dial(AbortSignal.any([signal, enough.signal])))
      .catch((error: unknown) => asSyncError(error, 'HUB_UNREACHABLE', 'the hub cannot be reached'))
    const tooLate = this.#parts.clock
      .sleep(limits.answerMsMax, AbortSignal.any([signal, enough.signal]))
      .then(
        () => new SyncError('HUB_UNREACHABLE', `no connection to the hub within ${limits.answerMsMax} ms`),
      )
    const channel = await Promise.race([dialled, tooLate])
    enough.abort('answered')
    if (channel instanceof SyncError) void dialled.then((late) => late instanceof SyncError || late.close())
    return channel
  }
}

function addBills(a: Bill, b: Bill): Bill {
  return { bytesUp: a.bytesUp + b.bytesUp, bytesDown: a.bytesDown + b.bytesDown }
}
