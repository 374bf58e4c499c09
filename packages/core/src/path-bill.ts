/**
 * What catching up costs, by path: bytes both ways and time, from the greeting (or from falling behind) until everything was
 * sent. Counted alike on both sides. What passes live afterwards is in the channel's bill alone.
 */
import type { Bill, Channel } from './ports/channel.ts'
import type { CatchUpPath } from './protocol/down.ts'

export interface PathBill extends Bill {
  /** Catch-ups that arrived, of `heal` also those that went on by another path. What others cost that broke off is counted too. */
  readonly times: number
  readonly ms: number
}

/** Paths that were never taken are left out. */
export type PathBills = Readonly<Partial<Record<CatchUpPath, PathBill>>>

/** The sums of many sessions. */
export class PathLedger {
  readonly #bills: Partial<Record<CatchUpPath, PathBill>> = {}

  add(path: CatchUpPath, cost: PathBill): void {
    this.#bills[path] = added(this.#bills[path] ?? nothing, cost)
  }

  /** As it is now; later costs do not change it. */
  read(): PathBills {
    return { ...this.#bills }
  }
}

/** What came to `before` until it was `now`. */
export function pathBillsSince(now: PathBills, before: PathBills): PathBills {
  // The keys of such a record are its paths.
  const paths = Object.keys(now) as CatchUpPath[]
  const grown = paths.filter((path) => now[path] !== before[path])
  return Object.fromEntries(grown.map((path) => [path, taken(now[path], before[path])]))
}

/** Follows one channel. */
export class PathMeter {
  readonly #channel: Pick<Channel<unknown, unknown>, 'bill'>
  readonly #now: () => number
  readonly #ledger: PathLedger
  #path: CatchUpPath | null = null
  /** Where the present path began; null while everything is live. */
  #from: { readonly bill: Bill; readonly ms: number } | null
  /** Everything was sent, and these were the bytes up by then; what was sent is still leaving. */
  #bytesUpAtEnd: number | null = null

  constructor(channel: Pick<Channel<unknown, unknown>, 'bill'>, now: () => number, ledger: PathLedger) {
    this.#channel = channel
    this.#now = now
    this.#ledger = ledger
    this.#from = { bill: channel.bill, ms: now() }
  }

  /** `Welcome` names the path: from here on it is on this account, and so is what led to it. */
  welcome(path: CatchUpPath): void {
    // What follows a heal says that it was taken; any other path that is left has brought nothing yet.
    if (this.#path !== null) this.#settle(this.#path === 'heal' && path !== 'heal' ? 1 : 0)
    this.#from ??= { bill: this.#channel.bill, ms: this.#now() }
    this.#path = path
  }

  /** Live no longer: what was missed comes as a tail, unless a `Welcome` says otherwise. */
  behind(): void {
    if (this.#bytesUpAtEnd !== null) this.#close(1)
    this.#from = { bill: this.#channel.bill, ms: this.#now() }
  }

  /** Everything was sent. @param left resolves when it has left, too; without it, it has. */
  arrived(left: Promise<unknown> | null): void {
    this.#path ??= 'tail'
    if (left === null) return this.#close(1)
    this.#bytesUpAtEnd = this.#channel.bill.bytesUp
    const from = this.#from
    void left.then(() => {
      if (this.#from === from && from !== null) this.#close(1)
    })
  }

  /** Nothing passes any more. Idempotent. */
  ended(): void {
    this.#close(this.#bytesUpAtEnd === null ? 0 : 1)
  }

  #close(times: 0 | 1): void {
    if (this.#path !== null) this.#settle(times)
    this.#path = null
    this.#from = null
    this.#bytesUpAtEnd = null
  }

  #settle(times: 0 | 1): void {
    if (this.#from === null || this.#path === null) return
    const [bill, ms] = [this.#channel.bill, this.#now()]
    this.#ledger.add(this.#path, {
      times,
      bytesUp: (this.#bytesUpAtEnd ?? bill.bytesUp) - this.#from.bill.bytesUp,
      bytesDown: bill.bytesDown - this.#from.bill.bytesDown,
      // Clocks go back.
      ms: Math.max(0, ms - this.#from.ms),
    })
    this.#from = { bill, ms }
  }
}

const nothing: PathBill = { times: 0, bytesUp: 0, bytesDown: 0, ms: 0 }

function added(a: PathBill, b: PathBill): PathBill {
  return {
    times: a.times + b.times,
    bytesUp: a.bytesUp + b.bytesUp,
    bytesDown: a.bytesDown + b.bytesDown,
    ms: a.ms + b.ms,
  }
}

function taken(now: PathBill = nothing, before: PathBill = nothing): PathBill {
  return {
    times: now.times - before.times,
    bytesUp: now.bytesUp - before.bytesUp,
    bytesDown: now.bytesDown - before.bytesDown,
    ms: now.ms - before.ms,
  }
}
