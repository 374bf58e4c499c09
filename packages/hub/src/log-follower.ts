/**
 * Following what other hubs append to the same store: a signal says look, the log says what (DESIGN section 6). Signals
 * may be lost, so the heads of all rooms are looked at now and then as well.
 */
import { limits, type Clock, type HubSignals, type HubStore, type Namespace } from '@rejoin/core'
import { type HubLog } from './log-event.ts'
import { type Room } from './room.ts'

export interface LogFollowerParts {
  readonly store: HubStore
  readonly signals: HubSignals
  readonly clock: Clock
  readonly log: HubLog
  /** Rooms in memory. */
  readonly rooms: ReadonlyMap<Namespace, Room>
}

export class LogFollower {
  readonly #parts: LogFollowerParts
  readonly #stopped = new AbortController()
  readonly #unlisten: () => void

  constructor(parts: LogFollowerParts) {
    this.#parts = parts
    this.#unlisten = parts.signals.listen((namespace) => void parts.rooms.get(namespace)?.look())
    void this.#poll()
  }

  stop(): void {
    this.#stopped.abort()
    this.#unlisten()
  }

  async #poll(): Promise<void> {
    const { clock, log } = this.#parts
    const { signal } = this.#stopped
    for (;;) {
      await clock.sleep(limits.followMs, signal)
      if (signal.aborted) return
      try {
        await this.#lookAtHeads()
      } catch (error) {
        log({ level: 'warn', namespace: null, message: 'the heads could not be read; trying again', error })
      }
    }
  }

  async #lookAtHeads(): Promise<void> {
    const { store, rooms } = this.#parts
    if (rooms.size === 0) return
    const heads = await store.heads([...rooms.keys()])
    for (const [namespace, room] of rooms) {
      const known = room.head?.seq ?? 0
      const head = heads.get(namespace)?.head
      if (head !== undefined && head > known) void room.look()
      // Gone: opening the room tells whether it was removed.
      if (head === undefined && known > 0) void room.reopen()
    }
  }
}
