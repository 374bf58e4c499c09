/**
 * Looking again at a log that others may have written to, for all who ask at once: who comes with a cursor from another hub
 * of the store has to wait until reads show it, and who claims one that nobody has waits as long. However many do, a room
 * reads its log no oftener than once in `storeRetryMsMin`; and nobody takes for an answer what was read before it asked.
 */
import { limits, type Clock, type HubStore, type Namespace, type Seq } from '@rejoin/core'
import { retrying } from './waiting.ts'

export interface LookRound {
  /** Of the log, as the store says after the look; asked once for all. @throws what the store throws, when it is away for long */
  storeHead(): Promise<Seq>
}

/** The room that looks. */
interface Looking {
  readonly namespace: Namespace
  look(): Promise<void>
  opened(): Promise<void>
}

export class LookRounds {
  readonly #room: Looking
  readonly #store: Pick<HubStore, 'heads'>
  readonly #clock: Clock
  /** Has not read anything yet. */
  #next: Promise<LookRound> | null = null
  #last: Promise<unknown> = Promise.resolve()
  #lastAt = -Infinity

  constructor(
    room: Looking,
    { store, clock }: { readonly store: Pick<HubStore, 'heads'>; readonly clock: Clock },
  ) {
    this.#room = room
    this.#store = store
    this.#clock = clock
  }

  /** Resolves when the room has looked at its log, from now on. @throws SyncError why it cannot be opened */
  look(): Promise<LookRound> {
    if (this.#next === null) {
      this.#next = this.#after(this.#last)
      this.#last = this.#next.catch(() => {})
    }
    return this.#next
  }

  async #after(last: Promise<unknown>): Promise<LookRound> {
    await last
    const waitMs = this.#lastAt + limits.storeRetryMsMin - this.#clock.now()
    // A clock that was set back must not put it off.
    if (waitMs > 0) await this.#clock.sleep(Math.min(waitMs, limits.storeRetryMsMin))
    // Whoever asks from now on asks for what is read later.
    this.#next = null
    this.#lastAt = this.#clock.now()
    await this.#room.look()
    await this.#room.opened()
    let head: Promise<Seq> | null = null
    return { storeHead: () => (head ??= this.#storeHead()) }
  }

  async #storeHead(): Promise<Seq> {
    const { namespace } = this.#room
    const heads = await retrying(this.#clock, () => this.#store.heads([namespace]))
    return heads.get(namespace)?.head ?? 0
  }
}
