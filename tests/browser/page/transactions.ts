/** Counts the write transactions of a page by the durability that IndexedDB gave them, and lets one fail. */

export interface TransactionCounts {
  readonly strict: number
  readonly relaxed: number
  readonly default: number
}

/** Of the platform, what is used here. */
interface Transaction {
  readonly mode: string
  readonly durability: keyof TransactionCounts
  commit: () => void
  abort(): void
}
declare const IDBDatabase: {
  readonly prototype: { transaction: (...args: readonly unknown[]) => Transaction }
}

/** Call it before any database is opened. */
export function watchTransactions(): { take(): TransactionCounts; failNext(): void } {
  let fails = false
  let counts: Record<keyof TransactionCounts, number> = { strict: 0, relaxed: 0, default: 0 }
  const { prototype } = IDBDatabase
  const begin = prototype.transaction
  prototype.transaction = function (this: unknown, ...args) {
    const transaction = Reflect.apply(begin, this, args)
    if (transaction.mode !== 'readwrite') return transaction
    counts[transaction.durability] += 1
    if (fails) transaction.commit = () => transaction.abort()
    fails = false
    return transaction
  }
  return {
    take: () => {
      const taken = counts
      counts = { strict: 0, relaxed: 0, default: 0 }
      return taken
    },
    failNext: () => {
      fails = true
    },
  }
}
