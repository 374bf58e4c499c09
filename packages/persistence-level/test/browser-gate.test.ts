// What a browser does only now and then: a value that it refuses at once, a connection that it closes without a word, an error
// that says nothing. Over a connection that the test speaks for; the real one is in tests/browser.
import type { BrowserLevel } from 'browser-level'
import { describe, expect, test } from 'vitest'
import { BrowserGate } from '../src/browser/browser-gate.ts'
import type { IndexedDatabase, Transaction } from '../src/browser/platform.ts'
import { SealedDatabase } from '../src/sealed-database.ts'

const change = { key: 'replica!meta!home', value: new Uint8Array(1) }

function storeOver(transaction: () => Transaction): { gate: BrowserGate; store: SealedDatabase } {
  const connection: IndexedDatabase = { onversionchange: null, onclose: null, transaction, close: () => {} }
  const gate = new BrowserGate({
    name: 'the database rejoin-shop',
    level: { location: 'shop', db: connection } as unknown as BrowserLevel<string, string>,
    lock: { stolen: new Promise(() => {}), release: () => {} },
    sync: 'each batch',
  })
  return { gate, store: new SealedDatabase(gate, 'the store') }
}

/** One that ends as the test says once it was asked for everything. */
class Asked implements Transaction {
  error: Error | null = null
  oncomplete: (() => void) | null = null
  onabort: (() => void) | null = null
  aborted = 0
  put: () => void = () => {}

  objectStore() {
    return { put: () => this.put(), delete: () => {} }
  }

  commit(): void {
    this.abort()
  }

  abort(): void {
    this.aborted += 1
    queueMicrotask(() => this.onabort?.())
  }
}

describe('a write in a browser', () => {
  test('[4] of which one value is refused is not written without it', async () => {
    const transaction = new Asked()
    transaction.put = () => {
      throw new DOMException('The serialized value is too large', 'DataError')
    }
    const { store } = storeOver(() => transaction)
    await expect(store.write([change, change])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(transaction.aborted).toBe(1)
  })

  test.each([
    ['QuotaExceededError', 'STORE_FULL'],
    ['UnknownError', 'STORE_UNAVAILABLE'],
  ])('that is aborted with %s is %s, also where the browser says no more', async (name, code) => {
    const transaction = new Asked()
    transaction.error = new DOMException('', name)
    const { store } = storeOver(() => transaction)
    const message = expect.stringContaining(name) as string
    await expect(store.write([change])).rejects.toMatchObject({ code, message })
  })

  test('on a connection that was closed without a word is the last one', async () => {
    let begun = 0
    const { gate, store } = storeOver(() => {
      begun += 1
      throw new DOMException('The database connection is closing.', 'InvalidStateError')
    })
    await expect(store.write([change])).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    await expect(store.write([change])).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    expect(await gate.lost).toMatchObject({ code: 'STORE_CLOSED' })
    expect(begun).toBe(1)
  })

  test('says applied where the browser knows no durability', () => {
    expect(storeOver(() => new Asked()).gate.durability).toBe('applied')
  })
})
