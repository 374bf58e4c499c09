/**
 * Who presents what in a room: by client id, never logged, gone with its session or after a silence. What is said within a
 * tick is sent on as one, to the others; a clock that does not rise is no news, so what a provider echoes goes nowhere. Whoever
 * leaves is taken leave of in their name. Beyond the bounds, newcomers are left out (invariant 14).
 */
import {
  limits,
  SyncError,
  utf8Length,
  type Clock,
  type ClientId,
  type CrdtUpdates,
  type PresenceState,
} from '@rejoin/core'
import { type Member } from './member.ts'

/** Silences of this many heartbeats end a state; each peer says its own at every one. */
const SILENT_BEATS_MAX = 3
/** Bytes of a state beside its text: client, clock, length, each at most. */
const STATE_HEAD_BYTES = 18

interface Shown extends PresenceState {
  readonly member: Member
  /** Milliseconds since 1970. */
  readonly at: number
}

/** What is to be told, and who need not hear it. */
interface News extends PresenceState {
  readonly from: Member | null
}

export interface PresenceParts {
  readonly updates: Pick<CrdtUpdates, 'readPresence' | 'encodePresence'>
  readonly clock: Clock
}

export class Presence {
  readonly #parts: PresenceParts
  readonly #members: ReadonlySet<Member>
  readonly #shown = new Map<ClientId, Shown>()
  /** Whose the sessions are that show something. */
  readonly #owners = new Map<Member, string>()
  /** Clocks of those who have left: what somebody still says of them is older. */
  readonly #gone = new Map<ClientId, { readonly clock: number; readonly at: number }>()
  readonly #news = new Map<ClientId, News>()
  /** Who wants to hear everything: with the next news, and once, however often they ask. */
  readonly #asking = new Set<Member>()
  /** All that is shown, encoded; null: changed since. */
  #encoded: readonly Uint8Array[] | null = null
  #telling = false
  /** Aborted when nobody is left to tell. */
  #watching: AbortController | null = null

  /** `members` are those of the room, now and later. */
  constructor(members: ReadonlySet<Member>, parts: PresenceParts) {
    this.#members = members
    this.#parts = parts
  }

  /**
   * Tells the others.
   * @param owner id of the member's principal: a session of the same one may take a state over.
   * @throws SyncError MESSAGE_TOO_LARGE or MESSAGE_MALFORMED
   */
  show(member: Member, owner: string, update: Uint8Array): void {
    if (update.length > limits.awarenessBytesMax) {
      throw new SyncError('MESSAGE_TOO_LARGE', `presence has at most ${limits.awarenessBytesMax} bytes`)
    }
    const outdated: PresenceState[] = []
    for (const state of this.#parts.updates.readPresence(update)) {
      const gone = this.#gone.get(state.client)
      if (gone !== undefined && state.clock <= gone.clock) {
        // They count on from there, and so are heard again at once.
        if (state.json !== 'null') outdated.push({ client: state.client, clock: gone.clock, json: 'null' })
      } else this.#take(member, owner, state)
    }
    if (outdated.length > 0) this.#send(member, outdated)
    this.#tell()
    this.#watch()
  }

  /** What the others present, for a session that just arrived. */
  othersThan(member: Member): readonly Uint8Array[] {
    if (!this.#owners.has(member)) return this.#everything()
    return this.#encode([...this.#shown.values()].filter((shown) => shown.member !== member))
  }

  /** Tells a member everything that is shown, also what it said itself: at most once a tick, and encoded once for all who ask. */
  ask(member: Member): void {
    this.#asking.add(member)
    this.#tell()
  }

  forget(member: Member): void {
    for (const shown of this.#shown.values()) if (shown.member === member) this.#leave(shown)
    this.#owners.delete(member)
    this.#asking.delete(member)
    if (this.#members.size === 0) this.#watching?.abort()
    this.#tell()
  }

  #take(member: Member, owner: string, state: PresenceState): void {
    const { client, clock, json } = state
    const shown = this.#shown.get(client)
    if (shown !== undefined && shown.member !== member) {
      // An echo, or somebody who speaks for another.
      if (clock <= shown.clock || this.#owners.get(shown.member) !== owner) return
    } else if (shown !== undefined && clock <= shown.clock && json !== 'null') return
    if (json === 'null') {
      if (shown === undefined) return
      this.#change().delete(client)
      this.#gone.set(client, { clock: Math.max(clock, shown.clock), at: this.#parts.clock.now() })
      this.#news.set(client, { ...state, clock: Math.max(clock, shown.clock), from: member })
      return
    }
    // Written out in its shortest form, a text may have become a longer one.
    if (utf8Length(json) + STATE_HEAD_BYTES > limits.awarenessBytesMax) return
    if (shown === undefined && !this.#hasRoom(member)) return
    this.#owners.set(member, owner)
    this.#gone.delete(client)
    this.#change().set(client, { ...state, member, at: this.#parts.clock.now() })
    this.#news.set(client, { ...state, from: member })
  }

  #hasRoom(member: Member): boolean {
    if (this.#shown.size >= limits.presencePerRoomMax) return false
    let count = 0
    for (const shown of this.#shown.values()) if (shown.member === member) count++
    return count < limits.presencePerSessionMax
  }

  /** In its name: a clock further on, as it would have said itself. */
  #leave({ client, clock }: Shown): void {
    this.#change().delete(client)
    this.#gone.set(client, { clock: clock + 1, at: this.#parts.clock.now() })
    this.#news.set(client, { client, clock: clock + 1, json: 'null', from: null })
  }

  #change(): Map<ClientId, Shown> {
    this.#encoded = null
    return this.#shown
  }

  #everything(): readonly Uint8Array[] {
    return (this.#encoded ??= this.#encode([...this.#shown.values()]))
  }

  /** The first is told at once; what comes within a tick after it, together. */
  #tell(): void {
    if (this.#telling || this.#news.size + this.#asking.size === 0) return
    this.#telling = true
    void this.#tellOn()
  }

  async #tellOn(): Promise<void> {
    // What is said in the same turn goes together.
    await Promise.resolve()
    while (this.#news.size + this.#asking.size > 0) {
      this.#flush()
      this.#answer()
      await this.#parts.clock.sleep(limits.presenceTickMs)
    }
    this.#telling = false
  }

  #flush(): void {
    if (this.#news.size === 0) return
    const news = [...this.#news.values()]
    this.#news.clear()
    const speakers = new Set(news.map(({ from }) => from))
    const forAll = this.#encode(news)
    for (const member of this.#members) {
      const heard = speakers.has(member) ? this.#encode(news.filter(({ from }) => from !== member)) : forAll
      for (const update of heard) member.deliverAwareness(update)
    }
  }

  #answer(): void {
    if (this.#asking.size === 0) return
    const everything = this.#everything()
    for (const member of this.#asking) for (const update of everything) member.deliverAwareness(update)
    this.#asking.clear()
  }

  #send(member: Member, states: readonly PresenceState[]): void {
    for (const update of this.#encode(states)) member.deliverAwareness(update)
  }

  /** In messages that are within their bound. */
  #encode(states: readonly PresenceState[]): readonly Uint8Array[] {
    const updates: Uint8Array[] = []
    let part: PresenceState[] = []
    let bytes = STATE_HEAD_BYTES
    const end = (): void => {
      if (part.length > 0) updates.push(this.#parts.updates.encodePresence(part))
      part = []
      bytes = STATE_HEAD_BYTES
    }
    for (const state of states) {
      // A character takes at most three bytes.
      const size = STATE_HEAD_BYTES + 3 * state.json.length
      if (bytes + size > limits.awarenessBytesMax) end()
      part.push(state)
      bytes += size
    }
    end()
    return updates
  }

  /** Ends what is silent for too long, also where its session lives on. */
  #watch(): void {
    if (this.#watching !== null || this.#shown.size + this.#gone.size === 0) return
    this.#watching = new AbortController()
    void this.#watchOn(this.#watching.signal)
  }

  async #watchOn(over: AbortSignal): Promise<void> {
    const { clock } = this.#parts
    while (!over.aborted && this.#shown.size + this.#gone.size > 0) {
      await clock.sleep(limits.heartbeatMs, over)
      const before = clock.now() - SILENT_BEATS_MAX * limits.heartbeatMs
      for (const [client, { at }] of this.#gone) if (at <= before) this.#gone.delete(client)
      for (const shown of this.#shown.values()) if (shown.at <= before) this.#leave(shown)
      this.#tell()
    }
    this.#watching = null
  }
}
