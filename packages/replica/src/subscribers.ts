/** The kinds of subscribers that an app can be: to all changes, to those of a part, to a selected value, and to ops. */
import type { AnyDomain, Registers, TablesReads } from '@rejoin/core'
import { toldOps, type AnyToldOps, type ToldOps } from './change-ops.ts'
import type { ChangeFeed, Subscriber } from './change-feed.ts'
import type { AnyChange, Change } from './changes.ts'
import type { Interest } from './interests.ts'
import { checkListener } from './input.ts'
import { callApp } from './listeners.ts'
import { isSameSelected, SelectedValue } from './selected-value.ts'
import { partInterests, type ChangeIn, type Part } from './selection.ts'

type AnyTables = TablesReads<AnyDomain['tables']>

/** Each throws SyncError INPUT_INVALID for a listener that is no function. */
export interface Subscribe<D extends AnyDomain> {
  /** Hears what readers see differently: once per transaction, net, and after it. */
  (listener: (changes: readonly Change<D>[]) => void): () => void
  /**
   * Hears a value selected from the tables when it is another: deeply, as JSON. It is selected again only when something has
   * changed that the last run has read. Return values, not iterators: `(t) => [...t.items.entries(['groceries'])]`.
   * @throws whatever `select` throws in its first run; later on that is reported like an error of a listener.
   */
  <V>(select: (tables: TablesReads<D['tables']>) => V, listener: (value: V, before: V) => void): () => void
  /**
   * Hears what readers see differently of a part: a table, a row, the rows under a prefix, or a field.
   * @throws SyncError TABLE_UNKNOWN or KEY_INVALID for a part that the domain does not have; INPUT_INVALID for what is none.
   */
  <const P extends Part<D>>(part: P, listener: (changes: readonly ChangeIn<D, P>[]) => void): () => void
}

/**
 * Hears each transaction as ops, for another store or a log of the app: a commit of the app's own ops as these, anything else
 * (others' commits, resets, undo and redo, resolved conflicts) as `Restored` ops of what readers now see, if they see a
 * difference. Called more than once where they do not fit into one commit.
 * @throws SyncError INPUT_INVALID for a listener that is no function.
 */
export type OnOps<D extends AnyDomain> = (listener: (told: ToldOps<D>) => void) => () => void

type AnyListener = (changes: readonly AnyChange[]) => void
type AnySelect = (tables: AnyTables) => unknown
type ValueListener = (value: unknown, before: unknown) => void

/** What is told are the very tables, rows and ops of the domain that the types are inferred from. */
export function subscribeOf<D extends AnyDomain>(
  domain: D,
  feed: ChangeFeed,
  registers: Registers,
): Subscribe<D> {
  const subscribe = (...given: [AnyListener] | [AnySelect, ValueListener] | [object, AnyListener]) => {
    const [what, listener] = given
    if (given.length === 1 && typeof what === 'function') return subscribeToAll(feed, what as AnyListener)
    const interests = typeof what === 'function' ? null : partInterests(domain, what)
    checkListener(listener)
    return interests === null
      ? subscribeToValue(feed, domain, registers, what as AnySelect, listener as ValueListener)
      : subscribeToPart(feed, interests, listener as AnyListener)
  }
  return subscribe as unknown as Subscribe<D>
}

export function onOpsOf<D extends AnyDomain>(domain: D, feed: ChangeFeed): OnOps<D> {
  return (listener) => {
    checkListener(listener)
    return subscribeToOps(feed, domain, listener as unknown as (told: AnyToldOps) => void)
  }
}

/** Hears whatever readers see differently. */
function subscribeToAll(feed: ChangeFeed, listener: (changes: readonly AnyChange[]) => void): () => void {
  return feed.subscribe({
    hears: 'everything',
    interests: [],
    upTo: feed.heard,
    hear: (_, changes) => {
      if (changes.length > 0) listener(changes)
    },
  })
}

/** Hears what readers see differently of a part. */
function subscribeToPart(
  feed: ChangeFeed,
  interests: readonly Interest[],
  listener: (changes: readonly AnyChange[]) => void,
): () => void {
  return feed.subscribe({
    hears: 'changes',
    interests,
    upTo: feed.heard,
    hear: (_, changes) => listener(changes),
  })
}

/** Hears each transaction as ops: once, or more often where they do not fit into one commit. */
function subscribeToOps(
  feed: ChangeFeed,
  domain: AnyDomain,
  listener: (told: AnyToldOps) => void,
): () => void {
  let over = false
  const stop = feed.subscribe({
    hears: 'everything',
    interests: [],
    upTo: feed.heard,
    hear: (transaction) => {
      for (const told of toldOps(domain, transaction)) if (!over) callApp(() => listener(told))
    },
  })
  return () => {
    over = true
    stop()
  }
}

/** Hears a value selected from the tables when it is another. @throws what the app's function throws on its first run. */
function subscribeToValue<V>(
  feed: ChangeFeed,
  domain: AnyDomain,
  registers: Registers,
  select: (tables: AnyTables) => V,
  listener: (value: V, before: V) => void,
): () => void {
  return feed.subscribe(new ValueSubscriber(feed, new SelectedValue(domain, registers, select), listener))
}

class ValueSubscriber<V> implements Subscriber {
  readonly hears = 'registers'
  readonly #feed: ChangeFeed
  readonly #selected: SelectedValue<V>
  readonly #listener: (value: V, before: V) => void
  #value: V
  #upTo: number

  constructor(feed: ChangeFeed, selected: SelectedValue<V>, listener: (value: V, before: V) => void) {
    this.#feed = feed
    this.#selected = selected
    this.#listener = listener
    this.#upTo = feed.heard
    this.#value = selected.run()
  }

  get interests(): Iterable<Interest> {
    return this.#selected.reads
  }

  /** It reads the document as it is now: transactions that wait to be told are in its value. */
  get upTo(): number {
    return this.#upTo
  }

  hear(): void {
    const before = this.#value
    this.#upTo = this.#feed.heard
    this.#feed.reindex(this, () => (this.#value = this.#selected.run()))
    if (!isSameSelected(before, this.#value)) this.#listener(this.#value, before)
  }
}
