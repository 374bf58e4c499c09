/**
 * Live mode: dial, hold a session, wait, for ever until it is stopped. Waiting doubles between `limits.reconnectMsMin` and
 * `reconnectMsMax` and starts anew after a session that brought something. A hub that refuses for good ends it.
 */
import { limits, SyncError, type Clock, type Dial } from '@rejoin/core'
import { Backoff } from './backoff.ts'
import type { Exchange } from './exchange.ts'
import { Listeners } from './listeners.ts'
import type { SessionEnd } from './session-end.ts'

export class LiveLoop {
  readonly #exchange: Exchange
  readonly #clock: Clock
  readonly #dial: Dial
  readonly #ends = new Listeners<SessionEnd>()
  #stop: AbortController | null = null
  #waiting: AbortController | null = null
  #ended: Promise<void> = Promise.resolve()
  #renewing = false

  constructor(exchange: Exchange, clock: Clock, dial: Dial) {
    this.#exchange = exchange
    this.#clock = clock
    this.#dial = dial
  }

  get running(): boolean {
    return this.#stop !== null
  }

  start(): void {
    if (this.#stop !== null) return
    const stop = new AbortController()
    this.#stop = stop
    this.#ended = this.#ended.then(() => this.#run(stop))
  }

  /** Resolves when the session is over. */
  async stop(): Promise<void> {
    this.#stop?.abort()
    this.#stop = null
    await this.#ended
  }

  /** Does not wait any longer before the next attempt. */
  nudge(): void {
    this.#waiting?.abort()
  }

  /** Leaves the present session and greets the hub anew at once: so that it tells what it has by now. */
  renew(): void {
    this.#renewing = true
    this.#exchange.leave()
  }

  /** How each session ends, unless it is only renewed. */
  onEnd(listener: (end: SessionEnd) => void): () => void {
    return this.#ends.add(listener)
  }

  async #run(stop: AbortController): Promise<void> {
    const backoff = new Backoff(this.#clock)
    while (!stop.signal.aborted) {
      const before = this.#progress()
      const startedAt = this.#clock.now()
      const end = await this.#exchange.run(this.#dial, null, stop.signal)
      const lastedMs = this.#clock.now() - startedAt
      if (this.#progress() > before || lastedMs >= limits.reconnectMsMax) backoff.reset()
      if (end.kind === 'refused' && this.#stop === stop) this.#stop = null
      if (stop.signal.aborted) break
      const renewed = this.#renewing && end.kind === 'done'
      this.#renewing = false
      if (renewed || end.kind === 'spoken') continue
      this.#ends.tell(end)
      if (end.kind === 'refused') return
      await this.#wait(end, backoff, stop.signal)
    }
    this.#ends.tell({
      kind: 'failed',
      error: new SyncError('CHANNEL_CLOSED', 'live mode was ended'),
      waitMs: null,
    })
  }

  /** A one-shot transport that did its work is asked again every `limits.reconnectMsMax`. */
  async #wait(end: SessionEnd, backoff: Backoff, stop: AbortSignal): Promise<void> {
    if (stop.aborted || end.kind === 'refused' || end.kind === 'spoken') return
    const polls = end.kind === 'done' && end.refusal === null
    const ms = polls ? limits.reconnectMsMax : backoff.next(end.kind === 'asked' ? null : end.waitMs)
    this.#waiting = new AbortController()
    await this.#clock.sleep(ms, AbortSignal.any([stop, this.#waiting.signal]))
    this.#waiting = null
  }

  #progress(): number {
    const { pulled, pushed } = this.#exchange.tally
    return pulled + pushed
  }
}
