/**
 * `syncOnce`: exchange until the commits of this moment are settled and the replica has caught up. While live mode is on it
 * waits for that instead of opening a second session beside it, and then has the hub greeted anew, to hear what it has by
 * now; calls that overlap share one exchange.
 */
import {
  limits,
  pathBillsSince,
  SyncError,
  type Bill,
  type CatchUpPath,
  type Clock,
  type Counter,
  type Dial,
  type PathBills,
} from '@rejoin/core'
import type { Exchange } from './exchange.ts'
import type { LiveLoop } from './live-loop.ts'
import type { Outbox } from './outbox.ts'
import type { SessionEnd } from './session-end.ts'
import type { Connection, Divergence } from './status.ts'

export interface SyncReport {
  /** Commits received, our own included; a snapshot counts none. */
  readonly pulled: number
  /** Commits of others that were new here. */
  readonly applied: number
  /** Commits of ours that were new to the hub. */
  readonly pushed: number
  /** Bytes of the document that came whole, where it did: what of it was new here is not counted. */
  readonly snapshotBytes: number
  /** Bytes of what the hub had lost and this replica brought back; 0: nothing. */
  readonly healedBytes: number
  /** How the replica caught up, and the hub's reason. */
  readonly path: CatchUpPath
  readonly why: string
  /** What was held here was found not to be what the hub holds, and was put right; null: not so. */
  readonly divergence: Divergence | null
  /** As the transport counts them, frames included. */
  readonly bytesUp: number
  readonly bytesDown: number
  /**
   * What of that catching up has cost, by path, with its time: of each greeting until everything was here. Over HTTP pushes go
   * up with the greeting, and so they are in it.
   */
  readonly paths: PathBills
}

/** Over a one-shot channel what a reset or a refusal left over takes another round. */
const ROUNDS_MAX = 4
/** And so does a hub that asks for what it lost, while others bring it back too. */
const ASKED_MAX = 6

export class SyncOnce {
  readonly #exchange: Exchange
  readonly #clock: Clock
  readonly #outbox: Outbox
  readonly #connection: Connection
  readonly #held: () => SyncError | null
  #running: Promise<SyncReport> | null = null

  /** @param held why commits stay here although the hub serves us, or null. */
  constructor(
    exchange: Exchange,
    clock: Clock,
    outbox: Outbox,
    connection: Connection,
    held: () => SyncError | null,
  ) {
    this.#exchange = exchange
    this.#clock = clock
    this.#outbox = outbox
    this.#connection = connection
    this.#held = held
  }

  /** @throws SyncError what ended the exchange: HUB_UNREACHABLE, TIMED_OUT, a hub's code. */
  async run(
    way: { dial: Dial } | { live: LiveLoop },
    goal: Counter,
    signal: AbortSignal,
  ): Promise<SyncReport> {
    if (this.#running !== null) {
      const report = await this.#running
      if (!this.#outbox.hasUpTo(goal)) return report
      return this.run(way, goal, signal)
    }
    this.#running = this.#report(() =>
      'live' in way ? this.#awaitLive(way.live, goal) : this.#exchangeRounds(way.dial, goal, signal),
    )
    try {
      return await this.#running
    } finally {
      this.#running = null
    }
  }

  async #report(work: () => Promise<void>): Promise<SyncReport> {
    const { tally } = this.#exchange
    const before = {
      ...tally,
      ...this.#exchange.bill,
      paths: tally.paths.read(),
      divergence: this.#connection.divergence,
    }
    await work()
    const bill: Bill = this.#exchange.bill
    const { divergence } = this.#connection
    return {
      pulled: tally.pulled - before.pulled,
      applied: tally.applied - before.applied,
      pushed: tally.pushed - before.pushed,
      snapshotBytes: tally.snapshotBytes - before.snapshotBytes,
      healedBytes: tally.healedBytes - before.healedBytes,
      path: tally.welcome?.path ?? 'live',
      why: tally.welcome?.why ?? '',
      divergence: divergence === before.divergence ? null : divergence,
      bytesUp: bill.bytesUp - before.bytesUp,
      bytesDown: bill.bytesDown - before.bytesDown,
      paths: pathBillsSince(tally.paths.read(), before.paths),
    }
  }

  async #exchangeRounds(dial: Dial, goal: Counter, signal: AbortSignal): Promise<void> {
    this.#exchange.tally.welcome = null
    let asked = 0
    for (let round = 1; ; round++) {
      const end = await this.#exchange.run(dial, goal, signal)
      if (signal.aborted) throw new SyncError('REPLICA_CLOSED', 'the replica was closed during the exchange')
      if (isMendedByReset(end) && round < ROUNDS_MAX) continue
      if ('error' in end) throw end.error
      if (end.kind === 'asked') {
        if (++asked > ASKED_MAX)
          throw new SyncError('TIMED_OUT', 'the hub asks for what it lost again and again')
        round = 0
        continue
      }
      if (!this.#outbox.hasUpTo(goal)) return
      if (end.kind === 'spoken') {
        // Each name has its rounds.
        round = 0
        continue
      }
      const held = this.#held()
      if (held !== null) throw held
      if (round === ROUNDS_MAX) {
        throw (
          end.refusal ??
          new SyncError('TIMED_OUT', `commits are left after ${ROUNDS_MAX} rounds; they are kept`)
        )
      }
      if (end.waitMs !== null) await this.#clock.sleep(end.waitMs, signal)
    }
  }

  async #awaitLive(live: LiveLoop, goal: Counter): Promise<void> {
    const over = new AbortController()
    // What a session that was begun before heard may be old by now.
    const before = this.#exchange.sessions
    let renewed = false
    this.#exchange.tally.welcome = null
    const outcome = new Promise<SyncError | null>((resolve) => {
      const look = (): void => {
        if (!this.#exchange.caughtUp) return
        if (this.#outbox.hasUpTo(goal)) {
          if (this.#held() !== null) resolve(this.#held())
        } else if (this.#exchange.sessions > before) {
          resolve(null)
        } else if (!renewed) {
          renewed = true
          live.renew()
        }
      }
      const stopListening = this.#connection.listen(look)
      const stopEnds = live.onEnd((end) => {
        if (isMendedByReset(end) || end.kind === 'asked') return
        if ('error' in end) resolve(end.error)
        else if (!this.#outbox.hasUpTo(goal)) resolve(null)
      })
      over.signal.addEventListener('abort', () => {
        stopListening()
        stopEnds()
      })
      void this.#stillness(over.signal).then(() => {
        resolve(
          new SyncError(
            'TIMED_OUT',
            `nothing moved within ${limits.answerMsMax} ms; pending commits are kept`,
          ),
        )
      })
      look()
    })
    live.nudge()
    const error = await outcome
    over.abort('over')
    if (error !== null) throw error
  }

  /** Resolves when a whole `limits.answerMsMax` passed without a byte either way. */
  async #stillness(signal: AbortSignal): Promise<void> {
    for (;;) {
      const { bytesUp, bytesDown } = this.#exchange.bill
      await this.#clock.sleep(limits.answerMsMax, signal)
      const { bill } = this.#exchange
      if (signal.aborted || (bill.bytesUp === bytesUp && bill.bytesDown === bytesDown)) return
    }
  }
}

/** The next greeting asks for what puts it right. */
function isMendedByReset(end: SessionEnd): boolean {
  return end.kind === 'failed' && end.error.code === 'DIVERGED'
}
