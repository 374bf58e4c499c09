/** How one session comes to its end, decided once: the goal is reached, we leave, the hub hangs up, or nobody answers. */
import { limits, SyncError, type Closing, type ReplicaChannel } from '@rejoin/core'
import type { Pause } from './pause.ts'
import { isStopCode } from './refusals.ts'
import { endOfAnswer, endOfChannel, endOfError, endOfLeaving, type SessionEnd } from './session-end.ts'
import type { SessionParts } from './session-parts.ts'

export class Ending {
  readonly #channel: ReplicaChannel
  readonly #parts: SessionParts
  readonly #pause: Pause
  #end: SessionEnd | null = null
  /** What the hub asked for when it said that it is closing. */
  #waitMs: number | null = null

  constructor(channel: ReplicaChannel, parts: SessionParts, pause: Pause) {
    this.#channel = channel
    this.#parts = parts
    this.#pause = pause
  }

  /** Null while the session goes on. */
  get end(): SessionEnd | null {
    return this.#end
  }

  decide(end: SessionEnd): void {
    this.#end = end
  }

  /** Says goodbye. */
  leave(): void {
    this.#end ??= endOfLeaving(this.#parts.memory)
    this.#channel.send({ type: 'Bye' })
    this.#channel.close()
  }

  /** The hub will close the channel. */
  closing({ code, message, retryAfterMs }: Closing): void {
    this.#waitMs = retryAfterMs
    if (code !== null && isStopCode(code)) this.#end = endOfError(new SyncError(code, message))
  }

  /** An answer is due for too long. */
  giveUp(): void {
    const message = `the hub did not answer within ${limits.answerMsMax} ms`
    this.#end ??= { kind: 'failed', error: new SyncError('TIMED_OUT', message), waitMs: null }
    this.#channel.close({ code: 'TIMED_OUT', message })
  }

  /**
   * The hub has said all it had to say, or the channel was closed.
   * @param brought with the greeting what the hub lost went up, and nothing else.
   */
  async hungUp(caughtUp: boolean, brought: boolean): Promise<SessionEnd> {
    this.#channel.close()
    const reason = await this.#channel.closed
    if (this.#end !== null) return this.#end
    if (this.#channel.oneShot && reason.code === null) {
      const { memory, healing } = this.#parts
      if (healing.isAsked || (brought && caughtUp && memory.outbox.size > 0)) return { kind: 'asked' }
      if (caughtUp) return endOfAnswer(memory, this.#pause.last)
    }
    return endOfChannel(reason, this.#waitMs)
  }
}
