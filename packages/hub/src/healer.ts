/**
 * Healing while a room is served: made beside its appends a few times, and then between two of them for a bounded time, or
 * busy writers would win for ever. What it logs is found by every session as another hub's record is.
 */
import { limits, SyncError, type HubSignals, type Namespace, type Seq } from '@rejoin/core'
import { isRefusal } from './heal-checks.ts'
import { type HubLog } from './log-event.ts'
import { type HubCounts } from './metrics.ts'
import { prepareHeal, recordHeal, refusedHeal, type GivenHistory, type HealParts } from './healing.ts'
import { type Room } from './room.ts'
import { within } from './waiting.ts'

export interface HealerParts extends HealParts {
  readonly signals: HubSignals
  readonly counts: HubCounts
  readonly log: HubLog
}

export class Healer {
  readonly #parts: HealerParts

  constructor(parts: HealerParts) {
    this.#parts = parts
  }

  /**
   * @returns the seq from which on the log holds it, or 'moved' where it was made for another document than is here by now.
   * @throws SyncError HISTORY_DIVERGED for what may not be brought back, or why it cannot be; then nothing was changed
   */
  async heal(room: Room, given: GivenHistory): Promise<Seq | 'moved'> {
    const { log, signals, counts } = this.#parts
    const before = room.head?.seq ?? 0
    try {
      const seq = await this.#race(room, given)
      if (seq === 'moved' || seq <= before) return seq
      counts.heals++
      signals.publish(room.namespace)
      const message = `healed: replica ${given.replica} brought back what was lost, at seq ${seq}`
      log({ level: 'warn', namespace: room.namespace, message })
      return seq
    } catch (error) {
      if (error instanceof SyncError && isRefusal(error)) throw refusedHeal(room.namespace, error)
      throw error
    }
  }

  async #race(room: Room, given: GivenHistory): Promise<Seq | 'moved'> {
    for (let tries = 1; tries <= limits.rebuildTriesMax; tries++) {
      const isHeld = tries > limits.rebuildRacesMax
      const outcome = isHeld ? await this.#held(room, given) : await this.#beside(room, given)
      if (outcome !== 'again') return outcome
    }
    const why = `others have written to ${room.namespace} each time before what was lost was recorded`
    throw new SyncError('STORE_UNAVAILABLE', `${why}; nothing was changed, come again`)
  }

  /** Made while the room serves on; only its record waits for a gap between two appends. */
  async #beside(room: Room, given: GivenHistory): Promise<Seq | 'moved' | 'again'> {
    const prepared = await prepareHeal(this.#parts, given)
    if (typeof prepared !== 'object') return prepared
    return await this.#between(room, async () => {
      const seq = await recordHeal(this.#parts, given.namespace, prepared)
      return seq === 'moved' ? 'again' : seq
    })
  }

  /** All of it in such a gap: whoever pushes meanwhile is answered afterwards. */
  #held(room: Room, given: GivenHistory): Promise<Seq | 'moved' | 'again'> {
    return this.#between(room, async () => {
      const prepared = await prepareHeal(this.#parts, given)
      if (typeof prepared !== 'object') return prepared
      const seq = await recordHeal(this.#parts, given.namespace, prepared)
      return seq === 'moved' ? 'again' : seq
    })
  }

  /** What takes too long is left to itself: its append is conditional, so whenever it comes it does no harm. */
  #between<T>(room: Room, work: () => Promise<T>): Promise<T> {
    return room.between(async () => {
      const outcome = await within(this.#parts.clock, limits.rebuildHoldMsMax, work())
      if (outcome !== 'late') return outcome
      throw tooLate(room.namespace)
    })
  }
}

function tooLate(namespace: Namespace): SyncError {
  const why = `healing ${namespace} took more than ${limits.rebuildHoldMsMax} ms while appends waited`
  return new SyncError('TIMED_OUT', `${why}; come again`)
}
