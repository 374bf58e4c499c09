/**
 * Mending: carries out on one channel what refusals ask for, and makes the document anew where the log holds other bytes
 * of a commit than ours. Begun when every push is answered, since only then is it known what the hub has (invariants 10, 11).
 */
import { limits, parseHlc, unreachable, type Counter, type ReplicaChannel } from '@rejoin/core'
import type { Brought } from './brought.ts'
import type { Pause } from './pause.ts'
import type { PushWindow } from './push-window.ts'
import {
  isHeld,
  isMended,
  planRefusals,
  passedRefusal,
  type CommitRefusal,
  type RefusalPlan,
} from './refusals.ts'
import { errorOf, type SessionEnd } from './session-end.ts'
import type { SessionParts } from './session-parts.ts'

/** Times that a goal is waited for when the hub says "later". */
const ONCE_WAITS_MAX = 3

export class Mending {
  readonly #channel: ReplicaChannel
  readonly #parts: SessionParts
  readonly #goal: Counter | null
  readonly #window: PushWindow
  readonly #pause: Pause
  readonly #pushAgain: () => void
  #refusals: CommitRefusal[] = []
  /** Commits made anew on this channel because of a refusal. */
  readonly #rebuilt = new Set<Counter>()
  #isRebuilding = false
  #awaitsReset = false

  /** @param goal the session's: null where it stays. */
  constructor(
    channel: ReplicaChannel,
    parts: SessionParts,
    goal: Counter | null,
    window: PushWindow,
    pause: Pause,
    pushAgain: () => void,
  ) {
    this.#channel = channel
    this.#parts = parts
    this.#goal = goal
    this.#window = window
    this.#pause = pause
    this.#pushAgain = pushAgain
  }

  /** Something is to be mended before anything is pushed, here or by the hub. */
  get holdsBack(): boolean {
    return this.#awaitsReset || this.#isRebuilding || this.#mustRebuild || this.#refusals.length > 0
  }

  get isDue(): boolean {
    return this.#window.isEmpty && (this.#mustRebuild || this.#refusals.length > 0)
  }

  /** An epoch was refused: the hub resets this session by itself. */
  get awaitsReset(): boolean {
    return this.#awaitsReset
  }

  noteRefusal(refusal: CommitRefusal): void {
    // A clock that was wrong and is right now: the hub's will not come to that stamp in any time worth waiting for.
    const final = refusal.code === 'HLC_AHEAD' && this.#isAhead(refusal.counter)
    this.#refusals.push(final ? { ...refusal, retryable: false } : refusal)
  }

  /** What the log went past without will never be in it: as if the hub had refused it. */
  noteBrought({ passed }: Brought): void {
    for (const counter of passed) {
      this.#refusals.push({
        type: 'Refused',
        counter,
        ...passedRefusal,
        retryable: false,
        retryAfterMs: null,
      })
    }
  }

  /** The hub greets again: the reset, if one was awaited, has begun. */
  noteWelcome(): void {
    this.#awaitsReset = false
  }

  /** A reset was taken: what was refused were bytes of the old epoch. */
  noteReset(): void {
    this.#refusals = []
    this.#window.rewind()
  }

  /**
   * Call it where it is due.
   * @returns how the session ends, or null where it goes on.
   * @throws SyncError STORE_…: the channel closes, and the hub refuses the same again when the store has recovered; what else
   * asked for it is remembered.
   */
  async mend(): Promise<SessionEnd | null> {
    const refusals = this.#refusals
    this.#refusals = []
    const plan = planRefusals(refusals, this.#rebuilt)
    if (plan === null) {
      await this.#rebuild([])
      return null
    }
    this.#parts.log(`${plan.kind}: ${refusals.map(({ counter, code }) => `${counter} ${code}`).join(', ')}`)
    for (const { counter, code } of refusals) if (isMended(code)) this.#rebuilt.add(counter)
    return this.#carryOut(plan)
  }

  get #mustRebuild(): boolean {
    return this.#parts.memory.mustRebuild
  }

  /** Whether by our own clock too the commit's stamp lies too far ahead. */
  #isAhead(counter: Counter): boolean {
    const { memory, clock } = this.#parts
    const entry = memory.outbox.get(counter)
    return entry !== undefined && parseHlc(entry.commit.hlc).ms - clock.now() > limits.hlcAheadMsMax
  }

  async #carryOut(plan: RefusalPlan): Promise<SessionEnd | null> {
    switch (plan.kind) {
      case 'stop':
        return { kind: 'refused', error: errorOf(plan.refusal) }
      case 'awaitReset':
        this.#awaitsReset = true
        return null
      case 'reconnect': {
        const [refusal, waitMs] = [errorOf(plan.refusal), plan.refusal.retryAfterMs]
        // What it said at once came before the hub's mark: with that known, the next round says it right.
        if (this.#channel.oneShot) return { kind: 'done', refusal, waitMs }
        return { kind: 'failed', error: refusal, waitMs }
      }
      case 'rebuild':
        await this.#rebuild(plan.rejected)
        return plan.later === null ? null : this.#sitOut(plan.later)
      case 'wait':
        if (this.#mustRebuild) await this.#rebuild([])
        return this.#sitOut(plan.later)
      default:
        return unreachable(plan)
    }
  }

  /** The base is on disk: what waits is recorded first, then it is read, and from there on nothing is awaited. */
  async #rebuild(refused: readonly CommitRefusal[]): Promise<void> {
    const { writes, store, memory, inbound } = this.#parts
    // Nothing is sent that builds on the old document meanwhile.
    this.#isRebuilding = true
    await writes.flush()
    const stored = await store.load()
    const rejected = refused.flatMap(({ counter, code, message, path }) => {
      const entry = memory.outbox.get(counter)
      return entry === undefined ? [] : [{ commit: entry.commit, code, message, path }]
    })
    inbound.rebuild(stored?.base ?? [], rejected)
    this.#isRebuilding = false
    this.#window.rewind()
  }

  /** Pushes the same again after a while. A one-shot channel has no "after": its next round waits. */
  #sitOut(refusal: CommitRefusal): SessionEnd | null {
    const held = isHeld(refusal.code)
    // A hub is not updated within a wait that starts small.
    const later = this.#pause.note(held ? { ...refusal, retryAfterMs: limits.reconnectMsMax } : refusal)
    this.#window.rewind()
    if (held) this.#parts.connection.hold(later.error)
    else this.#parts.connection.noteFailure(later.error)
    if (this.#channel.oneShot) return null
    if (this.#goal !== null && (held || this.#pause.count > ONCE_WAITS_MAX))
      return { kind: 'failed', ...later }
    void this.#pause.sit(later).then(this.#pushAgain)
    return null
  }
}
