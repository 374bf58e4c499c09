/**
 * The outbox (pending queue): commits made here that the base does not hold yet, in counter order. A commit leaves it
 * when the log's tail has brought it back (settled) or the hub refused it for good, and never otherwise (invariant 4).
 */
import {
  assert,
  SyncError,
  utf8Length,
  type Commit,
  type CommitId,
  type Counter,
  type Durability,
  type ReplicaId,
} from '@rejoin/core'
import { OpenReceipt } from './receipt.ts'
import type { Replaced } from './replaced.ts'

/** Up to where the commits of a replica are in the hub's log; counter 0: none is. */
export interface Mark {
  readonly replica: ReplicaId
  readonly counter: Counter
}

const nothing: Replaced = new Set()

/**
 * `unsaved`: not on disk yet, so it is not sent. `acked`: in the hub's log, but not yet in the base: its bytes stand, also
 * through a recommit of the others.
 */
export type OutboxStage = 'unsaved' | 'saved' | 'acked'

export interface OutboxEntry {
  readonly commit: Commit
  readonly stage: OutboxStage
  /** Bytes of ops and update, as they count against the limits of a push. */
  readonly bytes: number
  /** Null for a commit of an earlier run that nobody has asked for. */
  readonly receipt: OpenReceipt | null
  readonly replaced: Replaced
  /** What commits before it had replaced that were refused or withdrawn since: its author had seen that too. */
  readonly inherited: Replaced
}

/**
 * A commit in the outbox as the app sees it. `unsaved`: not in the store yet; `saved`: here alone, it can be withdrawn; `sent`:
 * to a hub, or it may have been; `acked`: in the hub's log, and not yet back in its tail. How well: `status.saved`, `status.acked`.
 */
export interface OutboxCommit extends Commit {
  readonly stage: 'unsaved' | 'saved' | 'sent' | 'acked'
}

export function outboxCommit({ commit, stage }: OutboxEntry, sentCounter: Counter): OutboxCommit {
  return { ...commit, stage: stage === 'saved' && commit.id.counter <= sentCounter ? 'sent' : stage }
}

export class Outbox {
  readonly #entries = new Map<Counter, OutboxEntry>()
  /** Acknowledged as new: the log holds the very bytes that are here. */
  readonly #taken = new Set<Counter>()
  /** The newest counter as it was last asked for. */
  #last: Counter | null = null

  /** `replaced`: by counter, what the commits replaced, where that is known. */
  constructor(saved: readonly Commit[], replaced: ReadonlyMap<Counter, Replaced>) {
    for (const commit of saved) {
      this.#put({
        commit,
        stage: 'saved',
        bytes: commitBytes(commit),
        receipt: null,
        replaced: replaced.get(commit.id.counter) ?? nothing,
        inherited: nothing,
      })
    }
  }

  get size(): number {
    return this.#entries.size
  }

  entries(): readonly OutboxEntry[] {
    return [...this.#entries.values()]
  }

  /** In counter order, without a copy. */
  walk(): Iterable<OutboxEntry> {
    return this.#entries.values()
  }

  get first(): OutboxEntry | null {
    for (const entry of this.#entries.values()) return entry
    return null
  }

  /** The newest counter here, or null. */
  get last(): Counter | null {
    if (this.#last === null || !this.#entries.has(this.#last))
      this.#last = [...this.#entries.keys()].at(-1) ?? null
    return this.#last
  }

  /** When the hub has all that is here: what becomes of the newest commit; null where nothing is here. */
  lastAcked(): Promise<Durability> | null {
    const entry = this.last === null ? undefined : this.#entries.get(this.last)
    if (entry === undefined) return null
    const receipt = entry.receipt ?? new OpenReceipt()
    if (entry.receipt === null) this.#entries.set(entry.commit.id.counter, { ...entry, receipt })
    return receipt.acked.promise
  }

  get(counter: Counter): OutboxEntry | undefined {
    return this.#entries.get(counter)
  }

  /** Whether these bytes are what the outbox holds under the counter: not settled, refused or recommitted since. */
  holds(commit: Commit): boolean {
    return this.#entries.get(commit.id.counter)?.commit.update === commit.update
  }

  /** Whether a commit up to `goal` is still here. */
  hasUpTo(goal: Counter): boolean {
    const { first } = this
    return first !== null && first.commit.id.counter <= goal
  }

  add(commit: Commit, receipt: OpenReceipt, replaced: Replaced): void {
    const inherited = nothing
    this.#put({ commit, stage: 'unsaved', bytes: commitBytes(commit), receipt, replaced, inherited })
  }

  /** Those of `commits` that were not recommitted since. `as`: what the store's answer stands for. */
  markSaved(commits: readonly Commit[], as: Durability): void {
    for (const commit of commits) {
      const entry = this.#entries.get(commit.id.counter)
      if (entry?.stage !== 'unsaved' || !this.holds(commit)) continue
      this.#entries.set(commit.id.counter, { ...entry, stage: 'saved' })
      entry.receipt?.saved.resolve(as)
    }
  }

  /** `inLog`: a commit of this id is; that it is this one is not known yet, so the receipt waits. `as`: what that stands for. */
  markAcked(counter: Counter, what: 'ours' | 'inLog', as: Durability): void {
    const entry = this.#entries.get(counter)
    if (entry === undefined) return
    this.#entries.set(counter, { ...entry, stage: 'acked' })
    if (what === 'ours') this.#taken.add(counter)
    if (what === 'ours') entry.receipt?.acked.resolve(as)
  }

  /** The hub's word on its high-water mark: what is above it is not in its log, whatever was heard before. */
  unmarkAbove(mark: Counter): void {
    for (const [counter, entry] of this.#entries) {
      if (counter > mark && entry.stage === 'acked') this.#entries.set(counter, { ...entry, stage: 'saved' })
    }
    for (const counter of this.#taken) if (counter > mark) this.#taken.delete(counter)
  }

  /** The first commits here, as far as the log is known to hold these very bytes. */
  *taken(): Iterable<Commit> {
    for (const [counter, { commit }] of this.#entries) {
      if (!this.#taken.has(counter)) return
      yield commit
    }
  }

  /** Nothing is told of what the log holds any more; it is brought again. */
  forgetTaken(): void {
    this.#taken.clear()
  }

  /** Takes out the commit, which is now in the base, and tells its id. `as`: what it stands for that the hub's log has it. */
  settle(counter: Counter, as: Durability): CommitId | null {
    const entry = this.#entries.get(counter)
    this.#entries.delete(counter)
    this.#taken.delete(counter)
    entry?.receipt?.acked.resolve(as)
    return entry?.commit.id ?? null
  }

  countersUpTo(mark: Counter): readonly Counter[] {
    return [...this.#entries.keys()].filter((counter) => counter <= mark)
  }

  /** Takes out a commit that the hub refused for good. What it had seen, the next one had seen too. */
  reject(counter: Counter, error: SyncError): void {
    const entry = this.#entries.get(counter)
    this.#entries.delete(counter)
    this.#taken.delete(counter)
    const next = [...this.#entries.values()].find(({ commit }) => commit.id.counter > counter)
    if (entry !== undefined && next !== undefined) {
      const inherited = new Set([...entry.inherited, ...entry.replaced, ...next.inherited])
      if (inherited.size > 0) this.#entries.set(next.commit.id.counter, { ...next, inherited })
    }
    entry?.receipt?.acked.reject(error)
  }

  /** The same commits with other bytes: not saved as they now are, unless the hub has them. */
  replace(commits: readonly Commit[]): void {
    for (const commit of commits) {
      const entry = this.#entries.get(commit.id.counter)
      assert(entry !== undefined, 'a recommit keeps the commit id')
      if (entry.commit === commit) continue
      this.#taken.delete(commit.id.counter)
      this.#entries.set(commit.id.counter, { ...entry, commit, stage: 'unsaved', bytes: commitBytes(commit) })
    }
  }

  /** The hub took these bytes, older ones than ours: they stand. */
  restore(commit: Commit): void {
    const entry = this.#entries.get(commit.id.counter)
    if (entry === undefined) return
    this.#entries.set(commit.id.counter, { ...entry, commit, stage: 'acked', bytes: commitBytes(commit) })
  }

  /** The hub's mark names the commit before the first of that name that it lacks. Returns whether that was not what it said. */
  mendPrev({ replica, counter: mark }: Mark): boolean {
    for (const [counter, entry] of this.#entries) {
      if (entry.stage === 'acked' || counter <= mark) continue
      const { commit } = entry
      if (commit.prev === mark || commit.id.replica !== replica) return false
      this.#entries.set(counter, { ...entry, commit: { ...commit, prev: mark } })
      return true
    }
    return false
  }

  /** Nobody will hear of these in this run any more. `unsaved`: those that another run will not find. */
  close(unsaved: readonly Commit[] = []): void {
    const lost = new Set(unsaved.map(({ id }) => id.counter))
    for (const { commit, receipt } of this.#entries.values()) {
      const { counter } = commit.id
      const where = lost.has(counter) ? 'and it was not saved here either' : 'it stays in the outbox'
      const why = `commit ${counter} was not acknowledged before the replica was closed; ${where}`
      receipt?.acked.reject(new SyncError('REPLICA_CLOSED', why))
    }
  }

  #put(entry: OutboxEntry): void {
    this.#last = entry.commit.id.counter
    this.#entries.set(entry.commit.id.counter, entry)
  }
}

/** Bytes of ops and update. */
export function commitBytes(commit: Commit): number {
  return utf8Length(JSON.stringify(commit.ops)) + commit.update.length
}
