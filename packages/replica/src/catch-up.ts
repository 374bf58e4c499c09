/**
 * The catch-up of one channel, from `Welcome` to `CaughtUp`, and the live tail after it. A reset is gathered and taken
 * whole when it ends (invariant 9), whether its document comes or is made here; and so is a snapshot with what follows it,
 * since only `CaughtUp` tells whether what it holds under our id was made here. Anything else goes in as it comes.
 */
import {
  SyncError,
  type CaughtUp,
  type Rebuild,
  type RevisionGap,
  type Snapshot,
  type Tail,
  type Welcome,
} from '@rejoin/core'
import { broughtNothing, sumOf, type Brought } from './brought.ts'
import { rebuildBase } from './rebuilding.ts'
import { ResetBuffer } from './reset-buffer.ts'
import type { SessionParts } from './session-parts.ts'
import { leavesUntold } from './settlement.ts'
import { ownEntry } from './speaker.ts'

export class CatchUp {
  readonly #parts: SessionParts
  #isOver = false
  #reset: ResetBuffer | null = null
  /** The hub leaves it to us to make the document of the new epoch. */
  #isOurs = false
  /** The snapshot that this catch-up brought, or a tail that tells too little alone, and the tails after it. */
  #merge: ResetBuffer | null = null

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  /** Everything the hub had is here. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** What is under way puts another document in place of ours. */
  get isReset(): boolean {
    return this.#reset !== null
  }

  begin({ path }: Welcome): void {
    this.#isOver = false
    this.#merge = null
    this.#isOurs = path === 'rebuild'
    this.#reset = path === 'reset' || path === 'rebuild' ? new ResetBuffer() : null
  }

  /** A snapshot follows, which merges: nothing is lost by the gap. */
  gap({ cursor, floor }: RevisionGap): void {
    this.#parts.log(`cursor ${cursor} is below the floor ${floor} of the hub's log; pending commits are kept`)
  }

  /** @throws SyncError MESSAGE_UNEXPECTED where the catch-up is not by rebuild. */
  rebuild(message: Rebuild): void {
    if (!this.#isOurs) throw new SyncError('MESSAGE_UNEXPECTED', 'a Rebuild came that was not announced')
    this.#reset?.take(message)
  }

  /** @throws SyncError STORE_…, MESSAGE_TOO_LARGE. */
  snapshot(message: Snapshot): void {
    this.#checkRoom()
    if (this.#reset === null) this.#merge ??= new ResetBuffer()
    this.#gathered?.take(message)
    this.#parts.tally.snapshotBytes += message.snapshot.length
  }

  /** @throws SyncError STORE_…, MESSAGE_TOO_LARGE, or what `Inbound.checkTail` and `Inbound.tail` throw. */
  tail(tail: Tail): Brought {
    this.#checkRoom()
    this.#parts.inbound.checkTail(tail, this.#isOver)
    if (this.#gathered === null && this.#parts.inbound.hasUntold(tail)) this.#merge = new ResetBuffer()
    if (this.#gathered === null) return this.#parts.inbound.tail(tail)
    this.#gathered.take(this.#whole(tail))
    return broughtNothing
  }

  /**
   * Makes the document that the hub leaves to us, where it does; for `end` to take. Nothing is changed by it.
   * @throws SyncError what `rebuildBase` throws; MESSAGE_UNEXPECTED where it was announced and did not come.
   */
  async makeOwn(): Promise<void> {
    const reset = this.#reset
    if (reset === null || !this.#isOurs || reset.snapshot !== null) return
    if (reset.rebuild === null) {
      throw new SyncError('MESSAGE_UNEXPECTED', 'a rebuild was announced, but none came; reconnecting')
    }
    const { cursor } = reset.rebuild
    reset.take({ type: 'Snapshot', cursor, snapshot: await rebuildBase(this.#parts, reset.rebuild) })
  }

  /**
   * Whether what came to be merged lacks what we have: then it may not be taken.
   * @throws SyncError HISTORY_DIVERGED, STORE_…
   */
  async isShort(): Promise<boolean> {
    return this.#merge !== null && (await this.#parts.healing.isShort(this.#merge))
  }

  /**
   * For `end`: the acknowledged base, where only that can tell what becomes of a commit; else null. What waits for the store
   * is recorded first, since it belongs to it.
   * @throws SyncError STORE_…: then nothing was settled or rejected, and the hub says the same again.
   */
  async base(message: CaughtUp): Promise<readonly Uint8Array[] | null> {
    const { memory, writes, store } = this.#parts
    if (this.#reset !== null || !leavesUntold(memory, message, this.#merge)) return null
    await writes.flush()
    const stored = await store.load()
    return stored?.base ?? []
  }

  /**
   * Settles; after a reset it recommits too.
   * @param base as `base` gave it.
   * @throws SyncError REPLICA_TAKEN: then nothing was settled; or what `Inbound.snapshot` and `Inbound.tail` throw.
   */
  end(message: CaughtUp, base: readonly Uint8Array[] | null): Brought {
    const { inbound } = this.#parts
    inbound.checkCaughtUp(message)
    const [reset, merge] = [this.#reset, this.#merge]
    this.#reset = null
    this.#merge = null
    const brought = reset === null ? this.#merged(merge, message, base) : inbound.reset(reset, message)
    if ((reset ?? merge) !== null) this.#parts.memory.mayHoldUnnamed = true
    this.#isOver = true
    return brought
  }

  get #gathered(): ResetBuffer | null {
    return this.#reset ?? this.#merge
  }

  #merged(merge: ResetBuffer | null, message: CaughtUp, base: readonly Uint8Array[] | null): Brought {
    const { inbound } = this.#parts
    const snapshot = merge?.snapshot ?? null
    if (snapshot !== null) inbound.snapshot(snapshot)
    const tails = merge?.tails.map((tail) => inbound.tail(tail)) ?? []
    return sumOf([...tails, inbound.caughtUp(message, merge, base)])
  }

  /** What we have offered may come without its bytes, also behind a document: they are ours. */
  #whole({ commits, ...tail }: Tail): Tail {
    const { memory } = this.#parts
    const withBytes = commits.map((commit) => {
      const update = commit.update ?? ownEntry(memory, commit)?.commit.update ?? null
      return { ...commit, update }
    })
    return { ...tail, commits: withBytes }
  }

  /** While the store fails, what arrives waits in memory, up to a bound: the hub is asked again later. */
  #checkRoom(): void {
    const full = this.#parts.writes.fullFor('others')
    if (full !== null) throw full
  }
}
