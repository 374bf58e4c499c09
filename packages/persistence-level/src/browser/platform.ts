/** Of a browser, what is used here: this package is checked without the types of the DOM. */

export interface Transaction {
  readonly error: Error | null
  oncomplete: (() => void) | null
  onabort: (() => void) | null
  objectStore(name: string): {
    put(value: Uint8Array, key: Uint8Array): unknown
    delete(key: Uint8Array): unknown
  }
  /** Newer than IndexedDB itself; without it a transaction commits when it has nothing left to do. */
  commit?(): void
  abort(): void
}

/** A connection to an IndexedDB database. */
export interface IndexedDatabase {
  /** Another tab wants to delete the database (`newVersion` is null), or to upgrade it. */
  onversionchange: ((event: { readonly newVersion: number | null }) => void) | null
  /** The browser has closed it: its data was cleared, or the browser cannot go on with it. Never after `close`. */
  onclose: (() => void) | null
  transaction(
    stores: readonly string[],
    mode: 'readwrite',
    options: { readonly durability: 'strict' | 'relaxed' },
  ): Transaction
  close(): void
}

export interface LockManager {
  /**
   * Holds the lock until what `granted` returns is settled. Rejects with an AbortError where `signal` ended the waiting, or
   * somebody stole the lock.
   */
  request(
    name: string,
    options: { readonly signal: AbortSignal },
    granted: () => Promise<void>,
  ): Promise<void>
}

/** Whether a transaction can be asked to reach the disk before it completes. */
export function knowsDurability(): boolean {
  const { IDBTransaction } = globalThis as { IDBTransaction?: { readonly prototype: object } }
  return IDBTransaction !== undefined && 'durability' in IDBTransaction.prototype
}

/** Undefined where a page is neither `https:` nor of loopback. */
export function lockManager(): LockManager | undefined {
  const { navigator } = globalThis as { navigator?: { readonly locks?: LockManager } }
  return navigator?.locks
}
